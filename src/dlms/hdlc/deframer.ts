/**
 * Finds HDLC frames in a stream of octets.
 *
 * A frame is found by its length, never by searching for the next 7E: nothing is stuffed, so 7E may stand in addresses,
 * information and check sequences. At a flag the header is read; once it is certain that no valid frame begins there
 * (format, addresses, HCS, a missing closing flag, FCS), the search goes on at the very next octet, so that a good frame
 * behind or inside a broken one is found. One flag may close a frame and open the next; flags in a row are idle fill.
 */
import { Deframer, type DeframerItem, type Probe } from '../deframer.ts';
import { FLAG, type HdlcFrame, MAX_FRAME_LENGTH, readFrame } from './frame.ts';

const FLAGS = 2;

export type HdlcItem = DeframerItem<HdlcFrame>;

export class HdlcDeframer extends Deframer<HdlcFrame> {
  constructor() {
    super(probeHdlc, MAX_FRAME_LENGTH + FLAGS);
  }
}

const IDLE_FLAG = { kind: 'skip', length: 1, reason: null } as const;
const FLAG_ALONE = { kind: 'need', octets: 2, idle: true } as const;

/** `closed`: the octet before was the last of a frame, whose closing flag is still to come and may open the next. */
function probeHdlc(octets: Uint8Array, at: number, end: number, closed: boolean): Probe<HdlcFrame> {
  if (octets[at] !== FLAG) {
    const flag = octets.indexOf(FLAG, at);
    const next = flag < 0 || flag > end ? end : flag;
    return { kind: 'skip', length: next - at, reason: 'octets outside a frame' };
  }
  if (at + 1 >= end) return FLAG_ALONE;
  if (octets[at + 1] === FLAG) return IDLE_FLAG;
  const reading = readFrame(octets, at, end);
  // The closing flag stays: it may be the next opening one.
  if (reading.kind === 'frame') return { kind: 'frame', frame: reading.frame, length: reading.frame.length + 1 };
  if (reading.kind === 'need') return { kind: 'need', octets: reading.octets, idle: closed };
  return closed ? IDLE_FLAG : { kind: 'skip', length: 1, reason: reading.reason };
}
