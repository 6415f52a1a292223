/**
 * Pumps a data link over a wire: writes the frames that the link wants written, feeds it what arrives, and turns
 * silence into the link's `timeout`. One operation at a time: connect, exchange an APDU, disconnect.
 */
import { toHex } from '../core/bytes.ts';
import { BridgeError, fail } from '../core/errors.ts';
import { type ClientLink, type Discarded, type LinkEvent, type LinkOutput, NOTHING } from '../dlms/link.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';

/** The line as a channel sees it: octets out, octets in. Whoever attaches last receives. */
export interface Wire {
  attach(receiver: WireReceiver): void;
  write(bytes: Uint8Array): Promise<void>;
}

export interface WireReceiver {
  data(bytes: Uint8Array): void;
  closed(reason: BridgeError): void;
}

export interface ChannelOptions {
  readonly link: ClientLink;
  readonly wire: Wire;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly log: Logger;
  /** APDUs that nobody asked for: pushes between request and answer. */
  readonly onUnsolicited?: (apdu: Uint8Array) => void;
}

export interface ChannelCounts {
  /** Bursts written that the meter had to answer. */
  roundTrips: number;
  bytesSent: number;
  bytesReceived: number;
}

/** Octets may trickle in and keep a response alive, but for no longer than this many response time-outs. */
const TRICKLE_TIMEOUTS = 4;

type Awaited = 'connected' | 'apdu' | 'disconnected';

interface Operation {
  readonly awaits: Awaited;
  readonly resolve: (apdu: Uint8Array) => void;
  readonly reject: (error: BridgeError) => void;
}

const EMPTY = new Uint8Array(0);

function together(outputs: readonly LinkOutput[]): LinkOutput {
  return { send: outputs.flatMap(({ send }) => send), events: outputs.flatMap(({ events }) => events) };
}

export class MeterChannel implements WireReceiver {
  readonly counts: ChannelCounts = { roundTrips: 0, bytesSent: 0, bytesReceived: 0 };
  /** While an APDU that carries a secret is under way the trace shows lengths only. */
  confidential = false;
  private readonly options: ChannelOptions;
  private operation: Operation | null = null;
  private timer: Timer | null = null;
  private lastProgress = 0;

  constructor(options: ChannelOptions) {
    this.options = options;
  }

  /** Makes the link stand. Throws METER_TIMEOUT, METER_GARBAGE, WRONG_FRAMING, WRONG_ADDRESS, LINK_REFUSED, LINE_*. */
  async connect(): Promise<void> {
    await this.run('connected', () => this.options.link.connect());
  }

  /** Sends APDUs and resolves with the meter's answer. Throws as `connect` does, and LINK_LOST. */
  exchange(apdus: readonly Uint8Array[]): Promise<Uint8Array> {
    return this.run('apdu', () => together(apdus.map((apdu) => this.options.link.send(apdu))));
  }

  /** Waits for one more APDU without sending: what came last was not the answer. */
  next(): Promise<Uint8Array> {
    return this.run('apdu', () => NOTHING);
  }

  async disconnect(): Promise<void> {
    await this.run('disconnected', () => this.options.link.disconnect());
  }

  private run(awaits: Awaited, begin: () => LinkOutput): Promise<Uint8Array> {
    if (this.operation !== null) fail('INTERNAL', 'a channel does one thing at a time', { layer: 'meter' });
    this.options.wire.attach(this);
    return new Promise((resolve, reject) => {
      this.operation = { awaits, resolve, reject };
      this.lastProgress = this.options.clock.monotonic();
      this.carryOut(begin);
    });
  }

  data(bytes: Uint8Array): void {
    this.counts.bytesReceived += bytes.length;
    this.trace('received', bytes);
    this.carryOut(() => this.options.link.receive(bytes));
  }

  closed(reason: BridgeError): void {
    this.finish((operation) => operation.reject(reason));
  }

  /** Runs one step of the link, then writes and reports what came of it. */
  private carryOut(step: () => LinkOutput): void {
    let output: LinkOutput;
    try {
      output = step();
    } catch (error) {
      const reason =
        error instanceof BridgeError ? error : new BridgeError('INTERNAL', String(error), { cause: error });
      this.finish((operation) => operation.reject(reason));
      return;
    }
    if (output.send.length > 0 || output.events.some(({ kind }) => kind !== 'discarded')) {
      this.lastProgress = this.options.clock.monotonic();
    }
    if (output.send.length > 0) this.write(output.send);
    for (const event of output.events) this.report(event);
    if (this.operation !== null) this.armTimer();
  }

  private write(frames: readonly Uint8Array[]): void {
    if (this.operation !== null) this.counts.roundTrips += 1;
    for (const frame of frames) {
      this.counts.bytesSent += frame.length;
      this.trace('sent', frame);
      this.options.wire.write(frame).catch((error: unknown) => {
        const reason =
          error instanceof BridgeError ? error : new BridgeError('LINE_IO', String(error), { cause: error });
        this.finish((operation) => operation.reject(reason));
      });
    }
  }

  private report(event: LinkEvent): void {
    switch (event.kind) {
      case 'connected':
      case 'disconnected':
        if (this.operation?.awaits === event.kind) this.finish((operation) => operation.resolve(EMPTY));
        return;
      case 'apdu':
        if (event.unsolicited || this.operation?.awaits !== 'apdu') this.options.onUnsolicited?.(event.apdu);
        else this.finish((operation) => operation.resolve(event.apdu));
        return;
      case 'failed':
        this.finish((operation) => operation.reject(event.error));
        return;
      case 'discarded':
        this.logDiscarded(event.discarded);
    }
  }

  private finish(settle: (operation: Operation) => void): void {
    const operation = this.operation;
    if (operation === null) return;
    this.operation = null;
    this.timer?.cancel();
    this.timer = null;
    settle(operation);
  }

  private armTimer(): void {
    const { clock, timeoutMs, link } = this.options;
    this.timer?.cancel();
    const trickleEnds = this.lastProgress + TRICKLE_TIMEOUTS * timeoutMs;
    const wait = Math.min(timeoutMs, Math.max(0, trickleEnds - clock.monotonic()));
    this.timer = clock.setTimer(wait, () => this.carryOut(() => link.timeout()));
  }

  private trace(direction: 'sent' | 'received', bytes: Uint8Array): void {
    const { log } = this.options;
    log.trace({ direction, octets: bytes.length, hex: this.confidential ? '[withheld]' : toHex(bytes) }, 'line octets');
  }

  private logDiscarded({ offset, length, reason }: Discarded): void {
    this.options.log.debug({ offset, octets: length, reason }, 'octets discarded');
  }
}
