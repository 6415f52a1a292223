/** Messages of IEC 62056-21 in a capture: a sign-on with what follows it, telegrams one behind the other. */
import { asciiText } from '../mode-e/messages.ts';
import { hasEvenParity, stripParity } from '../mode-e/parity.ts';
import { attempt } from './attempt.ts';
import type { Findings } from './findings.ts';
import { decodeModeE } from './mode-e.ts';
import { presentObject } from './present.ts';

/**
 * What messages look like, with their ends, control characters as their pictures; telegrams before the line they begin with.
 */
const SHAPES: readonly RegExp[] = [
  /\/\?[^\r\n]{0,64}\r\n/y,
  /\/[A-Za-z]{3}[ -~]{0,80}\r\n(?:(?![/!])[\t\n -~]*\r\n)+!(?:[0-9A-Fa-f]{4}(?:\r\n)?|\r\n)/y,
  /\/[A-Za-z]{3}[ -~]{0,80}\r\n/y,
  /␆[0-9][0-9A-F][0-9A-Z]\r\n/y,
  /[␁␂][␂\t\r\n -~]+[␃␄][\s\S]/y,
];
/** NUL wakes battery-operated devices (6.1); line ends stand between messages. */
const FILL = /[␀\r\n]*/y;
const NOT_PICTURED = '\t\r\n';
const PICTURES = 0x2400;

/** Seven-bit text in which every control character is one that can be seen. */
function pictured(octets: Uint8Array): string {
  return Array.from(asciiText(stripParity(octets)), (character) =>
    character < ' ' && !NOT_PICTURED.includes(character)
      ? String.fromCharCode(PICTURES + character.charCodeAt(0))
      : character,
  ).join('');
}

/**
 * Takes the messages with which octets begin and returns how many octets they are; 0 when none does. Parity bits in the
 * capture do not matter.
 */
export function takeModeE(octets: Uint8Array, findings: Findings): number {
  const text = pictured(octets);
  let taken = 0;
  for (;;) {
    const fill = lengthAt(FILL, text, taken);
    const at = taken + fill;
    const message = messageAt(octets, text, at);
    if (message === null) return taken === 0 ? 0 : at;
    const { value, error } = attempt(() => decodeModeE(message));
    // Data messages begin as Data does, and as other APDUs.
    const isCertain = taken > 0 || !'␁␂'.includes(text[at] ?? '');
    if (error !== null && !isCertain) return 0;
    if (fill > 0 && taken === 0) findings.discard({ offset: 0, length: fill, reason: 'characters before a message' });
    const place = { offset: at, length: message.length };
    findings.layer('mode-e', { ...place, ...(value ?? presentObject({ valid: false, hex: message, error })) });
    if (error !== null) findings.wrong(error);
    taken = at + message.length;
  }
}

/** The message that begins there, parity bits included; null for none. */
function messageAt(octets: Uint8Array, text: string, at: number): Uint8Array | null {
  for (const shape of SHAPES) {
    const length = lengthAt(shape, text, at);
    const message = octets.subarray(at, at + length);
    // A check character may be any octet.
    const isText = message.every((octet, index) => octet < 0x80 || index === length - 1);
    if (length > 0 && (isText || hasEvenParity(message))) return message;
  }
  return null;
}

function lengthAt(shape: RegExp, text: string, at: number): number {
  shape.lastIndex = at;
  return shape.exec(text)?.[0].length ?? 0;
}
