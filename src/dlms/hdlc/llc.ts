/** The LLC sublayer (Green Book 8.3): three octets before the APDU, in the first segment only. */
import { concat } from '../../core/bytes.ts';

export const LLC_COMMAND = Uint8Array.of(0xe6, 0xe6, 0x00);
export const LLC_RESPONSE = Uint8Array.of(0xe6, 0xe7, 0x00);
const LLC_LENGTH = 3;

export interface LlcParts {
  /** The header as transmitted, null when there is none. */
  readonly llc: Uint8Array | null;
  readonly rest: Uint8Array;
}

/** Takes the LLC header off, where there is one: some meters leave it out. */
export function splitLlc(information: Uint8Array): LlcParts {
  const has =
    information.length >= LLC_LENGTH &&
    information[0] === 0xe6 &&
    (information[1] === 0xe6 || information[1] === 0xe7) &&
    information[2] === 0x00;
  if (!has) return { llc: null, rest: information };
  return { llc: information.subarray(0, LLC_LENGTH), rest: information.subarray(LLC_LENGTH) };
}

/** The APDU with its LLC header in information fields of at most `length` octets. */
export function segmentsOf(llc: Uint8Array, apdu: Uint8Array, length: number): Uint8Array[] {
  const whole = concat([llc, apdu]);
  const segments: Uint8Array[] = [];
  for (let at = 0; at < whole.length; at += length) segments.push(whole.subarray(at, at + length));
  return segments;
}
