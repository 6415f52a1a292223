/** A sample of what `npm run bench` does with ten million inputs: only typed errors, no circles, bounded memory. */
import { expect, test } from 'vitest';
import { fromHex } from '../../src/core/bytes.ts';
import { decodeBytes } from '../../src/dlms/decode/bytes.ts';
import { crc16, crcOctets } from '../../src/dlms/hdlc/crc.ts';
import { HdlcDeframer } from '../../src/dlms/hdlc/deframer.ts';
import { fuzz } from '../support/fuzzing.ts';

test('random and mutated inputs', () => fuzz(28_000, 20260101));

const MEGABYTE = 1 << 20;
const repeated = (octets: Uint8Array, length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => octets[index % octets.length] ?? 0);
/** A header of the longest frame, its check sequence right: the worst that can be said without being a frame. */
const HEADER = fromHex('a7ff032110');
const FALSE_STARTS: Readonly<Record<string, Uint8Array>> = {
  'flags and format fields': fromHex('7ea7ff'),
  'headers whose HCS is right': Uint8Array.of(0x7e, ...HEADER, ...crcOctets(crc16(HEADER))),
  'short addresses that do not end': fromHex('7ea00a02020202'),
};

test.each(Object.entries(FALSE_STARTS))('twice the false frame starts take twice the time: %s', (_, start) => {
  const timeFor = (length: number): number => {
    const octets = repeated(start, length);
    const times = [0, 1, 2].map(() => {
      const began = performance.now();
      const deframer = new HdlcDeframer();
      deframer.push(octets);
      deframer.flush();
      return performance.now() - began;
    });
    return Math.min(...times);
  };
  timeFor(MEGABYTE / 4);
  // Squares would make it sixteen times.
  expect(timeFor(MEGABYTE)).toBeLessThan(10 * Math.max(5, timeFor(MEGABYTE / 4)));
});

test('a megabyte of false frame starts is decoded, and told in few words', () => {
  const { discarded, error } = decodeBytes(repeated(fromHex('7ea7ff'), MEGABYTE), { input: 'auto' });
  expect(discarded.length).toBeLessThanOrEqual(MEGABYTE / 1024 + 1);
  expect(error?.code).toBe('MALFORMED');
});
