/**
 * Finds frames in a stream of octets, however the stream is cut: what HDLC and the wrapper have in common.
 *
 * A framing is one pure function, its probe: given the octets from some place on, it says that a frame begins there,
 * that more octets are needed to tell, or how many to pass over. Octets that belong to no frame come out as `discarded`,
 * neighbours joined. What is held is bounded by the longest frame.
 */
import type { Discarded } from './link.ts';

export type Probe<Frame> =
  /** A frame that ends after `length` octets; it must not refer to the octets given. */
  | { readonly kind: 'frame'; readonly frame: Frame; readonly length: number }
  /** It is useless to look again before so many octets are there. `idle`: if they never come, the first was idle fill. */
  | { readonly kind: 'need'; readonly octets: number; readonly idle: boolean }
  /** No frame begins here. Without a reason the octets are idle fill, and not reported. */
  | { readonly kind: 'skip'; readonly length: number; readonly reason: string | null };

/** `afterFrame`: the octet before these was the last of a frame. */
export type ProbeFunction<Frame> = (octets: Uint8Array, afterFrame: boolean) => Probe<Frame>;

export type DeframerItem<Frame> =
  | { readonly kind: 'frame'; readonly frame: Frame /** Of its first octet in the stream. */; readonly offset: number }
  | { readonly kind: 'discarded'; readonly discarded: Discarded };

/** A longer run of junk is reported in pieces. */
const LONGEST_RUN = 1024;
const SMALL_BUFFER = 512;

export class Deframer<Frame> {
  private readonly probe: ProbeFunction<Frame>;
  private readonly capacity: number;
  private buffer = new Uint8Array(SMALL_BUFFER);
  private start = 0;
  private end = 0;
  /** Offset in the stream of `buffer[start]`. */
  private position = 0;
  private need = 1;
  private afterFrame = false;
  private run: { offset: number; length: number; reason: string } | null = null;

  /** `longest`: octets of the longest frame; the probe never needs more. */
  constructor(probe: ProbeFunction<Frame>, longest: number) {
    this.probe = probe;
    this.capacity = 2 * longest;
  }

  /** Takes octets in any portion; returns the frames that became complete and what was left out between them. */
  push(bytes: Uint8Array): DeframerItem<Frame>[] {
    const items: DeframerItem<Frame>[] = [];
    for (let at = 0; at < bytes.length; ) {
      const count = Math.min(this.makeRoom(bytes.length - at), bytes.length - at);
      this.buffer.set(bytes.subarray(at, at + count), this.end);
      this.end += count;
      at += count;
      while (this.end - this.start >= this.need && this.step(items));
    }
    return items;
  }

  /** Gives up waiting for the rest of a frame: at a time-out, or at the end of a capture. Nothing is held afterwards. */
  flush(): DeframerItem<Frame>[] {
    const items: DeframerItem<Frame>[] = [];
    while (this.end > this.start) this.step(items, true);
    this.endRun(items);
    return items;
  }

  /** False: more octets are needed. */
  private step(items: DeframerItem<Frame>[], last = false): boolean {
    const found = this.probe(this.buffer.subarray(this.start, this.end), this.afterFrame);
    if (found.kind === 'need') {
      this.need = found.octets;
      if (last) this.skip(items, 1, found.idle ? null : 'the frame is incomplete');
      return false;
    }
    if (found.kind === 'skip') this.skip(items, found.length, found.reason);
    else {
      this.endRun(items);
      items.push({ kind: 'frame', frame: found.frame, offset: this.position });
      this.advance(found.length);
      this.afterFrame = true;
    }
    return true;
  }

  private skip(items: DeframerItem<Frame>[], length: number, reason: string | null): void {
    if (reason !== null) {
      if (this.run !== null && this.run.offset + this.run.length !== this.position) this.endRun(items);
      if (this.run === null) this.run = { offset: this.position, length, reason };
      else this.run.length += length;
      if (this.run.length >= LONGEST_RUN) this.endRun(items);
    }
    this.advance(length);
  }

  private advance(length: number): void {
    this.start += length;
    this.position += length;
    this.need = 1;
    this.afterFrame = false;
  }

  private endRun(items: DeframerItem<Frame>[]): void {
    if (this.run !== null) items.push({ kind: 'discarded', discarded: { ...this.run } });
    this.run = null;
  }

  /** Makes room for at least one octet and at best `wanted`; returns how many fit. */
  private makeRoom(wanted: number): number {
    const held = this.end - this.start;
    const size = Math.min(this.capacity, Math.max(SMALL_BUFFER, 2 ** Math.ceil(Math.log2(held + wanted))));
    if (size > this.buffer.length || (held === 0 && this.buffer.length > size)) {
      const other = new Uint8Array(size);
      other.set(this.buffer.subarray(this.start, this.end));
      this.buffer = other;
    } else if (this.start > 0) this.buffer.copyWithin(0, this.start, this.end);
    this.start = 0;
    this.end = held;
    return this.buffer.length - held;
  }
}
