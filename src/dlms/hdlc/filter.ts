/**
 * Whose frame is it? Optical heads and two-wire converters echo what is sent; on a multi-drop line others talk too.
 * A frame from us to the meter is our own echo; one from the meter to us is meant; the rest belongs to others.
 *
 * When client and server have the same address (1 and 1 is common), direction does not show in the addresses. Then an
 * echo is known by its octets, once the line has shown that it echoes: a command (SNRM, DISC) can only be our own.
 */
import { sameBytes } from '../../core/bytes.ts';
import { answersFor, type HdlcAddress, sameStation } from './address.ts';
import { encodeFrame, type HdlcFrame } from './frame.ts';

export type Origin = 'meter' | 'echo' | 'other';

/** A burst is at most seven frames. */
const REMEMBERED = 8;

export class StationFilter {
  private readonly client: HdlcAddress;
  private readonly server: HdlcAddress;
  private readonly ambiguous: boolean;
  private recent: Uint8Array[] = [];
  private echoing = false;

  constructor(client: HdlcAddress, server: HdlcAddress) {
    this.client = client;
    this.server = server;
    this.ambiguous = sameStation(client, server);
  }

  /** Every frame that goes out. */
  sent(bytes: Uint8Array): void {
    if (this.ambiguous) this.recent = [...this.recent, bytes].slice(-REMEMBERED);
  }

  originOf(frame: HdlcFrame): Origin {
    const { destination, source } = frame;
    const forUs = sameStation(this.client, destination) && answersFor(this.server, source);
    const fromUs = sameStation(this.server, destination) && sameStation(this.client, source);
    if (forUs && fromUs) return this.echoOf(frame) ? 'echo' : 'meter';
    return fromUs ? 'echo' : forUs ? 'meter' : 'other';
  }

  /** Whether a frame of others may be the answer to what we asked: it names one of our two addresses. */
  concernsUs({ destination, source }: HdlcFrame): boolean {
    return sameStation(this.client, destination) || sameStation(this.server, source);
  }

  private echoOf(frame: HdlcFrame): boolean {
    const { frameType } = frame.control;
    if (!this.echoing && frameType !== 'SNRM' && frameType !== 'DISC') return false;
    const bytes = encodeFrame(frame);
    const at = this.recent.findIndex((sent) => sameBytes(sent, bytes));
    if (at < 0) return false;
    this.echoing = true;
    this.recent = this.recent.slice(at + 1);
    return true;
  }
}
