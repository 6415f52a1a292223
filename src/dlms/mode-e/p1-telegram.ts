/**
 * Telegrams in ASCII that meters send unasked: mode D of IEC 62056-21 and the P1 port (DSMR). An identification line, an
 * empty line, data lines, and `!`; DSMR 4 and later have a check sequence behind it: CRC-16/ARC over everything from `/` to
 * `!`, in four hexadecimal digits.
 */
import { fail } from '../../core/errors.ts';
import { asciiText, parseIdentification } from './messages.ts';

export interface P1Telegram {
  readonly kind: 'p1-telegram';
  readonly identificationLine: string;
  /** Lines that are not empty, the first and the last one included. */
  readonly lineCount: number;
  /** As in the telegram; null in older ones, that have none. */
  readonly crcField: string | null;
  readonly crcComputed: string;
  readonly crcValid: boolean | null;
  /** Between identification and `!`. */
  readonly dataLines: readonly string[];
}

const POLYNOMIAL = 0xa001;
const SLASH = 0x2f;
const TELEGRAM = /^(\/[^\r\n]*)\r\n([\s\S]*?\r\n)!(?:([0-9A-Fa-f]{4})(?:\r\n)?|\r\n)$/;
const NOT_ASCII = /[^\t\r\n -~]/;

/** Whether octets are an identification line with more behind it. */
export function looksLikeTelegram(octets: Uint8Array): boolean {
  if (octets[0] !== SLASH) return false;
  const text = asciiText(octets);
  const end = text.indexOf('\r\n');
  return end >= 0 && end + 2 < text.length && parseIdentification(text.slice(0, end)) !== null;
}

/** A wrong check sequence is told, not refused. Throws MALFORMED, TRUNCATED or TRAILING_BYTES. */
export function decodeP1Telegram(octets: Uint8Array): P1Telegram {
  const text = asciiText(octets);
  const match = TELEGRAM.exec(text);
  if (match === null) return malformed(text);
  const [, identificationLine = '', content = '', crcField = null] = match;
  if (parseIdentification(identificationLine) === null || NOT_ASCII.test(content)) return malformed(text);
  const dataLines = content.split('\r\n').filter((line) => line !== '');
  const crcComputed = crc16Arc(octets.subarray(0, identificationLine.length + 2 + content.length + 1))
    .toString(16)
    .toUpperCase()
    .padStart(4, '0');
  return {
    kind: 'p1-telegram',
    identificationLine,
    lineCount: dataLines.length + 2,
    crcField,
    crcComputed,
    crcValid: crcField === null ? null : crcField.toUpperCase() === crcComputed,
    dataLines,
  };
}

function malformed(text: string): never {
  const ended = text.includes('\r\n!');
  return fail(ended ? 'MALFORMED' : 'TRUNCATED', ended ? 'this is no P1 telegram' : 'the telegram has no end (!)', {
    layer: 'mode-e',
  });
}

/** CRC-16/ARC: polynomial 8005 reflected, from 0. */
export function crc16Arc(octets: Uint8Array): number {
  let crc = 0;
  for (const octet of octets) {
    crc ^= octet;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ POLYNOMIAL;
  }
  return crc;
}
