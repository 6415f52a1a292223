/**
 * Seven data bits with even parity (7E1) on a line that is set to 8N1: the parity bit is made and taken off here. Both have
 * ten bits a character, so the line need not be reopened between the sign-on (7E1) and HDLC (8N1): drivers ignore a change
 * of parity on an open port, and reopening pulses DTR.
 */
const PARITY = 0x80;
const SEVEN_BITS = 0x7f;

/** Octets with their parity bit, for the seven low bits. */
const WITH_PARITY = Uint8Array.from({ length: 128 }, (_, value) => (hasOddWeight(value) ? value | PARITY : value));

function hasOddWeight(value: number): boolean {
  let odd = false;
  for (let rest = value; rest !== 0; rest &= rest - 1) odd = !odd;
  return odd;
}

/** Sets bit 7 of every octet so that the number of ones is even. */
export function addEvenParity(octets: Uint8Array): Uint8Array {
  return octets.map((octet) => WITH_PARITY[octet & SEVEN_BITS] as number);
}

/** Clears bit 7 of every octet. */
export function stripParity(octets: Uint8Array): Uint8Array {
  return octets.map((octet) => octet & SEVEN_BITS);
}

/** Whether every octet has an even number of ones. */
export function hasEvenParity(octets: Uint8Array): boolean {
  return octets.every((octet) => WITH_PARITY[octet & SEVEN_BITS] === octet);
}
