/**
 * The numbered information transfer (ISO/IEC 13239, 5.6; Green Book 8.4.5.4): both halves, for either end of a link.
 * Frames are numbered modulo 8. A sender may have a window of them unacknowledged; N(R) acknowledges all before it.
 */
import { concat } from '../../core/bytes.ts';

const MODULUS = 8;

export interface NumberedSegment {
  readonly ns: number;
  readonly information: Uint8Array;
  /** More segments of the same APDU follow. */
  readonly segmented: boolean;
  /** The last of a burst carries the poll or final bit. */
  readonly pollFinal: boolean;
}

/** Sends one APDU after the other, each in bursts of at most a window, and keeps what is not acknowledged. */
export class SegmentSender {
  /** Unacknowledged and unsent segments, the oldest first. */
  private segments: readonly Uint8Array[] = [];
  /** APDUs that wait until the peer has those before them. */
  private waiting: (readonly Uint8Array[])[] = [];
  private inFlight = 0;
  private oldest = 0;
  private window = 1;

  /** V(S): the number of the next new frame. */
  get vs(): number {
    return (this.oldest + this.inFlight) % MODULUS;
  }
  get unacknowledged(): number {
    return this.inFlight;
  }
  get unsent(): number {
    return this.segments.length - this.inFlight;
  }

  get waits(): boolean {
    return this.waiting.length > 0;
  }
  /** Nothing is on its way. */
  get isIdle(): boolean {
    return this.segments.length === 0;
  }

  /** A new link: numbers begin at 0. */
  reset(window: number): void {
    this.segments = [];
    this.waiting = [];
    this.inFlight = 0;
    this.oldest = 0;
    this.window = window;
  }

  enqueue(segments: readonly Uint8Array[]): void {
    this.waiting.push(segments);
  }

  /** Goes on to the next APDU; the one before counts as acknowledged. */
  next(): void {
    this.finish();
    this.segments = this.waiting.shift() ?? [];
  }

  /** Forgets the APDUs that wait. */
  clear(): void {
    this.waiting = [];
  }

  /** Takes everything in flight as acknowledged and forgets what was not sent of it. */
  finish(): void {
    this.oldest = this.vs;
    this.inFlight = 0;
    this.segments = [];
  }

  /** The next new segments that the window allows; they are in flight from now on. */
  burst(): NumberedSegment[] {
    const count = Math.min(this.window - this.inFlight, this.unsent);
    const frames = Array.from({ length: Math.max(0, count) }, (_, index) => {
      const at = this.inFlight + index;
      return {
        ns: (this.oldest + at) % MODULUS,
        information: this.segments[at] as Uint8Array,
        segmented: at < this.segments.length - 1,
        pollFinal: index === count - 1,
      };
    });
    this.inFlight += frames.length;
    return frames;
  }

  /** Everything unacknowledged counts as unsent again. */
  rewind(): void {
    this.inFlight = 0;
  }

  /** Takes an N(R). Returns how many frames it acknowledges; one outside the window acknowledges none. */
  acknowledge(nr: number): number {
    const count = (nr - this.oldest + MODULUS) % MODULUS;
    if (count > this.inFlight) return 0;
    this.oldest = nr;
    this.inFlight -= count;
    this.segments = this.segments.slice(count);
    return count;
  }
}

export type Accepted =
  /** In sequence, more to come. */
  | { readonly kind: 'segment' }
  /** In sequence, and the APDU is whole. */
  | { readonly kind: 'whole'; readonly information: Uint8Array }
  /** Seen before. */
  | { readonly kind: 'duplicate' }
  /** A frame before this one is missing. */
  | { readonly kind: 'gap' }
  | { readonly kind: 'too-long' };

/** Takes segments in sequence and joins them; bounded. */
export class SegmentReceiver {
  /** V(R): the number of the frame that is expected next. */
  vr = 0;
  private parts: Uint8Array[] = [];
  private size = 0;
  private window = 1;
  private readonly limit: number;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Whether a first segment is here and its last is not. */
  get began(): boolean {
    return this.parts.length > 0;
  }

  reset(window: number): void {
    this.vr = 0;
    this.parts = [];
    this.size = 0;
    this.window = window;
  }

  accept(ns: number, segmented: boolean, information: Uint8Array): Accepted {
    const ahead = (ns - this.vr + MODULUS) % MODULUS;
    if (ahead > 0) return { kind: ahead <= this.window ? 'gap' : 'duplicate' };
    if (this.size + information.length > this.limit) return { kind: 'too-long' };
    this.vr = (this.vr + 1) % MODULUS;
    this.parts.push(information);
    this.size += information.length;
    if (segmented) return { kind: 'segment' };
    const whole = concat(this.parts);
    this.parts = [];
    this.size = 0;
    return { kind: 'whole', information: whole };
  }
}
