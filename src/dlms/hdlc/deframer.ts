/**
 * Finds HDLC frames in a stream of octets.
 *
 * A frame is found by its length, never by searching for the next 7E: nothing is stuffed, so 7E may stand in addresses,
 * information and check sequences. At a flag the header is read; once it is certain that no valid frame begins there
 * (format, addresses, HCS, a missing closing flag, FCS), the search goes on at the very next octet, so that a good frame
 * behind or inside a broken one is found. One flag may close a frame and open the next; flags in a row are idle fill.
 */
import { asBridgeError } from '../../core/errors.ts';
import { Deframer, type DeframerItem, type Probe } from '../deframer.ts';
import { decodeBody, FLAG, type HdlcFrame, MAX_FRAME_LENGTH, readHeader } from './frame.ts';

const FLAGS = 2;
/** High nibble of the frame format field. */
const FRAME_TYPE_3 = 0xa;

export type HdlcItem = DeframerItem<HdlcFrame>;

export class HdlcDeframer extends Deframer<HdlcFrame> {
  constructor() {
    super(probeHdlc, MAX_FRAME_LENGTH + FLAGS);
  }
}

/** `closed`: the octet before was the last of a frame, whose closing flag is still to come and may open the next. */
function probeHdlc(octets: Uint8Array, closed: boolean): Probe<HdlcFrame> {
  if (octets[0] !== FLAG) {
    const flag = octets.indexOf(FLAG);
    return { kind: 'skip', length: flag < 0 ? octets.length : flag, reason: 'octets outside a frame' };
  }
  if (octets.length < 2) return { kind: 'need', octets: 2, idle: true };
  if (octets[1] === FLAG) return { kind: 'skip', length: 1, reason: null };
  const nothing = (reason: string): Probe<HdlcFrame> => ({ kind: 'skip', length: 1, reason: closed ? null : reason });
  if (octets[1]! >> 4 !== FRAME_TYPE_3) return nothing('a flag without a frame format of type 3 behind it');
  try {
    const layout = readHeader(octets, 1, octets.length);
    if (layout === null) return { kind: 'need', octets: octets.length + 1, idle: closed };
    const whole = layout.length + FLAGS;
    if (octets.length < whole) return { kind: 'need', octets: whole, idle: closed };
    if (octets[whole - 1] !== FLAG) return nothing('no flag after the declared frame length');
    return { kind: 'frame', frame: decodeBody(octets, 1, layout), length: whole - 1 };
  } catch (error) {
    const known = asBridgeError(error);
    if (known.code === 'INTERNAL') throw error;
    return nothing(known.message);
  }
}
