/** HDLC as `decode` shows it: frames, and the parts of them that stand alone in the vectors. */
import { toHex } from '../../core/bytes.ts';
import { fail } from '../../core/errors.ts';
import { decodeAddress, encodeAddress, type HdlcAddress } from '../hdlc/address.ts';
import { crc16, crcOctets } from '../hdlc/crc.ts';
import { HdlcDeframer, type HdlcItem } from '../hdlc/deframer.ts';
import { decodeFormat, decodeFrame, encodeControl, type HdlcControl, type HdlcFrame } from '../hdlc/frame.ts';
import { splitLlc } from '../hdlc/llc.ts';
import { decodeFrameReject, decodeParameters } from '../hdlc/parameters.ts';
import { decodeAnyApdu } from './apdu.ts';
import { attempt } from './attempt.ts';
import { type JsonObject, presentObject } from './present.ts';

/** What `hex` of a vector is, when it is not a whole frame. */
const UNITS: Readonly<Record<string, (octets: Uint8Array) => JsonObject>> = {
  address: (octets) => ({ kind: 'address', ...presentAddress(decodeAddress(octets)) }),
  'frame-format': decodeFormatField,
  crc: (octets) => ({ crc: toHex(crcOctets(crc16(octets))) }),
  frame: (octets) => presentFrame(decodeFrame(octets)),
  stream: decodeStream,
};

/** Decodes octets of the HDLC layer; `unit` as in the vectors, a frame by default. Throws for malformed ones. */
export function decodeHdlc(octets: Uint8Array, unit = 'frame'): JsonObject {
  const decode = UNITS[unit];
  if (decode === undefined) return fail('UNSUPPORTED', `"${unit}" is no unit of HDLC`, { layer: 'hdlc' });
  return decode(octets);
}

export function presentFrame(frame: HdlcFrame): JsonObject {
  const { frameFormatType, segmented, length, destination, source, control, hcs, fcs, information } = frame;
  return presentObject({
    frameFormatType,
    segmented,
    length,
    destination: presentAddress(destination),
    source: presentAddress(source),
    control: presentControl(control),
    hcs: hcs === null ? null : crcOctets(hcs),
    // A frame with a wrong check sequence never gets here.
    hcsValid: hcs === null ? null : true,
    fcs: crcOctets(fcs),
    fcsValid: true,
    information,
    ...(information === null ? {} : meaningOf(frame, information)),
  });
}

/** All frames in the octets, and what was left out. */
export function deframe(octets: Uint8Array): HdlcItem[] {
  const deframer = new HdlcDeframer();
  return [...deframer.push(octets), ...deframer.flush()];
}

/** Why octets hold no frame at all. */
export function noFrame(items: readonly HdlcItem[]): never {
  const first = items.find((item) => item.kind === 'discarded');
  const why = first?.kind === 'discarded' ? `: ${first.discarded.reason}` : '';
  return fail('MALFORMED', `no valid HDLC frame${why}`, { layer: 'hdlc' });
}

function decodeStream(octets: Uint8Array): JsonObject {
  const items = deframe(octets);
  const frames = items.flatMap((item) => (item.kind === 'frame' ? [presentFrame(item.frame)] : []));
  if (frames.length === 0) noFrame(items);
  const discarded = items.flatMap((item) => (item.kind === 'discarded' ? [presentObject(item.discarded)] : []));
  return { frames, discarded };
}

function decodeFormatField(octets: Uint8Array): JsonObject {
  if (octets.length > 2) fail('TRAILING_BYTES', 'the frame format field has two octets', { layer: 'hdlc' });
  return presentObject(decodeFormat(octets));
}

function presentAddress(address: HdlcAddress): JsonObject {
  const { upper, lower, length } = address;
  return { hex: toHex(encodeAddress(address)), upper, lower, length };
}

function presentControl(control: HdlcControl): JsonObject {
  return { ...presentObject(control), hex: encodeControl(control).toString(16).padStart(2, '0') };
}

/** What the information field says, by the kind of frame. */
function meaningOf({ control, segmented }: HdlcFrame, information: Uint8Array): object {
  switch (control.frameType) {
    case 'SNRM':
    case 'UA': {
      const { value, error } = attempt(() => decodeParameters(information));
      return error === null ? { negotiation: value } : { negotiation: null, error };
    }
    case 'FRMR':
      return { reject: decodeFrameReject(information) };
    case 'I':
    case 'UI': {
      const { llc, rest } = splitLlc(information);
      if (llc === null) return {};
      // Only an unsegmented frame shows the whole APDU.
      return segmented ? { llc } : { llc, apduValid: attempt(() => decodeAnyApdu(rest)).error === null };
    }
    default:
      return {};
  }
}
