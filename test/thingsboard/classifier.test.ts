/** The classifier, case by case, and over random histories in which there is no rival. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BridgeError, type ErrorCode } from '../../src/core/errors.ts';
import { type EndCause, judge, SHORT_LIVED_MS } from '../../src/thingsboard/conduct/classifier.ts';
import type { SessionEnd } from '../../src/thingsboard/session/session-end.ts';

interface Ending extends Partial<Omit<SessionEnd, 'error'>> {
  readonly code?: ErrorCode;
  readonly disconnectReason?: number;
  readonly connackCode?: number;
  /** Node's code of the socket error. */
  readonly system?: string;
}

function end({ code = 'MQTT_CLOSED', disconnectReason, connackCode, system, ...fields }: Ending): SessionEnd {
  const facts = {
    ...(disconnectReason !== undefined && { disconnectReason }),
    ...(connackCode !== undefined && { connackCode }),
  };
  const cause = system === undefined ? undefined : Object.assign(new Error(system), { code: system });
  const error = new BridgeError(code, 'as it came', { facts, ...(cause !== undefined && { cause }) });
  return { at: 0, stoodMs: 1500, error, inFlight: 0, refusedWith: null, witness: null, ...fields };
}

const causeOf = (...endings: Ending[]): EndCause => judge(endings.map((ending) => end(ending))).cause;

/** What a rival that comes back 1.5 s after every CONNACK of ours looks like, with a witness beside our session. */
const THROWN_OUT: Ending = { witness: 'alive', stoodMs: 1500 };

describe('one end alone', () => {
  const cases: readonly [string, Ending, EndCause][] = [
    ['we closed it', { code: 'STOPPING' }, 'stopped'],
    ['DISCONNECT 0x8E', { code: 'MQTT_CONFLICT', disconnectReason: 0x8e }, 'conflict'],
    ['CONNACK 0x86', { code: 'MQTT_CREDENTIALS', connackCode: 0x86, stoodMs: 0 }, 'credentials'],
    ['credentials changed', { disconnectReason: 0x98 }, 'credentials'],
    ['protocol version', { code: 'MQTT_PROTOCOL_REFUSED', connackCode: 1, stoodMs: 0 }, 'protocol'],
    ['what came was no MQTT', { code: 'MQTT_MALFORMED', witness: 'alive' }, 'protocol'],
    ['what answers is no MQTT', { code: 'MQTT_MALFORMED', stoodMs: 0 }, 'protocol'],
    ['rate limit at CONNECT', { code: 'MQTT_SERVER_UNAVAILABLE', disconnectReason: 0x96 }, 'rate-limit'],
    ['gateway quota', { code: 'MQTT_SERVER_UNAVAILABLE', disconnectReason: 0x97 }, 'rate-limit'],
    ['device API limit', { code: 'MQTT_SERVER_UNAVAILABLE', disconnectReason: 0x83 }, 'rate-limit'],
    ['CONNACK 0x9F', { code: 'MQTT_SERVER_UNAVAILABLE', connackCode: 0x9f, stoodMs: 0 }, 'rate-limit'],
    ['PUBACK 0x97, then a close', { refusedWith: 0x97 }, 'rate-limit'],
    ['oversize packet', { disconnectReason: 0x81, inFlight: 1 }, 'payload-rejected'],
    ['invalid payload', { disconnectReason: 0x99, inFlight: 1 }, 'payload-rejected'],
    ['exception over a message', { disconnectReason: 0x8b, inFlight: 1 }, 'payload-rejected'],
    ['shutting down', { disconnectReason: 0x8b }, 'server-restart'],
    ['no PUBACK', { code: 'MQTT_ACK_TIMEOUT', inFlight: 1 }, 'own-time-out'],
    ['CONNACK 3', { code: 'MQTT_SERVER_UNAVAILABLE', connackCode: 3, stoodMs: 0 }, 'server-down'],
    ['nobody listens', { code: 'MQTT_UNREACHABLE', system: 'ECONNREFUSED', stoodMs: 0 }, 'server-down'],
    ['no route', { code: 'MQTT_UNREACHABLE', system: 'EHOSTUNREACH', stoodMs: 0 }, 'network'],
    ['closed before the CONNACK', { stoodMs: 0 }, 'network'],
    ['session time-out of the core', { disconnectReason: 0xa0 }, 'unexplained'],
    ['just our session, once', THROWN_OUT, 'unexplained'],
    ['everything at once, in order', { witness: 'dead' }, 'server-restart'],
    ['everything at once, torn', { witness: 'dead', system: 'ECONNRESET' }, 'network'],
    ['nobody saw it', {}, 'unexplained'],
  ];
  test.each(cases)('%s', (_, ending, cause) => {
    expect(causeOf(ending)).toBe(cause);
  });
});

