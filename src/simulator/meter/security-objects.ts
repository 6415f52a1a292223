/** Objects of meters that know ciphering: the invocation counter (public), and security setup, class 64 (Blue Book 4.4.7). */
import { BridgeError } from '../../core/errors.ts';
import type { Data } from '../../dlms/axdr/data.ts';
import { SECURITY_SETUP_METHOD, TRANSFERRED_KEYS, type TransferredKey } from '../../dlms/cosem/security-setup.ts';
import { unwrapKey } from '../../dlms/security/key-wrap.ts';
import { SECURITY_POLICIES } from '../../dlms/security/suite.ts';
import {
  DONE,
  dataObject,
  logicalName,
  type MeterContext,
  type MethodOutcome,
  type ObjectDefinition,
  RESULT,
  refused,
} from './object-model.ts';

export const SECURITY_SETUP = '0.0.43.0.0.255';
export const INVOCATION_COUNTER = '0.0.43.1.0.255';

export const SECURITY_OBJECTS: readonly ObjectDefinition[] = [
  dataObject(
    INVOCATION_COUNTER,
    ({ invocationCounter }) => ({ type: 'double-long-unsigned', value: invocationCounter() }),
    { isPublic: true },
  ),
  {
    classId: 64,
    version: 0,
    obis: SECURITY_SETUP,
    attributes: [
      logicalName(SECURITY_SETUP),
      ({ security }) => ({ type: 'enum', value: SECURITY_POLICIES.indexOf(security.policy) }),
      ({ security }) => ({ type: 'enum', value: security.suite }),
      ({ association }) => ({ type: 'octet-string', value: association.clientTitle }),
      ({ security }) => ({ type: 'octet-string', value: security.systemTitle }),
    ],
    methods: 2,
    calls: { [SECURITY_SETUP_METHOD.transferKeys]: takeKeys },
    isPublic: false,
    scaler: null,
  },
];

/** All keys or none. */
function takeKeys({ security }: MeterContext, parameters: Data | null): MethodOutcome {
  const { masterKey, keys } = security;
  if (parameters?.type !== 'array' || parameters.value.length === 0) return refused(RESULT.typeUnmatched);
  if (masterKey === null || keys === null) return refused(RESULT.readWriteDenied);
  const sent = parameters.value.map((entry) => keyIn(entry, masterKey));
  if (sent.some((key) => key?.octets.length !== keys.encryption.length)) return refused(RESULT.otherReason);
  for (const key of sent) {
    if (key?.type === 'unicast') keys.encryption = key.octets;
    // Nobody sends broadcasts here: that key is taken and not used.
    if (key?.type === 'authentication') keys.authentication = key.octets;
  }
  return DONE;
}

/** null for a key that does not open with the master key, or has an id that there is not. */
function keyIn(entry: Data, masterKey: Uint8Array): { type: TransferredKey; octets: Uint8Array } | null {
  const [id, wrapped] = entry.type === 'structure' ? entry.value : [];
  if (id?.type !== 'enum' || wrapped?.type !== 'octet-string') return null;
  const type = TRANSFERRED_KEYS[id.value];
  if (type === undefined) return null;
  try {
    return { type, octets: unwrapKey(masterKey, wrapped.value) };
  } catch (error) {
    if (error instanceof BridgeError) return null;
    throw error;
  }
}
