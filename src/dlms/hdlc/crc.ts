/** The check sequences HCS and FCS: CRC-16/X-25 (ISO/IEC 13239, 4.2.5.2), transmitted low octet first. */

const POLYNOMIAL_REFLECTED = 0x8408;

/** What the register holds before the first octet. */
export const CRC_START = 0xffff;

const BYTE_TABLE = Uint16Array.from({ length: 256 }, (_, octet) => {
  let crc = octet;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL_REFLECTED : crc >>> 1;
  return crc;
});

/** What an octet comes to once the octets of `table` more have followed it: four octets in one step need no carry. */
const oneLater = (table: Uint16Array): Uint16Array =>
  table.map((crc) => (crc >>> 8) ^ (BYTE_TABLE[crc & 0xff] as number));
const T0 = BYTE_TABLE;
const T1 = oneLater(T0);
const T2 = oneLater(T1);
const T3 = oneLater(T2);

/** The register after `bytes[from..to)`, if it held `crc` before: the FCS goes on where the HCS was taken. */
export function crcRegister(crc: number, bytes: Uint8Array, from: number, to: number): number {
  let register = crc;
  let at = from;
  for (; at + 4 <= to; at += 4) {
    register ^= bytes[at]! | (bytes[at + 1]! << 8);
    register = T3[register & 0xff]! ^ T2[register >>> 8]! ^ T1[bytes[at + 2]!]! ^ T0[bytes[at + 3]!]!;
  }
  for (; at < to; at += 1) register = (register >>> 8) ^ T0[(register ^ bytes[at]!) & 0xff]!;
  return register;
}

/** CRC-16/X-25 of `bytes[from..to)` as a number. */
export function crc16(bytes: Uint8Array, from = 0, to = bytes.length): number {
  return crcRegister(CRC_START, bytes, from, to) ^ 0xffff;
}

/** Whether the two octets at `at` are the check sequence that belongs to the register. */
export function crcMatches(register: number, bytes: Uint8Array, at: number): boolean {
  return (bytes[at]! | (bytes[at + 1]! << 8)) === (register ^ 0xffff);
}

/** A check sequence in the order in which it is transmitted: low octet first. */
export function crcOctets(crc: number): Uint8Array {
  return Uint8Array.of(crc & 0xff, crc >>> 8);
}