describe('a rival without a reason code', () => {
  test('just our session, soon, twice, with nothing in flight: a conflict', () => {
    expect(causeOf(THROWN_OUT, { ...THROWN_OUT, at: 3000 })).toBe('conflict');
  });

  test('once with nothing in flight is enough beside one with messages in flight', () => {
    expect(causeOf({ ...THROWN_OUT, inFlight: 7 }, { ...THROWN_OUT, at: 3000 })).toBe('conflict');
  });

  test('its evidence is told, with the name that operators know it by', () => {
    expect(judge([end(THROWN_OUT), end(THROWN_OUT)]).evidence).toMatch(/just this session 2 times.*rc=7/);
  });

  const innocent: readonly [string, readonly Ending[]][] = [
    ['a message was in flight every time', Array.from({ length: 8 }, () => ({ ...THROWN_OUT, inFlight: 1 }))],
    ['the witness broke off too', [THROWN_OUT, { witness: 'dead' }]],
    ['there was no witness', [{}, {}, {}, {}]],
    ['torn, not closed', Array.from({ length: 4 }, () => ({ ...THROWN_OUT, system: 'ECONNRESET' }))],
    ['the session stood for long', [THROWN_OUT, { ...THROWN_OUT, stoodMs: SHORT_LIVED_MS + 1 }]],
    ['the server was away in between', [THROWN_OUT, { code: 'MQTT_UNREACHABLE', stoodMs: 0 }, THROWN_OUT]],
    ['the server had just refused a message', [THROWN_OUT, { ...THROWN_OUT, refusedWith: 0x80 }]],
    ['long ago', [THROWN_OUT, { ...THROWN_OUT, at: 600_000 }]],
  ];
  test.each(innocent)('no conflict: %s', (_, endings) => {
    expect(causeOf(...endings)).not.toBe('conflict');
  });
});

test('over 1000 random histories without a rival nothing is called a conflict', () => {
  // What breaks a session without a rival: the line (the witness goes too), the server (likewise), or a message of
  // ours (it is in flight). Now and then a middlebox forgets one flow of several: just ours, torn.
  const stoodMs = fc.integer({ min: 1, max: 120_000 });
  const ending: fc.Arbitrary<Ending> = fc.oneof(
    fc.record({ stoodMs, witness: fc.constantFrom('dead' as const, null), inFlight: fc.nat(50) }),
    fc.record({ stoodMs, witness: fc.constant('dead' as const), system: fc.constantFrom('ECONNRESET', 'ETIMEDOUT') }),
    fc.record({ stoodMs, witness: fc.constant('alive' as const), inFlight: fc.integer({ min: 1, max: 50 }) }),
    fc.record({ stoodMs, witness: fc.constant('alive' as const), system: fc.constant('ECONNRESET') }),
    fc.record({ stoodMs: fc.constant(0), code: fc.constant('MQTT_UNREACHABLE' as const) }),
    fc.record({
      stoodMs: fc.constant(0),
      connackCode: fc.constant(3),
      code: fc.constant('MQTT_SERVER_UNAVAILABLE' as const),
    }),
    fc.record({ stoodMs, disconnectReason: fc.constantFrom(0x83, 0x8b, 0x96, 0x97, 0x99, 0xa0), inFlight: fc.nat(3) }),
    fc.record({ stoodMs, code: fc.constant('MQTT_ACK_TIMEOUT' as const), inFlight: fc.nat(3) }),
  );
  fc.assert(
    fc.property(fc.array(ending, { minLength: 1, maxLength: 40 }), (endings) => {
      let at = 0;
      const history = endings.map((one) => {
        at += 500 + (one.stoodMs ?? 0);
        return end({ ...one, at });
      });
      for (let upTo = 1; upTo <= history.length; upTo += 1) {
        expect(judge(history.slice(0, upTo)).cause).not.toBe('conflict');
      }
    }),
    { numRuns: 1000 },
  );
});
