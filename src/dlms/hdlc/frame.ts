/**
 * One HDLC frame of type 3 (Green Book 8.4.1, ISO/IEC 13239 annex H):
 * `7E | format 2 | destination 1..4 | source 1..4 | control 1 | HCS 2 | information | FCS 2 | 7E`.
 * The format field holds 0xA, the segmentation bit and an 11-bit length that counts everything between the flags.
 * Without an information field there is no HCS. There is no octet stuffing: 7E may stand anywhere between the flags.
 */
import { fail } from '../../core/errors.ts';
import { type AddressLength, addressAt, addressLengthAt, encodeAddress, type HdlcAddress } from './address.ts';
import { CRC_START, crc16, crcMatches, crcOctets, crcRegister } from './crc.ts';

export const FLAG = 0x7e;
/** Longest frame between its flags: eleven bits of length. */
export const MAX_FRAME_LENGTH = 0x7ff;
/** Format, two one-octet addresses, control, FCS. */
export const MIN_FRAME_LENGTH = 7;
/** The same with its flags. */
const SHORTEST = MIN_FRAME_LENGTH + 2;

/** Unnumbered control octets without the poll/final bit. */
const UNNUMBERED = { SNRM: 0x83, DISC: 0x43, UA: 0x63, DM: 0x0f, FRMR: 0x87, UI: 0x03 } as const;
/** Low nibble of the supervisory ones. */
const SUPERVISORY = { RR: 0x01, RNR: 0x05, REJ: 0x09 } as const;
const POLL_FINAL = 0x10;
const SEGMENTED = 0x0800;

export type HdlcControl =
  | { readonly frameType: 'I'; readonly ns: number; readonly nr: number; readonly pollFinal: boolean }
  | { readonly frameType: keyof typeof SUPERVISORY; readonly nr: number; readonly pollFinal: boolean }
  | { readonly frameType: keyof typeof UNNUMBERED; readonly pollFinal: boolean }
  /** A control octet that this protocol does not know. */
  | { readonly frameType: 'unknown'; readonly octet: number; readonly pollFinal: boolean };

export type HdlcFrameType = HdlcControl['frameType'];

/** What a sender decides; lengths and check sequences follow from it. */
export interface HdlcFrameContent {
  readonly destination: HdlcAddress;
  readonly source: HdlcAddress;
  readonly control: HdlcControl;
  readonly segmented: boolean;
  readonly information: Uint8Array | null;
}

/** A frame as it was received, both check sequences right. */
export interface HdlcFrame extends HdlcFrameContent {
  readonly frameFormatType: 3;
  /** Octets between the flags. */
  readonly length: number;
  /** Null without an information field. */
  readonly hcs: number | null;
  readonly fcs: number;
}

export interface FrameFormat {
  readonly frameFormatType: 3;
  readonly segmented: boolean;
  readonly length: number;
}

export function encodeControl(control: HdlcControl): number {
  const pollFinal = control.pollFinal ? POLL_FINAL : 0;
  switch (control.frameType) {
    case 'I':
      return (control.nr << 5) | pollFinal | (control.ns << 1);
    case 'RR':
    case 'RNR':
    case 'REJ':
      return (control.nr << 5) | pollFinal | SUPERVISORY[control.frameType];
    case 'unknown':
      return control.octet;
    default:
      return UNNUMBERED[control.frameType] | pollFinal;
  }
}

/** What each control octet says: looked up for every frame that comes. */
const CONTROLS: readonly HdlcControl[] = Array.from({ length: 256 }, (_, octet): HdlcControl => {
  const pollFinal = (octet & POLL_FINAL) !== 0;
  const nr = octet >> 5;
  if ((octet & 1) === 0) return { frameType: 'I', ns: (octet >> 1) & 7, nr, pollFinal };
  for (const [frameType, code] of Object.entries(SUPERVISORY)) {
    if ((octet & 0x0f) === code) return { frameType: frameType as keyof typeof SUPERVISORY, nr, pollFinal };
  }
  for (const [frameType, code] of Object.entries(UNNUMBERED)) {
    if ((octet & ~POLL_FINAL) === code) return { frameType: frameType as keyof typeof UNNUMBERED, pollFinal };
  }
  return { frameType: 'unknown', octet, pollFinal };
});

