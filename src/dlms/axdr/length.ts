/** Lengths and element counts of A-XDR (IEC 61334-6) and of BER in definite form: one octet, or 81..84 and a number. */
import type { ByteReader, ByteWriter } from '../../core/bytes.ts';

const LONG_FORM = 0x80;
const LONGEST_FORM = 4;

/** Reads a length. Longer forms than needed are taken as they are: meters send `82 00 7B`. */
export function decodeLength(reader: ByteReader): number {
  const first = reader.u8('length');
  if (first < LONG_FORM) return first;
  switch (first & 0x7f) {
    case 1:
      return reader.u8('length');
    case 2:
      return reader.u16('length');
    case 3:
      return reader.u8('length') * 0x10000 + reader.u16('length');
    case LONGEST_FORM:
      return reader.u32('length');
    case 0:
      return reader.fail('MALFORMED', 'an indefinite length (80) is not allowed');
    default:
      return reader.fail('LIMIT_EXCEEDED', `a length of ${first & 0x7f} octets`);
  }
}

/** Writes a length in its shortest form. */
export function encodeLength(writer: ByteWriter, length: number): void {
  if (length < LONG_FORM) writer.u8(length);
  else if (length <= 0xff) writer.u8(0x81).u8(length);
  else if (length <= 0xffff) writer.u8(0x82).u16(length);
  else if (length <= 0xffffff)
    writer
      .u8(0x83)
      .u8(length >>> 16)
      .u16(length & 0xffff);
  else writer.u8(0x84).u32(length);
}

/** Reads the count of a SEQUENCE OF; no element takes less than one octet, so the octets that are left bound it. */
export function decodeCount(reader: ByteReader, what: string): number {
  const count = decodeLength(reader);
  if (count > reader.remaining) {
    reader.fail('TRUNCATED', `${what} announces ${count} elements, only ${reader.remaining} octets are left`);
  }
  return count;
}

export function decodeOctetString(reader: ByteReader, what = 'octet-string'): Uint8Array {
  return reader.take(decodeLength(reader), what);
}

export function encodeOctetString(writer: ByteWriter, octets: Uint8Array): void {
  encodeLength(writer, octets.length);
  writer.bytes(octets);
}
