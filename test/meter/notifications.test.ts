/** Notifications within a session: handed out, confirmed where that is wanted, and never in the way of an answer. */
import { describe, expect, test } from 'vitest';
import { fromHex } from '../../src/core/bytes.ts';
import type { UnsolicitedApdu } from '../../src/dlms/association/services.ts';
import { DEFAULT_METER_SETTINGS, NO_SECRETS } from '../../src/dlms/settings.ts';
import { encodeWrapper } from '../../src/dlms/wrapper.ts';
import { readAttributes } from '../../src/meter/client.ts';
import { unkeptCounters } from '../../src/meter/counters.ts';
import { MeterSession } from '../../src/meter/session.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { endpointOf } from '../../src/simulator/meter/endpoint.ts';
import { DEFAULT_MAX_PDU, MeterModel } from '../../src/simulator/meter/meter-model.ts';
import { VirtualMeter } from '../../src/simulator/meter/virtual-meter.ts';
import { until } from '../support/until.ts';

const ENERGY = { classId: 3, instanceId: '1.0.1.8.0.255', attributeId: 2 };
const KEYS = {
  blockCipherKey: fromHex('000102030405060708090a0b0c0d0e0f'),
  authenticationKey: fromHex('d0d1d2d3d4d5d6d7d8d9dadbdcdddedf'),
};

type Notifying = 'notify-before-answer' | 'notify-confirmed';

/** A session with one meter that notifies before each answer. @param stray comes before each answer once it is associated. */
function talking(framing: 'wrapper' | 'hdlc', kind: Notifying | null, ciphered: boolean, stray?: Uint8Array) {
  const clock = new VirtualClock(Date.UTC(2026, 9, 25));
  const security = ciphered ? ('both' as const) : ('none' as const);
  const model = new MeterModel({
    seed: 1,
    index: 0,
    server: 1,
    phases: 3,
    authentication: 'none',
    password: new Uint8Array(),
    maxPdu: DEFAULT_MAX_PDU,
    security: { security, ...KEYS },
  });
  const meter = new VirtualMeter({
    model,
    physical: null,
    faults: kind === null ? [] : [{ name: kind, parameter: 1 }],
    seed: 1,
    clock,
  });
  const endpoint = endpointOf(framing, { find: () => meter });
  let receive: (bytes: Uint8Array) => void = () => {};
  const handedOut: UnsolicitedApdu[] = [];
  const strays = { sent: 0 };
  const session = new MeterSession({
    settings: { ...DEFAULT_METER_SETTINGS, client: 1, security },
    secrets: ciphered ? { ...NO_SECRETS, ...KEYS } : NO_SECRETS,
    framing,
    wire: {
      attach: (receiver) => {
        receive = (bytes) => receiver.data(bytes);
      },
      async write(bytes) {
        for (const { frame } of endpoint.receive(bytes)) {
          if (stray !== undefined && session.maxRequestPdu > 0) {
            strays.sent += 1;
            queueMicrotask(() => receive(encodeWrapper(1, 1, stray)));
          }
          queueMicrotask(() => receive(frame));
        }
      },
    },
    clock,
    log: silentLogger,
    security: { systemTitle: fromHex('4d4d4d0000000001'), counters: unkeptCounters() },
    onUnsolicited: async (apdu) => handedOut.push(apdu) > 0,
  });
  return { clock, session, handedOut, strays, confirmed: model.state.confirmed };
}

describe.each(['wrapper', 'hdlc'] as const)('%s', (framing) => {
  test.each([
    ['notify-before-answer', false],
    ['notify-before-answer', true],
    ['notify-confirmed', false],
    ['notify-confirmed', true],
  ] as const)('%s, ciphered: %s', async (kind, ciphered) => {
    const { clock, session, handedOut, confirmed } = talking(framing, kind, ciphered);
    let read: unknown = null;
    let failure: unknown = null;
    const talk = async (): Promise<void> => {
      await session.ensureAssociated();
      for (let count = 0; count < 3; count += 1) read = await readAttributes(session, [ENERGY]);
    };
    talk().catch((error) => {
      failure = error;
      read ??= 'failed';
    });
    await until('it is read', () => failure !== null || handedOut.length >= 3, { clock, stepMs: 10, withinMs: 30_000 });
    await until('it is read', () => read !== null, { clock, stepMs: 10, withinMs: 30_000 });
    expect(failure).toBeNull();
    expect(read).toMatchObject([{ data: { type: 'double-long-unsigned' } }]);
    expect(new Set(handedOut.map(({ apdu }) => apdu))).toEqual(new Set(['data-notification']));
    expect(handedOut.length).toBeGreaterThanOrEqual(3);
    if (kind === 'notify-confirmed') expect(confirmed.length).toBeGreaterThanOrEqual(handedOut.length - 1);
    else expect(confirmed).toEqual([]);
  });
});

test.each([
  ['a plain notification', '0f000000010000'],
  ['a plain one in a block', 'e0810001000007' + '0f000000010000'],
  [
    'one under a key that travels wrapped',
    // transaction-id, no originator, recipient, no date-time and other information; wrapped key; suite 0, both
    'dd' +
      '080000000000000007' +
      '00' +
      '084d4d4d0000000001' +
      '0000' +
      '010100181fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5' +
      '1530000000010123456789abcdef0123456789abcdef',
  ],
])('%s within a ciphered association is passed over, the association stands', async (_, stray) => {
  const { clock, session, handedOut, strays } = talking('wrapper', null, true, fromHex(stray));
  const results: unknown[] = [];
  let failure: unknown = null;
  const talk = async (): Promise<void> => {
    await session.ensureAssociated();
    for (let count = 0; count < 3; count += 1) results.push(await readAttributes(session, [ENERGY]));
  };
  talk().catch((error) => {
    failure = error;
  });
  await until('it is read', () => failure !== null || results.length === 3, { clock, stepMs: 10, withinMs: 30_000 });
  expect(failure).toBeNull();
  expect(results.at(-1)).toMatchObject([{ data: { type: 'double-long-unsigned' } }]);
  expect({ handedOut, strays }).toEqual({ handedOut: [], strays: { sent: 3 } });
});