export function decodeControl(octet: number): HdlcControl {
  return CONTROLS[octet & 0xff] as HdlcControl;
}

/** The octets of a frame, flags included. Throws LIMIT_EXCEEDED when eleven bits cannot hold its length. */
export function encodeFrame({ destination, source, control, segmented, information }: HdlcFrameContent): Uint8Array {
  const header = 2 + destination.length + source.length + 1;
  const length = header + 2 + (information === null ? 0 : information.length + 2);
  if (length > MAX_FRAME_LENGTH) {
    fail('LIMIT_EXCEEDED', `an HDLC frame holds ${MAX_FRAME_LENGTH} octets, not ${length}`, { layer: 'hdlc' });
  }
  const bytes = new Uint8Array(length + 2);
  bytes[0] = FLAG;
  bytes[1] = 0xa0 | (segmented ? 0x08 : 0) | (length >> 8);
  bytes[2] = length & 0xff;
  bytes.set(encodeAddress(destination), 3);
  bytes.set(encodeAddress(source), 3 + destination.length);
  bytes[header] = encodeControl(control);
  if (information !== null) {
    bytes.set(crcOctets(crc16(bytes, 1, 1 + header)), 1 + header);
    bytes.set(information, 3 + header);
  }
  bytes.set(crcOctets(crc16(bytes, 1, length - 1)), length - 1);
  bytes[length + 1] = FLAG;
  return bytes;
}

/** Decodes the two octets of a frame format field at `at`. Throws MALFORMED for another type than 3 or a length too small. */
export function decodeFormat(bytes: Uint8Array, at = 0): FrameFormat {
  if (at + 2 > bytes.length) fail('TRUNCATED', 'the frame format field has two octets', { layer: 'hdlc' });
  const word = (bytes[at]! << 8) | bytes[at + 1]!;
  if (word >> 12 !== 0xa) {
    fail('MALFORMED', `0x${(word >> 8).toString(16).padStart(2, '0')} is no frame format of type 3 (0xA0 to 0xAF)`, {
      layer: 'hdlc',
    });
  }
  const length = word & MAX_FRAME_LENGTH;
  if (length < MIN_FRAME_LENGTH) {
    fail('MALFORMED', `a frame of ${length} octets cannot hold addresses, control and FCS`, { layer: 'hdlc' });
  }
  return { frameFormatType: 3, segmented: (word & SEGMENTED) !== 0, length };
}

export type FrameReading =
  | { readonly kind: 'frame'; readonly frame: HdlcFrame }
  /** It is useless to look again before so many octets are there, from the opening flag on. */
  | { readonly kind: 'need'; readonly octets: number }
  /** It is certain that no valid frame begins here. */
  | { readonly kind: 'fault'; readonly code: 'MALFORMED' | 'CHECKSUM_WRONG'; readonly reason: string };

/**
 * Reads the frame whose opening flag is `bytes[at]`, as far as octets are there below `end`. Faults are values, not
 * exceptions: a disturbed line makes thousands of them. The check sequences are computed in one pass.
 * The information field is a view of `bytes`.
 */
