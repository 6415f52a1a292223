/** One HDLC frame: addresses, check sequences, control, format; every vector whole, cut and embedded. */
import { describe, expect, test } from 'vitest';
import { concat, fromHex, toHex } from '../../src/core/bytes.ts';
import { BridgeError } from '../../src/core/errors.ts';
import {
  answersFor,
  clientAddress,
  decodeAddress,
  encodeAddress,
  physicalFromSerialNumber,
  sameStation,
  serverAddress,
} from '../../src/dlms/hdlc/address.ts';
import { crc16, crcOctets } from '../../src/dlms/hdlc/crc.ts';
import { HdlcDeframer, type HdlcItem } from '../../src/dlms/hdlc/deframer.ts';
import { decodeControl, decodeFrame, encodeControl, encodeFrame } from '../../src/dlms/hdlc/frame.ts';
import { decodeFrameReject, encodeFrameReject } from '../../src/dlms/hdlc/parameters.ts';
import { bytesOf, isNegative, loadVectors, type Vector } from '../support/vectors.ts';

const vectors = loadVectors('hdlc');
const frames = vectors.filter((vector) => vector.context.unit === 'frame');
const good = frames.filter((vector) => !isNegative(vector));
const streams = vectors.filter((vector) => vector.context.unit === 'stream');

const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return error instanceof BridgeError ? error.code : `not a BridgeError: ${error}`;
  }
  return 'no error';
};

/** Everything a deframer says of octets that arrive in these portions. */
const deframe = (portions: readonly Uint8Array[]): HdlcItem[] => {
  const deframer = new HdlcDeframer();
  return [...portions.flatMap((portion) => deframer.push(portion)), ...deframer.flush()];
};
const framesIn = (items: readonly HdlcItem[]): string[] =>
  items.flatMap((item) => (item.kind === 'frame' ? [toHex(encodeFrame(item.frame))] : []));
const singly = (bytes: Uint8Array): Uint8Array[] => [...bytes].map((octet) => Uint8Array.of(octet));

describe('check sequence', () => {
  test('is CRC-16/X-25, low octet first', () => {
    expect(crc16(new TextEncoder().encode('123456789'))).toBe(0x906e);
    expect(toHex(crcOctets(crc16(fromHex('033f'))))).toBe('5bec');
  });
  test('leaves the residue F0B8 over data and check sequence', () => {
    const data = fromHex('a0070341935a64');
    expect(crc16(data) ^ 0xffff).toBe(0xf0b8);
  });
});

describe('addresses', () => {
  test.each(vectors.filter((vector) => vector.context.unit === 'address'))('$id', (vector) => {
    const address = decodeAddress(bytesOf(vector));
    expect(address).toMatchObject({ upper: vector.expect.upper, length: vector.expect.length });
    expect(address.lower).toBe(vector.expect.lower ?? null);
    expect(toHex(encodeAddress(address))).toBe(vector.hex);
  });
  test('the shortest form that fits is taken', () => {
    expect(serverAddress(1, null, null)).toEqual({ upper: 1, lower: null, length: 1 });
    expect(serverAddress(1, 17, null)).toEqual({ upper: 1, lower: 17, length: 2 });
    expect(serverAddress(1, 5481, null)).toEqual({ upper: 1, lower: 5481, length: 4 });
    expect(serverAddress(145, null, null)).toEqual({ upper: 145, lower: 0, length: 4 });
    expect(serverAddress(1, null, 4)).toEqual({ upper: 1, lower: 0, length: 4 });
  });
  test.each([
    ['a lower address in one octet', () => serverAddress(1, 17, 1)],
    ['fourteen bits in two octets', () => serverAddress(1, 200, 2)],
    ['fifteen bits', () => serverAddress(0x4000, null, null)],
    ['a client beyond seven bits', () => clientAddress(128)],
  ])('%s is refused', (_, make) => expect(codeOf(make)).toBe('INVALID_VALUE'));
  test('three octets do not exist', () => expect(codeOf(() => decodeAddress(fromHex('020203')))).toBe('MALFORMED'));
  test('the number of octets does not make another station', () => {
    expect(sameStation(decodeAddress(fromHex('0223')), decodeAddress(fromHex('00020023')))).toBe(true);
    expect(sameStation(serverAddress(1, 17, null), serverAddress(1, 18, null))).toBe(false);
  });
  test('anybody may answer an all-station address', () => {
    expect(answersFor(serverAddress(1, 0x7f, null), serverAddress(1, 18, null))).toBe(true);
    expect(answersFor(serverAddress(1, 0x3fff, null), serverAddress(2, 18, null))).toBe(false);
  });
  test('serial number to physical address', () => expect(physicalFromSerialNumber(12345678)).toBe(6678));
});

describe('control octet', () => {
  test('every octet encodes back to itself', () => {
    for (let octet = 0; octet < 256; octet += 1) expect(encodeControl(decodeControl(octet))).toBe(octet);
  });
  test.each([
    [0x93, 'SNRM', true],
    [0x73, 'UA', true],
    [0x53, 'DISC', true],
    [0x1f, 'DM', true],
    [0x97, 'FRMR', true],
    [0x03, 'UI', false],
    [0x13, 'UI', true],
    [0x15, 'RNR', true],
    [0x19, 'REJ', true],
  ] as const)('%i is %s', (octet, frameType, pollFinal) => {
    expect(decodeControl(octet)).toMatchObject({ frameType, pollFinal });
  });
});

