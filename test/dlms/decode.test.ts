/** `dlms decode`: captures of any framing, explained. */
import { describe, expect, test } from 'vitest';
import { concat, fromHex } from '../../src/core/bytes.ts';
import { decodeBytes } from '../../src/dlms/decode/bytes.ts';
import { present } from '../../src/dlms/decode/present.ts';
import { encodeWrapper } from '../../src/dlms/wrapper.ts';
import { frame } from '../support/links.ts';

const GET = 'c001c1000100002b0100ff0200';
const ANSWER = 'c401c1000600000100';
const auto = (...parts: (string | Uint8Array)[]) =>
  decodeBytes(concat(parts.map((part) => (typeof part === 'string' ? fromHex(part) : part))), { input: 'auto' });
const namesOf = (objects: readonly object[], name: string): unknown[] =>
  objects.map((object) => (object as Record<string, unknown>)[name]);

describe('HDLC', () => {
  test('several frames, with junk before, between and behind', () => {
    const { layers, apdus, discarded, error } = auto(
      'ff',
      frame.ua(),
      '1234',
      frame.i(0, 1, `e6e700${ANSWER}`),
      '0000',
    );
    expect(namesOf(layers, 'layer')).toEqual(['hdlc', 'hdlc', 'llc']);
    expect(layers[0]).toMatchObject({ offset: 1, control: { frameType: 'UA' }, fcsValid: true });
    expect(layers[2]).toEqual({ layer: 'llc', hex: 'e6e700', direction: 'response' });
    expect(apdus).toMatchObject([{ apdu: 'get-response', invokeIdAndPriority: { invokeId: 1 } }]);
    expect(discarded.map(({ offset, length }) => [offset, length])).toEqual([
      [0, 1],
      [11, 2],
      [37, 2],
    ]);
    expect(error).toBeNull();
  });
  test('segments are joined, repeated ones once, those of the other direction apart', () => {
    const whole = fromHex(`e6e700${ANSWER}`);
    const first = frame.i(0, 1, whole.subarray(0, 6), '+');
    const { layers, apdus, error } = auto(first, first, frame.i(1, 1, whole.subarray(6)));
    expect(apdus).toMatchObject([{ apdu: 'get-response' }]);
    expect(namesOf(layers, 'repeated')).toEqual([undefined, undefined, true, undefined]);
    expect(error).toBeNull();
  });
  test('segmented UI frames are joined', () => {
    expect(auto(frame.ui('e6e7000f00000001', '+'), frame.ui('000600000007')).apdus).toMatchObject([
      { apdu: 'data-notification' },
    ]);
  });
  test('a last segment that is missing', () => {
    const { apdus, error } = auto(frame.i(0, 1, 'e6e700c401c1', '+'));
    expect(error).toMatchObject({ code: 'TRUNCATED', layer: 'hdlc' });
    expect(apdus).toMatchObject([{ valid: false, hex: 'c401c1' }]);
  });
  test('an answer that begins before the one before it has ended', () => {
    const { apdus, error } = auto(frame.i(0, 1, 'e6e700c401c1', '+'), frame.i(1, 1, `e6e700${ANSWER}`));
    expect(namesOf(apdus, 'apdu')).toEqual([undefined, 'get-response']);
    expect(error).toMatchObject({ code: 'TRUNCATED' });
  });
  test('an APDU that cannot be decoded does not hide the others', () => {
    const { apdus, error } = auto(frame.i(0, 1, 'e6e700ff4558'), frame.i(1, 1, `e6e700${ANSWER}`));
    expect(apdus).toMatchObject([{ valid: false, hex: 'ff4558' }, { apdu: 'get-response' }]);
    expect(error?.code).toBe('MALFORMED');
  });
  test('no frame at all', () => {
    const broken = frame.ua();
    broken[7]! ^= 1;
    expect(auto(broken)).toMatchObject({ layers: [], apdus: [], error: { code: 'MALFORMED', layer: 'hdlc' } });
  });
});

describe('wrapper', () => {
  test('several messages in one input', () => {
    const { layers, apdus, error } = auto(
      encodeWrapper(16, 1, fromHex(GET)),
      encodeWrapper(1, 16, fromHex(ANSWER)),
      'aa',
    );
    expect(layers).toMatchObject([
      { layer: 'wrapper', offset: 0, sourceWPort: 16, destinationWPort: 1, length: 13 },
      { layer: 'wrapper', offset: 21, sourceWPort: 1, destinationWPort: 16, length: 9 },
    ]);
    expect(namesOf(apdus, 'apdu')).toEqual(['get-request', 'get-response']);
    expect(error).toBeNull();
  });
  test('half a message', () => {
    expect(auto('000100010010002200')).toMatchObject({ layers: [], error: { code: 'MALFORMED', layer: 'wrapper' } });
  });
});

describe('without framing', () => {
  test.each([
    ['an xDLMS APDU', GET, [{ apdu: 'get-request' }]],
    ['an ACSE APDU', '601da109060760857405080101be10040e01000000065f1f0400007e1f04b0', [{ apdu: 'aarq' }]],
    ['plain Data', '0f2a', [{ data: { type: 'integer', value: 42 } }]],
  ])('%s', (_, hex, apdus) => {
    expect(auto(hex)).toMatchObject({ layers: [], apdus, discarded: [], error: null });
  });
  test('neither', () => expect(auto('c001').error).toMatchObject({ code: 'TRUNCATED' }));
  test('nothing', () => expect(auto().error).toMatchObject({ code: 'TRUNCATED' }));
  test('the input can be told', () => {
    const octets = fromHex('0f2a');
    expect(decodeBytes(octets, { input: 'apdu' }).error).toMatchObject({ code: 'TRUNCATED' });
    expect(decodeBytes(octets, { input: 'hdlc' }).error).toMatchObject({ layer: 'hdlc' });
    expect(decodeBytes(octets, { input: 'wrapper' }).error).toMatchObject({ layer: 'wrapper' });
    expect(decodeBytes(fromHex(GET), { input: 'data' }).error).not.toBeNull();
  });
});

test('presenting', () => {
  expect(
    present({
      octets: fromHex('00FF'),
      big: 2n ** 64n - 1n,
      nan: Number.NaN,
      gone: undefined,
      list: [null, true, 'x'],
    }),
  ).toEqual({ octets: '00ff', big: '18446744073709551615', nan: 'NaN', list: [null, true, 'x'] });
});
