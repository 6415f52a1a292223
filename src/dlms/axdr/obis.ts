/** OBIS codes, the logical names of COSEM objects (IEC 62056-61). Inside: dotted text of six value groups, `1.0.1.8.0.255`. */
import type { ByteReader, ByteWriter } from '../../core/bytes.ts';
import { fail } from '../../core/errors.ts';

const GROUPS = 6;
/** `1-0:1.8.0*255`, `1-0:1.8.0.255`, `1-0:1.8.0` (then F is 255) and `1.0.1.8.0.255`. */
const WRITTEN = /^(\d{1,3})([-.])(\d{1,3})([:.])(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:[.*&](\d{1,3}))?$/;

/** The canonical dotted text of an OBIS code as people write it; throws INVALID_VALUE. */
export function parseObis(text: string): string {
  const match = WRITTEN.exec(text.trim());
  const [, a, afterA, b, afterB, c, d, e, f] = match ?? [];
  const dotted = afterA === '.' && afterB === '.';
  const edition = afterA === '-' && afterB === ':';
  if (match === null || !(edition || (dotted && f !== undefined))) {
    return fail('INVALID_VALUE', `"${text.slice(0, 40)}" is no OBIS code: write 1-0:1.8.0*255 or 1.0.1.8.0.255`);
  }
  const groups = [a, b, c, d, e, f ?? '255'].map(Number);
  const wrong = groups.find((group) => group > 255);
  if (wrong !== undefined) return fail('INVALID_VALUE', `"${text}" is no OBIS code: ${wrong} is more than 255`);
  return groups.join('.');
}

/** Six octets from canonical dotted text. */
export function obisBytes(obis: string): Uint8Array {
  const groups = obis.split('.').map(Number);
  if (groups.length !== GROUPS || groups.some((group) => !Number.isInteger(group) || group < 0 || group > 255)) {
    return fail('INVALID_VALUE', `"${obis.slice(0, 40)}" is no canonical OBIS code`);
  }
  return Uint8Array.from(groups);
}

/** Canonical dotted text from six octets; throws MALFORMED for any other number of them. */
export function obisText(octets: Uint8Array): string {
  if (octets.length !== GROUPS) {
    return fail('MALFORMED', `a logical name has 6 octets, not ${octets.length}`, { layer: 'cosem' });
  }
  return `${octets[0]}.${octets[1]}.${octets[2]}.${octets[3]}.${octets[4]}.${octets[5]}`;
}

export function decodeObis(reader: ByteReader): string {
  return obisText(reader.take(GROUPS, 'logical name'));
}

export function encodeObis(writer: ByteWriter, obis: string): void {
  writer.bytes(obisBytes(obis));
}
