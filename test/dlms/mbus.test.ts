/** DLMS over wired M-Bus: frames, streams of them, segments. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat, fromHex, toHex } from '../../src/core/bytes.ts';
import {
  decodeMbus,
  encodeMbus,
  MbusDeframer,
  type MbusFrame,
  type MbusItem,
  MbusSegments,
} from '../../src/dlms/mbus.ts';
import { codeOf } from '../support/error-code.ts';
import { bytesOf, loadVectors } from '../support/vectors.ts';

const content = { c: 0x53, a: 0xff, fin: true, segment: 0, stsap: 1, dtsap: 103, data: Uint8Array.of(0xdb, 0x08) };
const FRAME = encodeMbus(content);

function deframed(...portions: readonly Uint8Array[]): MbusItem[] {
  const deframer = new MbusDeframer();
  return [...portions.flatMap((portion) => deframer.push(portion)), ...deframer.flush()];
}
const framesOf = (items: readonly MbusItem[]): MbusFrame[] =>
  items.flatMap((item) => (item.kind === 'frame' ? [item.frame] : []));

describe('a frame', () => {
  test('as it is on the line', () => {
    expect(toHex(FRAME)).toBe('6807076853ff100167db08ad16');
    expect(decodeMbus(FRAME)).toEqual({ ...content, length: 7, ci: 0x10, checksum: 0xad });
  });
  test('any content reads back', () => {
    const frames = fc.record({
      c: fc.nat(255),
      a: fc.nat(255),
      fin: fc.boolean(),
      segment: fc.nat(15),
      stsap: fc.nat(255),
      dtsap: fc.nat(255),
      data: fc.uint8Array({ maxLength: 250 }),
    });
    fc.assert(
      fc.property(frames, (frame) => {
        expect(decodeMbus(encodeMbus(frame))).toMatchObject(frame);
      }),
    );
  });
  test('too much for one frame', () => {
    expect(codeOf(() => encodeMbus({ ...content, data: new Uint8Array(251) }))).toBe('LIMIT_EXCEEDED');
  });
  test('cut at every offset', () => {
    for (let length = 0; length < FRAME.length; length += 1) {
      expect(codeOf(() => decodeMbus(FRAME.subarray(0, length)))).toBe('TRUNCATED');
    }
  });
  test.each([
    ['a wrong check sum', '6807076853ff100167db08ae16', 'CHECKSUM_WRONG'],
    ['a wrong stop octet', '6807076853ff100167db08ad17', 'MALFORMED'],
    ['two lengths', '6807086853ff100167db08ad16', 'MALFORMED'],
    ['no start', '6907076853ff100167db08ad16', 'MALFORMED'],
    ['one octet too many', '6807076853ff100167db08ad1600', 'TRAILING_BYTES'],
    ['another application layer', '6807076853ff720167db080f16', 'UNSUPPORTED'],
    ['a control frame without SAPs', '6803036853fe50a116', 'UNSUPPORTED'],
  ])('%s', (_, hex, code) => {
    expect(codeOf(() => decodeMbus(fromHex(hex)))).toBe(code);
  });
});

describe('a stream', () => {
  const vectors = loadVectors('push').filter(({ context }) => context.transport === 'mbus');

  test.each(vectors.map((vector) => [vector.id, vector] as const))('%s, octet by octet', (_, vector) => {
    const whole = deframed(bytesOf(vector));
    const single = deframed(...[...bytesOf(vector)].map((octet) => Uint8Array.of(octet)));
    expect(single).toEqual(whole);
    expect(framesOf(whole)).toHaveLength((vector.expect.mbus as { frames: unknown[] }).frames.length);
  });
  test('junk around and between frames is told', () => {
    const items = deframed(concat([fromHex('0068e5'), FRAME, fromHex('68070768'), FRAME, fromHex('10')]));
    expect(framesOf(items)).toHaveLength(2);
    expect(items.map((item) => (item.kind === 'frame' ? item.offset : item.discarded.length))).toEqual([
      3, 3, 4, 20, 1,
    ]);
  });
  test('a damaged frame does not hide the next one', () => {
    const damaged = FRAME.map((octet, index) => (index === 8 ? octet ^ 1 : octet));
    expect(framesOf(deframed(damaged, FRAME))).toHaveLength(1);
  });
  test('a frame of another application layer is passed over whole, whatever is inside', () => {
    const other = encodeMbus({ ...content, data: FRAME });
    other[6] = 0x72;
    other[other.length - 2] = ((other[other.length - 2] as number) + 0x72 - 0x10) & 0xff;
    const [discarded, frame] = deframed(other, FRAME);
    expect(discarded).toMatchObject({ kind: 'discarded', discarded: { length: other.length } });
    expect(frame).toMatchObject({ kind: 'frame', offset: other.length });
  });
  test('cut anywhere it is the same', () => {
    const stream = concat([fromHex('00e5'), FRAME, FRAME, fromHex('1640'), FRAME]);
    fc.assert(
      fc.property(fc.array(fc.nat(stream.length), { maxLength: 6 }), (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), stream.length];
        expect(deframed(...at.slice(1).map((end, index) => stream.subarray(at[index], end)))).toEqual(deframed(stream));
      }),
    );
  });
  test('random octets never throw and nothing vanishes', () => {
    const starts = fc.constantFrom([], [0x68], [0x68, 5, 5, 0x68]);
    fc.assert(
      fc.property(fc.array(fc.tuple(starts, fc.uint8Array({ maxLength: 40 }))), (parts) => {
        const octets = Uint8Array.from(parts.flatMap(([start, rest]) => [...start, ...rest]));
        const lengths = deframed(octets).map((item) =>
          item.kind === 'frame' ? item.frame.length + 6 : item.discarded.length,
        );
        expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(octets.length);
      }),
    );
  });
});

describe('segments', () => {
  const segment = (number: number, fin: boolean, ...data: readonly number[]): MbusFrame =>
    decodeMbus(encodeMbus({ ...content, segment: number, fin, data: Uint8Array.from(data) }));
  const join = (...frames: readonly MbusFrame[]): (string | undefined)[] => {
    const segments = new MbusSegments(1000);
    return frames
      .flatMap((frame) => segments.take(frame))
      .map((joined) => (joined.kind === 'whole' ? toHex(joined.octets) : joined.kind));
  };
  test('are joined up to the last one', () => {
    expect(join(segment(0, false, 1), segment(1, false, 2), segment(2, true, 3))).toEqual([
      'segment',
      'segment',
      '010203',
    ]);
    expect(join(segment(0, true, 1), segment(0, true, 2))).toEqual(['01', '02']);
  });
  test('a missing one breaks the APDU, the next is whole again', () => {
    expect(join(segment(0, false, 1), segment(2, true, 3), segment(0, true, 4))).toEqual(['segment', 'broken', '04']);
    expect(join(segment(1, true, 3), segment(0, true, 4))).toEqual(['broken', '04']);
  });
  test('a new APDU before the end of the old one', () => {
    expect(join(segment(0, false, 1), segment(0, true, 4))).toEqual(['segment', 'broken', '04']);
  });
  test('numbers go round after 15', () => {
    const frames = Array.from({ length: 20 }, (_, index) => segment(index % 16, index === 19, index));
    expect(join(...frames).at(-1)).toBe('000102030405060708090a0b0c0d0e0f10111213');
  });
  test('are bounded', () => {
    const segments = new MbusSegments(5);
    expect(segments.take(segment(0, false, 1, 2, 3))).toEqual([{ kind: 'segment' }]);
    expect(segments.pending).toBe(3);
    expect(segments.take(segment(1, false, 1, 2, 3))).toMatchObject([{ kind: 'broken', octets: 6 }]);
    expect(segments.began).toBe(false);
  });
});
