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

/** Half a second on an idle machine; if the time rose with the square of the length it would be hours. */
const LONGEST_MS = 30_000;

test.each(Object.entries(FALSE_STARTS))('a megabyte of false frame starts: %s', (_, start) => {
  const octets = repeated(start, MEGABYTE);
  const deframer = new HdlcDeframer();
  const began = performance.now();
  const items = [...deframer.push(octets), ...deframer.flush()];
  expect(performance.now() - began).toBeLessThan(LONGEST_MS);
  expect(items.every(({ kind }) => kind === 'discarded')).toBe(true);
  expect(items.length).toBeLessThanOrEqual(MEGABYTE / 1024 + 1);
});

test('a megabyte of false frame starts is decoded, and told in few words', () => {
  const { discarded, error } = decodeBytes(repeated(fromHex('7ea7ff'), MEGABYTE), { input: 'auto' });
  expect(discarded.length).toBeLessThanOrEqual(MEGABYTE / 1024 + 1);
  expect(error?.code).toBe('MALFORMED');
});
