/**
 * Finds frames in a stream of octets, however the stream is cut: what HDLC, the wrapper and M-Bus have in common.
 *
 * A framing is one pure function, its probe: given the octets from some place on, it says that a frame begins there,
 * that more octets are needed to tell, or how many to pass over. Octets that belong to no frame come out as `discarded`,
 * neighbours joined. What is held is bounded by the longest frame.
 *
 * Octets are copied once, into a buffer that is only ever appended to; when it is full, another one takes its place. So
 * frames may refer to it for good. Until enough octets are there to go on, a portion costs nothing but its copy.
 */
import type { Discarded } from './link.ts';

export type Probe<Frame> =
  /** A frame that ends after `length` octets; it may refer to the octets given. */
  | { readonly kind: 'frame'; readonly frame: Frame; readonly length: number }
  /** It is useless to look again before so many octets are there. `idle`: if they never come, the first was idle fill. */
  | { readonly kind: 'need'; readonly octets: number; readonly idle: boolean }
  /** No frame begins here. Without a reason the octets are idle fill, and not reported. */
  | { readonly kind: 'skip'; readonly length: number; readonly reason: string | null };

/** Looks at `octets[start..end)`, never empty. `afterFrame`: the octet before these was the last of a frame. */
export type ProbeFunction<Frame> = (
  octets: Uint8Array,
  start: number,
  end: number,
  afterFrame: boolean,
) => Probe<Frame>;

export type DeframerItem<Frame> =
  | { readonly kind: 'frame'; readonly frame: Frame /** Of its first octet in the stream. */; readonly offset: number }
  | { readonly kind: 'discarded'; readonly discarded: Discarded };

/** A longer run of junk is reported in pieces. */
const LONGEST_RUN = 1024;
const SMALL_BUFFER = 1024;
const NO_OCTETS = new Uint8Array(0);
const NOTHING: readonly never[] = [];

export class Deframer<Frame> {
  private readonly probe: ProbeFunction<Frame>;
  private readonly longest: number;
  private buffer: Uint8Array = NO_OCTETS;
  /** `buffer[start..end)` is held; what is before belongs to frames that were given out. */
  private start = 0;
  private end = 0;
  /** Offset in the stream of `buffer[0]`. */
  private base = 0;
  /** Until `end` comes here it is useless to look at what is held. */
  private wake = 1;
  private afterFrame = false;
  private run: { offset: number; length: number; reason: string } | null = null;

  /** `longest`: octets of the longest frame; the probe never needs more. */
  constructor(probe: ProbeFunction<Frame>, longest: number) {
    this.probe = probe;
    this.longest = longest;
  }

  /** Takes octets in any portion; returns the frames that became complete and what was left out between them. */
  push(bytes: Uint8Array): readonly DeframerItem<Frame>[] {
    const at = this.end;
    const end = at + bytes.length;
    if (end > this.buffer.length) return this.pushIntoNew(bytes);
    if (bytes.length === 1) this.buffer[at] = bytes[0]!;
    else this.buffer.set(bytes, at);
    this.end = end;
    return end < this.wake ? NOTHING : this.scan();
  }

  private scan(): readonly DeframerItem<Frame>[] {
    const items: DeframerItem<Frame>[] = [];
    while (this.end >= this.wake && this.step(items));
    // An idle line holds nothing, whatever it carried before.
    if (this.start === this.end && this.buffer.length > SMALL_BUFFER) this.replaceBuffer(NO_OCTETS);
    return items;
  }

  /** Gives up waiting for the rest of a frame: at a time-out, or at the end of a capture. Nothing is held afterwards. */
  flush(): readonly DeframerItem<Frame>[] {
    const items: DeframerItem<Frame>[] = [];
    while (this.end > this.start) this.step(items, true);
    this.endRun(items);
    return items;
  }

  /** False: more octets are needed. */
  private step(items: DeframerItem<Frame>[], last = false): boolean {
    const found = this.probe(this.buffer, this.start, this.end, this.afterFrame);
    if (found.kind === 'need') {
      this.wake = this.start + found.octets;
      if (last) this.skip(items, 1, found.idle ? null : 'the frame is incomplete');
      return false;
    }
    if (found.kind === 'skip') this.skip(items, found.length, found.reason);
    else {
      if (this.run !== null) this.endRun(items);
      items.push({ kind: 'frame', frame: found.frame, offset: this.base + this.start });
      this.advance(found.length);
      this.afterFrame = true;
    }
    return true;
  }

  private skip(items: DeframerItem<Frame>[], length: number, reason: string | null): void {
    if (reason !== null) {
      const position = this.base + this.start;
      if (this.run !== null && this.run.offset + this.run.length !== position) this.endRun(items);
      if (this.run === null) this.run = { offset: position, length, reason };
      else this.run.length += length;
      if (this.run.length >= LONGEST_RUN) this.endRun(items);
    }
    this.advance(length);
  }

  private advance(length: number): void {
    this.start += length;
    this.wake = this.start + 1;
    this.afterFrame = false;
  }

  private endRun(items: DeframerItem<Frame>[]): void {
    if (this.run !== null) items.push({ kind: 'discarded', discarded: { ...this.run } });
    this.run = null;
  }

  /** Begins a buffer with what is held and room for these octets, and for the rest of the frame begun. */
  private pushIntoNew(bytes: Uint8Array): readonly DeframerItem<Frame>[] {
    const room = Math.max(this.end - this.start + bytes.length, Math.min(this.wake - this.start, this.longest));
    const other = new Uint8Array(Math.max(SMALL_BUFFER, room));
    other.set(this.buffer.subarray(this.start, this.end));
    this.replaceBuffer(other);
    return this.push(bytes);
  }

  private replaceBuffer(other: Uint8Array): void {
    this.base += this.start;
    this.end -= this.start;
    this.wake -= this.start;
    this.start = 0;
    this.buffer = other;
  }
}
