/** Pumps the meters' end of a line over a transport: answers leave in order, after their delays, as the faults want them. */
import { asBridgeError, type BridgeError } from '../../core/errors.ts';
import { type Clock, sleep } from '../../runtime/clock.ts';
import type { Transport, TransportEvents } from '../../transport/transport.ts';
import type { Endpoint, Outgoing } from './endpoint.ts';
import type { Piece } from './faults.ts';

/** After so much silence, milliseconds, half a frame is given up: longer than any pause within one. */
const SILENCE_MS = 3000;

export interface MeterLineOptions {
  readonly transport: Transport;
  readonly endpoint: Endpoint;
  readonly clock: Clock;
  /** How long the meters think about a request, milliseconds. */
  readonly answerDelayMs: number;
  /** The line is gone, other than by `close`. */
  readonly onClosed: (reason: BridgeError | null) => void;
}

export class MeterLine implements TransportEvents {
  private readonly options: MeterLineOptions;
  private readonly stopped = new AbortController();
  private lastHeard: number;
  /** Everything that is to leave, one after the other. */
  private tail: Promise<void> = Promise.resolve();

  constructor(options: MeterLineOptions) {
    this.options = options;
    this.lastHeard = options.clock.monotonic();
  }

  /** Throws what opening the transport throws. */
  async open(): Promise<void> {
    await this.options.transport.open(this);
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.stopped.abort();
    await this.options.transport.close();
  }

  /** Octets that nobody asked for, in their turn. Throws what writing throws, LINE_CLOSED once the line is gone. */
  async say(octets: Uint8Array): Promise<void> {
    const said = this.tail.then(() => this.options.transport.write(octets));
    this.tail = said.catch(() => undefined);
    await said;
  }

  data(octets: Uint8Array): void {
    const { endpoint, clock } = this.options;
    const now = clock.monotonic();
    if (now - this.lastHeard > SILENCE_MS) this.enqueue(endpoint.silence());
    this.lastHeard = now;
    this.enqueue(endpoint.receive(octets));
  }

  closed(reason: BridgeError): void {
    this.stopped.abort();
    this.options.onClosed(reason);
  }

  private enqueue(frames: readonly Outgoing[]): void {
    for (const [index, outgoing] of frames.entries()) {
      const thinking = index === 0 ? this.options.answerDelayMs : 0;
      this.tail = this.tail.then(() => this.deliver(outgoing, thinking));
    }
  }

  /** Sends what the faults made of a frame, and keeps what was said with it. Does nothing once the line is gone. */
  private async deliver({ frame, dialogue, said }: Outgoing, thinkingMs: number): Promise<void> {
    if (this.stopped.signal.aborted) return;
    const pieces = dialogue.misbehaviour.sends(frame);
    if (pieces.length === 0) return;
    const { clock } = this.options;
    let intact = pieces.every((piece) => piece.intact);
    // Taken before the last octets are out of hand: whoever receives them stamps them later than this.
    let at = clock.now();
    try {
      await this.pause(thinkingMs);
      for (const piece of pieces) {
        await this.pause(piece.delayMs);
        at = clock.now();
        await this.write(piece);
      }
    } catch (thrown) {
      intact = false;
      this.lost(asBridgeError(thrown));
    }
    dialogue.meter.remember(said, at, intact);
  }

  private async pause(ms: number): Promise<void> {
    if (ms > 0) await sleep(this.options.clock, ms, this.stopped.signal);
  }

  private async write({ bytes, thenClose }: Piece): Promise<void> {
    const { transport, onClosed } = this.options;
    await transport.write(bytes);
    if (!thenClose) return;
    await this.close();
    onClosed(null);
  }

  /** A line that breaks while it is written to reports that by itself as well: once is enough. */
  private lost(error: BridgeError): void {
    if (this.stopped.signal.aborted) return;
    this.stopped.abort();
    this.options.onClosed(error);
  }
}