export function readFrame(bytes: Uint8Array, at: number, end: number): FrameReading {
  if (at + 2 > end) return need(2);
  if (bytes[at + 1]! >> 4 !== 0xa) return malformed('a flag without a frame format of type 3 behind it');
  if (at + SHORTEST > end) return need(SHORTEST);
  const word = (bytes[at + 1]! << 8) | bytes[at + 2]!;
  const length = word & MAX_FRAME_LENGTH;
  const whole = length + 2;
  if (length < MIN_FRAME_LENGTH) {
    return malformed(`a frame of ${length} octets cannot hold addresses, control and FCS`);
  }

  const destinationAt = at + 3;
  const destinationLength = addressLengthAt(bytes, destinationAt, end);
  if (destinationLength < 0) return malformed(WRONG_ADDRESS);
  const sourceAt = destinationAt + destinationLength;
  const sourceLength = destinationLength === 0 ? 0 : addressLengthAt(bytes, sourceAt, end);
  if (sourceLength < 0) return malformed(WRONG_ADDRESS);
  if (sourceLength === 0) return end - at < whole ? need(end - at + 1) : malformed('the frame ends inside an address');
  const headerEnd = sourceAt + sourceLength + 1;
  const check = at + 1 + length - 2;
  const hasInformation = check > headerEnd;
  if (check < headerEnd || check === headerEnd + 1) {
    return malformed(`a frame length of ${length} does not fit a header of ${headerEnd - at - 1} octets`);
  }
  if (hasInformation && headerEnd + 2 > end) return need(headerEnd + 2 - at);
  const header = crcRegister(CRC_START, bytes, at + 1, headerEnd);
  if (hasInformation && !crcMatches(header, bytes, headerEnd)) return WRONG_HCS;
  if (at + whole > end) return need(whole);
  if (bytes[check + 2] !== FLAG) return malformed('no flag after the declared frame length');
  if (!crcMatches(hasInformation ? crcRegister(header, bytes, headerEnd, check) : header, bytes, check)) {
    return WRONG_FCS;
  }
  return {
    kind: 'frame',
    frame: {
      frameFormatType: 3,
      segmented: (word & SEGMENTED) !== 0,
      length,
      destination: addressAt(bytes, destinationAt, destinationLength as AddressLength),
      source: addressAt(bytes, sourceAt, sourceLength as AddressLength),
      control: decodeControl(bytes[headerEnd - 1]!),
      hcs: hasInformation ? header ^ 0xffff : null,
      information: hasInformation
        ? new Uint8Array(bytes.buffer, bytes.byteOffset + headerEnd + 2, check - headerEnd - 2)
        : null,
      fcs: bytes[check]! | (bytes[check + 1]! << 8),
    },
  };
}

const WRONG_ADDRESS = 'an address has one, two or four octets';
const WRONG_HCS = {
  kind: 'fault',
  code: 'CHECKSUM_WRONG',
  reason: 'the header check sequence (HCS) is wrong',
} as const;
const WRONG_FCS = {
  kind: 'fault',
  code: 'CHECKSUM_WRONG',
  reason: 'the frame check sequence (FCS) is wrong',
} as const;

function need(octets: number): FrameReading {
  return { kind: 'need', octets };
}

function malformed(reason: string): FrameReading {
  return { kind: 'fault', code: 'MALFORMED', reason };
}

/**
 * Decodes exactly one frame with its flags; its information is a view of `bytes`.
 * Throws MALFORMED, TRUNCATED, TRAILING_BYTES or CHECKSUM_WRONG.
 */
export function decodeFrame(bytes: Uint8Array): HdlcFrame {
  if (bytes.length < 2 || bytes[0] !== FLAG) {
    fail('MALFORMED', 'a frame begins with the flag 7E', { layer: 'hdlc' });
  }
  const inside = bytes.length - 2;
  const { length } = decodeFormat(bytes, 1);
  if (inside < length || bytes[bytes.length - 1] !== FLAG) {
    const closed = bytes[bytes.length - 1] === FLAG ? '' : ' and no closing flag';
    fail('TRUNCATED', `the frame length says ${length}, ${inside} octets stand between the flags${closed}`, {
      layer: 'hdlc',
    });
  }
  if (inside > length) {
    fail('TRAILING_BYTES', `the frame length says ${length}, ${inside} octets stand between the flags`, {
      layer: 'hdlc',
    });
  }
  const reading = readFrame(bytes, 0, bytes.length);
  if (reading.kind === 'frame') return reading.frame;
  if (reading.kind === 'need') return fail('MALFORMED', 'the frame ends inside its header', { layer: 'hdlc' });
  return fail(reading.code, reading.reason, { layer: 'hdlc' });
}