test('FRMR names what was refused', () => {
  expect(decodeFrameReject(encodeFrameReject(0x10, 3, 5, 0x05))).toEqual({
    rejectedFrameType: 'I',
    vs: 3,
    vr: 5,
    reasons: ['unknown control field', 'information field too long'],
  });
});

describe('frames', () => {
  test.each(good)('$id encodes back to its octets', (vector) => {
    expect(toHex(encodeFrame(decodeFrame(bytesOf(vector))))).toBe(vector.hex);
  });
  test.each(frames.filter(isNegative))('$id is refused', (vector) => {
    expect(['MALFORMED', 'TRUNCATED', 'CHECKSUM_WRONG', 'TRAILING_BYTES']).toContain(
      codeOf(() => decodeFrame(bytesOf(vector))),
    );
  });
  test('7E inside the check sequence is no flag', () => {
    const bytes = fromHex('7ea01b0300023c4752d551e6e700c401c10009060100202000ff7e8c7e');
    expect(framesIn(deframe([bytes]))).toEqual([toHex(bytes)]);
    expect(decodeFrame(bytes).fcs).toBe(0x8c7e);
  });
  test.each(good)('$id: truncated at every offset', (vector) => {
    const bytes = bytesOf(vector);
    for (let cut = 0; cut < bytes.length; cut += 1) {
      expect(codeOf(() => decodeFrame(bytes.subarray(0, cut)))).not.toBe('no error');
      const items = deframe([bytes.subarray(0, cut)]);
      expect(framesIn(items)).toEqual([]);
    }
  });
  test('a frame longer than eleven bits is refused', () => {
    const address = clientAddress(1);
    const content = { destination: address, source: address, segmented: false } as const;
    const information = new Uint8Array(2040);
    const control = { frameType: 'UI', pollFinal: true } as const;
    expect(codeOf(() => encodeFrame({ ...content, control, information }))).toBe('LIMIT_EXCEEDED');
  });
});

describe('deframer', () => {
  const expected = (vector: Vector): string[] =>
    (vector.expect.frames as readonly { fcs: string }[] | undefined)?.map(({ fcs }) => fcs) ?? [];
  const checks = (items: readonly HdlcItem[]): string[] =>
    items.flatMap((item) => (item.kind === 'frame' ? [toHex(crcOctets(item.frame.fcs))] : []));

  test.each(streams)('$id, whole and octet by octet', (vector) => {
    const bytes = bytesOf(vector);
    const whole = deframe([bytes]);
    expect(checks(whole)).toEqual(expected(vector));
    expect(deframe(singly(bytes))).toEqual(whole);
  });
  test.each(good)('$id octet by octet, between junk, behind half a frame', (vector) => {
    const bytes = bytesOf(vector);
    expect(framesIn(deframe(singly(bytes)))).toEqual([vector.hex]);
    const junk = fromHex('00ff7ea0 7e13 55');
    expect(framesIn(deframe([concat([junk, bytes, junk])]))).toEqual([vector.hex]);
    expect(framesIn(deframe([concat([bytes.subarray(0, bytes.length - 3), bytes])]))).toEqual([vector.hex]);
  });
  test('what belongs to no frame is told with offset and reason', () => {
    const frame = fromHex('7ea00801020110378d7e');
    const items = deframe([concat([fromHex('c3c4'), frame, fromHex('29121314')])]);
    expect(items).toMatchObject([
      { kind: 'discarded', discarded: { offset: 0, length: 2, reason: 'octets outside a frame' } },
      { kind: 'frame', offset: 2 },
      { kind: 'discarded', discarded: { offset: 12, length: 4 } },
    ]);
  });
  test('idle flags are not told', () => {
    const frame = fromHex('7ea00801020110378d7e');
    expect(deframe([concat([fromHex('7e7e7e'), frame, fromHex('7e7e')])]).map(({ kind }) => kind)).toEqual(['frame']);
  });
  test('a frame with a wrong FCS is told, and the frame behind it found', () => {
    const bad = fromHex(
      '7ea02dcf022313717c0801ff060000c52802020f00161e020309060100020802ff060000338102020f00161e58c07e',
    );
    const frame = fromHex('7ea00801020110378d7e');
    expect(deframe([concat([bad, frame])])).toMatchObject([
      { kind: 'discarded', discarded: { offset: 0, reason: 'the frame check sequence (FCS) is wrong' } },
      { kind: 'frame' },
    ]);
  });
  test('endless garbage is told in pieces and not kept', () => {
    const deframer = new HdlcDeframer();
    const garbage = Uint8Array.from({ length: 100_000 }, (_, index) => (index * 7919) >> 3);
    const pieces = [...deframer.push(garbage), ...deframer.flush()];
    const told = pieces.reduce((sum, item) => sum + (item.kind === 'discarded' ? item.discarded.length : 0), 0);
    expect(told).toBeGreaterThan(99_000);
    expect(deframer.flush()).toEqual([]);
  });
});
