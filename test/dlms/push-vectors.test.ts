/** Every vector of captured pushes: whole, cut at every offset, with flipped bits, and octet by octet where it is a stream. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toHex } from '../../src/core/bytes.ts';
import { BridgeError } from '../../src/core/errors.ts';
import { decodePush } from '../../src/dlms/decode/push.ts';
import {
  HdlcPushFraming,
  MbusPushFraming,
  type PushFraming,
  type PushFramingEvent,
  WrapperPushFraming,
} from '../../src/dlms/push/framing.ts';
import { codeOf } from '../support/error-code.ts';
import { bytesOf, differences, isNegative, loadVectors, type Vector } from '../support/vectors.ts';

const vectors = loadVectors('push');
const positive = vectors.filter((vector) => !isNegative(vector));
const named = (list: readonly Vector[]) => list.map((vector) => [vector.id, vector] as const);

test.each(named(positive))('%s', (_, vector) => {
  expect(differences(vector.expect, decodePush(bytesOf(vector), vector.context))).toEqual([]);
});

test.each(named(vectors.filter(isNegative)))('%s', (_, vector) => {
  expect(() => decodePush(bytesOf(vector), vector.context)).toThrow(BridgeError);
});

test.each(named(positive))('%s cut at every offset', (_, vector) => {
  const bytes = bytesOf(vector);
  for (let length = 0; length < bytes.length; length += 1) {
    const code = codeOf(() => decodePush(bytes.subarray(0, length), vector.context));
    expect(code, `at ${length}`).not.toBe('none');
  }
});

test('the transport is known by the octets when nobody tells it', () => {
  for (const vector of positive) {
    const { transport: _, ...context } = vector.context;
    expect(differences(vector.expect, decodePush(bytesOf(vector), context)), vector.id).toEqual([]);
  }
});

test('the lenient reader finds what the strict one cannot', () => {
  const vector = vectors.find(({ id }) => id === 'push-egd-untagged-descriptors') as Vector;
  const { lenientItems } = vector.expect;
  const result = decodePush(bytesOf(vector), vector.context);
  expect(result).toMatchObject({ layout: 'untagged-descriptors', items: lenientItems });
});

test('without its key a ciphered push is shown closed; with a wrong one it is refused', () => {
  const ciphered = positive.filter(({ context }) => typeof context.encryptionKey === 'string');
  expect(ciphered.length).toBeGreaterThan(10);
  for (const { id, context, ...vector } of ciphered) {
    const bytes = bytesOf({ id, context, ...vector });
    const closed = decodePush(bytes, { transport: context.transport });
    expect(closed, id).toMatchObject({ apdu: 'general-glo-ciphering', ciphertextLength: expect.any(Number) });
    const wrong = { ...context, encryptionKey: '00'.repeat(16) };
    expect(
      codeOf(() => decodePush(bytes, wrong)),
      id,
    ).toBe('DECRYPT_FAILED');
  }
});

describe('as a stream', () => {
  const FRAMINGS: Readonly<Record<string, () => PushFraming>> = {
    hdlc: () => new HdlcPushFraming(),
    wrapper: () => new WrapperPushFraming(),
    mbus: () => new MbusPushFraming(),
  };
  const streams = positive.filter(({ context }) => (context.transport as string) in FRAMINGS);
  const shown = (events: readonly PushFramingEvent[]): unknown[] =>
    events.map((event) => (event.kind === 'message' ? toHex(event.octets) : event.discarded));

  test.each(named(streams))('%s octet by octet', (_, vector) => {
    const make = FRAMINGS[vector.context.transport as string] as () => PushFraming;
    const [whole, single] = [make(), make()];
    const bytes = bytesOf(vector);
    const expected = shown([...whole.receive(bytes), ...whole.flush()]);
    expect(expected.length).toBeGreaterThan(0);
    const events = [...bytes].flatMap((octet) => single.receive(Uint8Array.of(octet)));
    expect(shown([...events, ...single.flush()])).toEqual(expected);
  });

  test('two pushes, noise between them: both come', () => {
    for (const vector of streams) {
      const framing = (FRAMINGS[vector.context.transport as string] as () => PushFraming)();
      const bytes = bytesOf(vector);
      const count = framing.receive(bytes).filter(({ kind }) => kind === 'message').length;
      framing.receive(Uint8Array.of(0x55, 0xaa));
      expect(framing.receive(bytes).filter(({ kind }) => kind === 'message')).toHaveLength(count);
    }
  });
});

describe('whatever is wrong with the octets, only BridgeErrors', () => {
  test('octets changed anywhere', () => {
    const changes = fc.array(fc.tuple(fc.nat(2000), fc.nat(255)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(fc.constantFrom(...positive), changes, (vector, changed) => {
        const bytes = bytesOf(vector).slice();
        for (const [at, octet] of changed) bytes[at % bytes.length] = octet;
        codeOf(() => decodePush(bytes, vector.context));
      }),
      { numRuns: 3000 },
    );
  });
  test('random octets behind the beginnings of all transports', () => {
    const starts = [
      [],
      [0x7e, 0xa0],
      [0, 1, 0, 1, 0, 1, 0],
      [0x68],
      [0xe6, 0xe7, 0, 0x0f],
      [0x0f, 0, 0, 0, 1, 0],
      [0xe0, 0xc0, 0, 1, 0, 0],
      [0xdb, 8],
      [0x2f],
    ];
    const keys = { encryptionKey: '00'.repeat(16), authenticationKey: null };
    fc.assert(
      fc.property(fc.constantFrom(...starts), fc.uint8Array({ maxLength: 80 }), (start, rest) => {
        codeOf(() => decodePush(Uint8Array.of(...start, ...rest), keys));
      }),
      { numRuns: 5000 },
    );
  });
  test('a context that is none', () => {
    const [vector] = positive;
    expect(codeOf(() => decodePush(bytesOf(vector as Vector), { encryptionKey: 'no hex' }))).toBe('INVALID_VALUE');
    expect(codeOf(() => decodePush(new Uint8Array(0), {}))).toBe('TRUNCATED');
  });
});
