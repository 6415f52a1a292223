/**
 * Data messages of IEC 62056-21 (6.3.6 to 6.4): commands and answers with a block check character. The BCC is the exclusive
 * or of all octets behind the first SOH or STX, up to and including ETX or EOT (ISO/IEC 1155).
 *
 *   command   SOH C D [STX data] ETX BCC      answer   STX data ETX BCC
 */
import { fail } from '../../core/errors.ts';
import { asciiText } from './messages.ts';

const SOH = 0x01;
const STX = 0x02;
const ETX = 0x03;
/** Ends a block that is not the last one. */
const EOT = 0x04;
const COMMAND_LETTERS = 2;
/** A readout ends so. */
const READOUT = /!\r?\n$/;

export interface ModeEDataMessage {
  /** `readout`: an answer that is all of a data readout, its last line `!`. */
  readonly kind: 'command' | 'answer' | 'readout';
  /** Hex text. */
  readonly bcc: string;
  readonly bccValid: true;
  /** Letter and digit, as `P0`, `R1`, `W2`, `B0`; only in a command. */
  readonly command?: string;
  /** What stands between STX and ETX; null in a command without. */
  readonly data: string | null;
  /** EOT stands for ETX: more blocks follow. */
  readonly partial: boolean;
}

/** Whether octets begin as a data message. */
export function isDataMessage(octets: Uint8Array): boolean {
  return octets[0] === SOH || octets[0] === STX;
}

/** Throws TRUNCATED, TRAILING_BYTES, MALFORMED or CHECKSUM_WRONG. */
export function decodeDataMessage(octets: Uint8Array): ModeEDataMessage {
  const end = octets.findIndex((octet) => octet === ETX || octet === EOT);
  if (end < 0 || end + 1 >= octets.length) {
    fail('TRUNCATED', 'a data message ends with ETX and its check character', { layer: 'mode-e' });
  }
  if (end + 2 < octets.length) fail('TRAILING_BYTES', 'octets follow the data message', { layer: 'mode-e' });
  const bcc = octets[end + 1] as number;
  const computed = blockCheckCharacter(octets.subarray(1, end + 1));
  if (bcc !== computed) {
    fail('CHECKSUM_WRONG', `the block check character is ${hex(bcc)}, it should be ${hex(computed)}`, {
      layer: 'mode-e',
    });
  }
  const inside = octets.subarray(1, end);
  const check = { bcc: hex(bcc), bccValid: true, partial: octets[end] === EOT } as const;
  if (octets[0] === STX) {
    const data = asciiText(inside);
    return { kind: READOUT.test(data) ? 'readout' : 'answer', ...check, data };
  }
  if (octets[0] !== SOH) return fail('MALFORMED', 'a data message begins with SOH or STX', { layer: 'mode-e' });
  const command = asciiText(inside.subarray(0, COMMAND_LETTERS));
  if (!/^[A-Z][0-9]$/.test(command)) fail('MALFORMED', 'a command is a letter and a digit', { layer: 'mode-e' });
  if (inside.length === COMMAND_LETTERS) return { kind: 'command', ...check, command, data: null };
  if (inside[COMMAND_LETTERS] !== STX) fail('MALFORMED', 'STX must follow the command', { layer: 'mode-e' });
  return { kind: 'command', ...check, command, data: asciiText(inside.subarray(COMMAND_LETTERS + 1)) };
}

/** Exclusive or of the octets given: those behind SOH or STX, with ETX or EOT. */
export function blockCheckCharacter(octets: Uint8Array): number {
  return octets.reduce((check, octet) => check ^ octet, 0);
}

function hex(octet: number): string {
  return octet.toString(16).padStart(2, '0');
}
