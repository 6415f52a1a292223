/** What was not granted is never sent: every service against every conformance bit. */
import { describe, expect, test } from 'vitest';
import { BridgeError } from '../../src/core/errors.ts';
import { aareOf, encodeAcse } from '../../src/dlms/acse/acse.ts';
import { AssociationClient } from '../../src/dlms/association/association.ts';
import type { Data } from '../../src/dlms/axdr/data.ts';
import { AccessExchange, AccessReadExchange } from '../../src/dlms/exchange/access-exchange.ts';
import { ActionExchange } from '../../src/dlms/exchange/action-exchange.ts';
import type { ServiceExchange } from '../../src/dlms/exchange/exchange.ts';
import { GetExchange } from '../../src/dlms/exchange/get-exchange.ts';
import { ReadExchange } from '../../src/dlms/exchange/read-exchange.ts';
import { SetExchange } from '../../src/dlms/exchange/set-exchange.ts';
import { WriteExchange } from '../../src/dlms/exchange/write-exchange.ts';
import { DEFAULT_METER_SETTINGS, NO_SECRETS } from '../../src/dlms/settings.ts';
import { CONFORMANCE_BITS, type ConformanceBit } from '../../src/dlms/xdlms/conformance.ts';
import { initiateResponseOf } from '../../src/dlms/xdlms/initiate.ts';

const attribute = { classId: 1, instanceId: '0.0.96.50.0.255', attributeId: 2, accessSelection: null };
const selected = { ...attribute, accessSelection: { selector: 1, parameters: { type: 'null-data' } as const } };
const small: Data = { type: 'unsigned', value: 1 };
const large: Data = { type: 'octet-string', value: new Uint8Array(300) };
const call = (parameters: Data) => ({
  method: { classId: 70, instanceId: '0.0.96.3.10.255', methodId: 1 },
  parameters,
});
const variable = { variableName: 0xfa00, accessSelection: null };
const MAX_PDU = 100;

interface Case {
  readonly make: () => ServiceExchange<unknown>;
  readonly referencing: 'ln' | 'sn';
  /** Each of these is needed; of an inner list, one. */
  readonly needs: readonly (ConformanceBit | readonly ConformanceBit[])[];
}
const ln = (make: Case['make'], ...needs: Case['needs']): Case => ({ make, referencing: 'ln', needs });
const sn = (make: Case['make'], ...needs: Case['needs']): Case => ({ make, referencing: 'sn', needs });
const orGeneral = (bit: ConformanceBit): readonly ConformanceBit[] => [bit, 'general-block-transfer'];

const CASES: Readonly<Record<string, Case>> = {
  get: ln(() => new GetExchange([attribute]), 'get'),
  'get selected': ln(() => new GetExchange([selected]), 'get', 'selective-access'),
  'get list': ln(() => new GetExchange([attribute, attribute]), 'get', 'multiple-references'),
  set: ln(() => new SetExchange([{ ...attribute, value: small }]), 'set'),
  'set selected': ln(() => new SetExchange([{ ...selected, value: small }]), 'set', 'selective-access'),
  'set list': ln(
    () => new SetExchange([attribute, attribute].map((one) => ({ ...one, value: small }))),
    'set',
    'multiple-references',
  ),
  'set long': ln(
    () => new SetExchange([{ ...attribute, value: large }]),
    'set',
    orGeneral('block-transfer-with-set-or-write'),
  ),
  action: ln(() => new ActionExchange([call(small)]), 'action'),
  'action list': ln(() => new ActionExchange([call(small), call(small)]), 'action', 'multiple-references'),
  'action long': ln(() => new ActionExchange([call(large)]), 'action', orGeneral('block-transfer-with-action')),
  access: ln(() => new AccessReadExchange([attribute, attribute]), 'access'),
  'access selected': ln(() => new AccessReadExchange([selected]), 'access', 'selective-access'),
  'access long': ln(() => new AccessExchange([{ access: 'set', ...attribute, value: large }]), 'access', [
    'general-block-transfer',
  ]),
  read: sn(() => new ReadExchange([variable]), 'read'),
  'read list': sn(() => new ReadExchange([variable, variable]), 'read', 'multiple-references'),
  write: sn(() => new WriteExchange([{ ...variable, value: small }]), 'write'),
};

function associated(referencing: 'ln' | 'sn', bits: readonly ConformanceBit[]): AssociationClient {
  const client = new AssociationClient({
    settings: { ...DEFAULT_METER_SETTINGS, referencing },
    secrets: NO_SECRETS,
    random: (octets) => new Uint8Array(octets),
    takeCounter: () => 1,
    systemTitle: new Uint8Array(8),
  });
  client.open();
  const aare = aareOf({
    context: referencing === 'ln' ? 'LN' : 'SN',
    result: 0,
    diagnostic: 0,
    userInformation: initiateResponseOf(bits, MAX_PDU, referencing),
  });
  expect(client.receive(encodeAcse(aare)).event?.kind).toBe('associated');
  return client;
}

/** What is sent, in octets of each APDU, or the code of the refusal. */
function sent({ make, referencing }: Case, bits: readonly ConformanceBit[]): readonly Uint8Array[] | string {
  try {
    return associated(referencing, bits).begin(make());
  } catch (error) {
    if (error instanceof BridgeError) return error.code;
    throw error;
  }
}

describe.each(Object.entries(CASES))('%s', (_, one) => {
  const isGrantedBy = (bits: readonly ConformanceBit[]): boolean =>
    one.needs.every((need) => [need].flat().some((bit) => bits.includes(bit as ConformanceBit)));
  const check = (bits: readonly ConformanceBit[]): void => {
    const outcome = sent(one, bits);
    if (!isGrantedBy(bits)) {
      expect(['SERVICE_NOT_GRANTED', 'PDU_TOO_SMALL'], bits.join()).toContain(outcome);
      return;
    }
    expect(outcome, bits.join()).toBeInstanceOf(Array);
    for (const apdu of outcome as readonly Uint8Array[]) {
      expect(apdu.length).toBeLessThanOrEqual(MAX_PDU);
      if (apdu[0] === 0xe0) expect(bits).toContain('general-block-transfer');
    }
  };
  const all = CONFORMANCE_BITS.filter((bit) => !bit.startsWith('reserved'));

  test.each(all)('without %s', (bit) => check(all.filter((other) => other !== bit)));
  test.each(all)('with %s alone', (bit) => check([bit]));
  test('with every choice of what it needs and of blocks', () => {
    const concerned = [...new Set([...one.needs.flat(), 'general-block-transfer' as const])];
    for (let mask = 0; mask < 1 << concerned.length; mask += 1) {
      check(concerned.filter((__, index) => (mask & (1 << index)) !== 0));
    }
  });
});
