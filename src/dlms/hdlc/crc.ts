/** The check sequences HCS and FCS: CRC-16/X-25 (ISO/IEC 13239, 4.2.5.2), transmitted low octet first. */

const POLYNOMIAL_REFLECTED = 0x8408;

const TABLE = Uint16Array.from({ length: 256 }, (_, octet) => {
  let crc = octet;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL_REFLECTED : crc >>> 1;
  return crc;
});

/** CRC-16/X-25 of `bytes[from..to)` as a number. */
export function crc16(bytes: Uint8Array, from = 0, to = bytes.length): number {
  let crc = 0xffff;
  for (let at = from; at < to; at += 1) crc = (crc >>> 8) ^ (TABLE[(crc ^ bytes[at]!) & 0xff] as number);
  return crc ^ 0xffff;
}

/** The check sequence in the order in which it is transmitted: low octet first. */
export function crcOctets(bytes: Uint8Array, from = 0, to = bytes.length): Uint8Array {
  const crc = crc16(bytes, from, to);
  return Uint8Array.of(crc & 0xff, crc >>> 8);
}

/** Whether the two octets at `at` are the check sequence of everything from `from` up to there. */
export function crcMatches(bytes: Uint8Array, from: number, at: number): boolean {
  return (bytes[at]! | (bytes[at + 1]! << 8)) === crc16(bytes, from, at);
}
