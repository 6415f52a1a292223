/**
 * One HDLC frame of type 3 (Green Book 8.4.1, ISO/IEC 13239 annex H):
 * `7E | format 2 | destination 1..4 | source 1..4 | control 1 | HCS 2 | information | FCS 2 | 7E`.
 * The format field holds 0xA, the segmentation bit and an 11-bit length that counts everything between the flags.
 * Without an information field there is no HCS. There is no octet stuffing: 7E may stand anywhere between the flags.
 */
import { fail } from '../../core/errors.ts';
import { type AddressLength, addressLengthAt, decodeAddress, encodeAddress, type HdlcAddress } from './address.ts';
import { crcMatches, crcOctets } from './crc.ts';

export const FLAG = 0x7e;
/** Longest frame between its flags: eleven bits of length. */
export const MAX_FRAME_LENGTH = 0x7ff;
/** Format, two one-octet addresses, control, FCS. */
export const MIN_FRAME_LENGTH = 7;

/** Unnumbered control octets without the poll/final bit. */
const UNNUMBERED = { SNRM: 0x83, DISC: 0x43, UA: 0x63, DM: 0x0f, FRMR: 0x87, UI: 0x03 } as const;
/** Low nibble of the supervisory ones. */
const SUPERVISORY = { RR: 0x01, RNR: 0x05, REJ: 0x09 } as const;
const POLL_FINAL = 0x10;

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
  /** As transmitted; null without an information field. */
  readonly hcs: Uint8Array | null;
  readonly fcs: Uint8Array;
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

export function decodeControl(octet: number): HdlcControl {
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
    bytes.set(crcOctets(bytes, 1, 1 + header), 1 + header);
    bytes.set(information, 3 + header);
  }
  bytes.set(crcOctets(bytes, 1, length - 1), length - 1);
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
  return { frameFormatType: 3, segmented: (word & 0x0800) !== 0, length };
}

/** Where the parts of a header stand, counted from the format field. */
export interface HeaderLayout extends FrameFormat {
  readonly destinationLength: AddressLength;
  readonly sourceLength: AddressLength;
  /** Offset of the octet behind the control octet: HCS, or FCS when there is no information field. */
  readonly headerEnd: number;
}

/**
 * Reads the header that begins at `at`, as far as octets are there below `end`: null says that more are needed.
 * Throws MALFORMED or CHECKSUM_WRONG as soon as it is certain that no valid frame begins here.
 */
export function readHeader(bytes: Uint8Array, at: number, end: number): HeaderLayout | null {
  if (at + 2 > end) return null;
  const format = decodeFormat(bytes, at);
  const limit = Math.min(end, at + format.length);
  const destinationLength = addressLengthAt(bytes, at + 2, limit);
  if (destinationLength === 0) return incomplete(end, at + format.length);
  const sourceLength = addressLengthAt(bytes, at + 2 + destinationLength, limit);
  if (sourceLength === 0) return incomplete(end, at + format.length);
  const headerEnd = 2 + destinationLength + sourceLength + 1;
  const behind = format.length - headerEnd;
  if (behind < 2 || behind === 3) {
    fail('MALFORMED', `a frame length of ${format.length} does not fit a header of ${headerEnd} octets`, {
      layer: 'hdlc',
    });
  }
  if (behind > 2) {
    if (at + headerEnd + 2 > end) return null;
    if (!crcMatches(bytes, at, at + headerEnd)) fail('CHECKSUM_WRONG', 'the header check sequence (HCS) is wrong');
  } else if (at + headerEnd > end) return null;
  return { ...format, destinationLength, sourceLength, headerEnd };
}

function incomplete(end: number, frameEnd: number): null {
  if (end >= frameEnd) fail('MALFORMED', 'the frame ends inside an address', { layer: 'hdlc' });
  return null;
}

/**
 * Decodes what stands between the flags; `bytes[at]` is the first octet of the format field, and `layout` was read there.
 * Nothing of the result refers to `bytes`. Throws CHECKSUM_WRONG for a wrong FCS.
 */
export function decodeBody(bytes: Uint8Array, at: number, layout: HeaderLayout): HdlcFrame {
  const { frameFormatType, segmented, length, destinationLength, sourceLength, headerEnd } = layout;
  if (!crcMatches(bytes, at, at + length - 2)) fail('CHECKSUM_WRONG', 'the frame check sequence (FCS) is wrong');
  const part = (from: number, to: number): Uint8Array => Uint8Array.prototype.slice.call(bytes, at + from, at + to);
  const hasInformation = length - headerEnd > 2;
  return {
    frameFormatType,
    segmented,
    length,
    destination: decodeAddress(part(2, 2 + destinationLength)),
    source: decodeAddress(part(2 + destinationLength, 2 + destinationLength + sourceLength)),
    control: decodeControl(bytes[at + headerEnd - 1]!),
    hcs: hasInformation ? part(headerEnd, headerEnd + 2) : null,
    information: hasInformation ? part(headerEnd + 2, length - 2) : null,
    fcs: part(length - 2, length),
  };
}

/** Decodes exactly one frame with its flags. Throws MALFORMED, TRUNCATED, TRAILING_BYTES or CHECKSUM_WRONG. */
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
  const layout = readHeader(bytes, 1, 1 + length);
  if (layout === null) return fail('MALFORMED', 'the frame ends inside its header', { layer: 'hdlc' });
  return decodeBody(bytes, 1, layout);
}
