/**
 * The opening messages of IEC 62056-21 (6.3): request, identification, acknowledgement with option select. Characters have
 * seven bits; the parity bit is added and taken off elsewhere.
 *
 *   request           / ? address ! CR LF
 *   identification    / X X X Z [\ W] identification CR LF     XXX manufacturer, Z baud rate, W = 2: binary mode (HDLC)
 *   acknowledgement   ACK V Z Y CR LF                          V = 2 and Y = 2: HDLC, at the baud rate Z
 */
import { fail } from '../../core/errors.ts';

export interface ModeERequest {
  readonly kind: 'request';
  /** Of the device that shall answer; null calls any. */
  readonly address: string | null;
}

export interface ModeEIdentification {
  readonly kind: 'identification';
  /** Three letters of the FLAG association. */
  readonly manufacturer: string;
  /** The third letter is small: the device answers after 20 ms and may be answered so; else 200 ms. */
  readonly reactionTime20ms: boolean;
  readonly baudChar: string;
  /** null when the character stands for no rate. */
  readonly baudRate: number | null;
  /** The character behind a backslash; null without. Not part of the identification. */
  readonly escapeW: string | null;
  readonly identification: string;
  readonly announcesModeEHdlc: boolean;
}

export interface ModeEAcknowledgement {
  readonly kind: 'acknowledgement';
  /** V: 0 normal, 1 secondary, 2 HDLC. */
  readonly protocolControl: string;
  readonly baudChar: string;
  /** Y: 0 data readout, 1 programming, 2 binary. */
  readonly modeControl: string;
  readonly baudRate: number;
  /** false without CR LF, which some clients leave out. */
  readonly complete: boolean;
  readonly selectsHdlc: boolean;
}

export const INITIAL_BAUD_RATE = 300;
export const INITIAL_BAUD_CHARACTER = '0';

/** Modes C and E use digits, mode B letters. */
const BAUD_RATES: Readonly<Record<string, number>> = {
  0: 300,
  1: 600,
  2: 1200,
  3: 2400,
  4: 4800,
  5: 9600,
  6: 19200,
  A: 600,
  B: 1200,
  C: 2400,
  D: 4800,
  E: 9600,
  F: 19200,
};

const ACK = 0x06;
const HDLC = '2';
const CR_LF = '\r\n';
/** The standard allows 32. */
const ADDRESS = /^[\x20-\x7e]{1,32}$/;
const RESERVED_IN_ADDRESS = /[/!?]/;
/** The standard allows 16 characters of identification; meters send more. */
const IDENTIFICATION = /^\/([A-Za-z]{3})([\x20-\x7e])(?:\\([\x20-\x7e]))?([\x20-\x7e]{0,64})$/;
const OPTION_SELECT = /^([0-9])([0-9A-F])([0-9A-Z])(\r\n)?$/;

/** The rate that a baud rate identification character stands for, in bit/s; null for other characters. */
export function baudRateOf(character: string): number | null {
  return Object.hasOwn(BAUD_RATES, character) ? (BAUD_RATES[character] as number) : null;
}

/** Throws INVALID_VALUE for an address of more than 32 characters, or with `/`, `!` or `?`. */
export function encodeRequest(address: string | null): Uint8Array {
  if (address !== null && (!ADDRESS.test(address) || RESERVED_IN_ADDRESS.test(address))) {
    fail('INVALID_VALUE', `"${address.slice(0, 40)}" is no device address`, { layer: 'mode-e' });
  }
  return asciiOctets(`/?${address ?? ''}!${CR_LF}`);
}

/** Throws TRUNCATED or MALFORMED. */
export function decodeRequest(octets: Uint8Array): ModeERequest {
  const line = lineOf(octets, 'request');
  const inside = /^\/\?([^/!?]*)!$/.exec(line)?.[1];
  if (inside === undefined || (inside !== '' && !ADDRESS.test(inside))) {
    return fail('MALFORMED', 'a request is written /? address !', { layer: 'mode-e' });
  }
  return { kind: 'request', address: inside === '' ? null : inside };
}

/** Throws TRUNCATED or MALFORMED. */
export function decodeIdentification(octets: Uint8Array): ModeEIdentification {
  const line = lineOf(octets, 'identification');
  return (
    parseIdentification(line) ?? fail('MALFORMED', `"${line.slice(0, 80)}" is no identification`, { layer: 'mode-e' })
  );
}

/** From its line without CR LF; null when it is none. */
export function parseIdentification(line: string): ModeEIdentification | null {
  const match = IDENTIFICATION.exec(line);
  if (match === null) return null;
  const [, manufacturer = '', baudChar = '', escapeW = null, identification = ''] = match;
  return {
    kind: 'identification',
    manufacturer,
    reactionTime20ms: /[a-z]$/.test(manufacturer),
    baudChar,
    baudRate: baudRateOf(baudChar),
    escapeW,
    identification,
    announcesModeEHdlc: escapeW === HDLC,
  };
}

/** The acknowledgement that selects HDLC at the rate of the character. */
export function encodeHdlcSelection(baudChar: string): Uint8Array {
  return Uint8Array.of(ACK, ...asciiOctets(`${HDLC}${baudChar}${HDLC}${CR_LF}`));
}

/**
 * Throws TRUNCATED, MALFORMED: also for mode 2 with another protocol than 2, which does not select HDLC: meters answer it
 * with an ASCII readout.
 */
export function decodeAcknowledgement(octets: Uint8Array): ModeEAcknowledgement {
  const text = asciiText(octets.subarray(1));
  if (octets[0] !== ACK) fail('MALFORMED', 'an acknowledgement begins with ACK (06)', { layer: 'mode-e' });
  if (text.length < 3 || text.length === 4) {
    fail('TRUNCATED', `an acknowledgement has 6 octets, these are ${octets.length}`, { layer: 'mode-e' });
  }
  const [, protocolControl = '', baudChar = '', modeControl = '', end] = OPTION_SELECT.exec(text) ?? [];
  const baudRate = baudRateOf(baudChar);
  if (baudRate === null) return fail('MALFORMED', 'this is no option select message', { layer: 'mode-e' });
  const selectsHdlc = protocolControl === HDLC && modeControl === HDLC;
  if (modeControl === HDLC && !selectsHdlc) {
    fail('MALFORMED', `mode 2 with protocol ${protocolControl} does not select HDLC: the protocol must be 2`, {
      layer: 'mode-e',
    });
  }
  return {
    kind: 'acknowledgement',
    protocolControl,
    baudChar,
    modeControl,
    baudRate,
    complete: end !== undefined,
    selectsHdlc,
  };
}

/** The one line that octets are, without its CR LF. */
function lineOf(octets: Uint8Array, what: string): string {
  const text = asciiText(octets);
  const end = text.indexOf(CR_LF);
  if (end < 0) fail('TRUNCATED', `the ${what} does not end with CR LF`, { layer: 'mode-e' });
  if (end + CR_LF.length < text.length) {
    fail('TRAILING_BYTES', `octets follow the ${what}`, { layer: 'mode-e' });
  }
  return text.slice(0, end);
}

/** One character for each octet; those above 7F are none of ASCII and match nothing here. */
export function asciiText(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('latin1');
}

export function asciiOctets(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'latin1'));
}
