/**
 * Changes a key of a meter by its security setup object. Whether the meter took it is not what it answered, for an answer
 * may get lost: it is which key opens an association afterwards. Until that is known both keys must be kept.
 */
import { asBridgeError, BridgeError } from '../core/errors.ts';
import {
  keyTransferData,
  SECURITY_SETUP,
  SECURITY_SETUP_METHOD,
  type TransferredKey,
} from '../dlms/cosem/security-setup.ts';
import type { MeterSecrets } from '../dlms/settings.ts';
import { callMethod } from './changes.ts';
import type { MeterSession } from './session.ts';

export interface KeyChange {
  readonly type: TransferredKey;
  readonly masterKey: Uint8Array;
  readonly key: Uint8Array;
  /** Logical name of the security setup object. */
  readonly obis: string;
}

/**
 * Sends the new key. Gives whether the meter acknowledged it; false when the line broke before it answered. Throws what the
 * meter refuses it with: then the old key holds.
 */
export async function sendKey(session: MeterSession, { type, masterKey, key, obis }: KeyChange): Promise<boolean> {
  const method = { classId: SECURITY_SETUP, instanceId: obis, methodId: SECURITY_SETUP_METHOD.transferKeys };
  try {
    await callMethod(session, method, keyTransferData(masterKey, [{ type, key }]));
    return true;
  } catch (thrown) {
    if (session.isAssociated) throw thrown;
    return false;
  }
}

/** The secrets with the new key in place of the old one; a broadcast key is none of an association. */
export function secretsAfter(secrets: MeterSecrets, { type, key }: Pick<KeyChange, 'type' | 'key'>): MeterSecrets {
  if (type === 'unicast') return { ...secrets, blockCipherKey: key };
  return type === 'authentication' ? { ...secrets, authenticationKey: key } : secrets;
}

/** What became of a change: which of the two keys opens an association. */
export type KeyVerdict = 'new' | 'old' | 'neither';

/**
 * Finds out which key holds. `opens` makes an association with the one or the other and throws what that meets with.
 * Throws that when it is no matter of keys: then nothing is known, and both keys are to be kept.
 */
export async function heldKey(opens: (which: 'new' | 'old') => Promise<void>): Promise<KeyVerdict> {
  for (const which of ['new', 'old'] as const) {
    try {
      await opens(which);
      return which;
    } catch (thrown) {
      if (!isMatterOfKeys(asBridgeError(thrown))) throw thrown;
    }
  }
  return 'neither';
}

/** How a meter answers that cannot open us, or whose answer we cannot open. */
function isMatterOfKeys({ fault, code }: BridgeError): boolean {
  return fault === 'credentials' || KEY_TROUBLE.has(code);
}

const KEY_TROUBLE: ReadonlySet<BridgeError['code']> = new Set<BridgeError['code']>([
  'DECRYPT_FAILED',
  'ASSOCIATION_REJECTED',
  'AUTHENTICATION_FAILED',
  'EXCEPTION_RESPONSE',
]);

/** The error of a change that did not come about. */
export function changeFailed(verdict: Exclude<KeyVerdict, 'new'>): BridgeError {
  return verdict === 'old'
    ? new BridgeError('KEY_CHANGE_FAILED', 'the meter still takes the old key')
    : new BridgeError('KEY_CHANGE_FAILED', 'the meter takes neither the old key nor the new one', {
        hint: 'keep both keys, and try each of them again later',
      });
}
