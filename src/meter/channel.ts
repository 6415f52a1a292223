/**
 * Pumps a data link over a wire: writes the frames that the link wants written, feeds it what arrives, and turns
 * silence into the link's `timeout`. One operation at a time: connect, exchange APDUs, disconnect.
 *
 * A conversation begins with `exchange` and goes on with `next` until `rest`; APDUs that come in its course are kept until
 * they are asked for, in order.
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
  /** What goes over the channel is added to these. */
  readonly counts: ChannelCounts;
  /** APDUs that come while nothing is going on. */
  readonly onUnsolicited: (apdu: Uint8Array) => void;
}

export interface ChannelCounts {
  /** Bursts written that the meter had to answer. */
  roundTrips: number;
  bytesSent: number;
  bytesReceived: number;
}

/** Octets may trickle in and keep a response alive, but for no longer than this many response time-outs. */
const TRICKLE_TIMEOUTS = 4;

type Awaited = 'connected' | 'apdu' | 'alive' | 'disconnected';

interface Operation {
  readonly awaits: Awaited;
  readonly resolve: (apdu: Uint8Array) => void;
  readonly reject: (error: BridgeError) => void;
  readonly silence: Silence;
}

/** Nothing came for a response time-out, and the link has nothing to repeat: APDUs to send before it gives up. */
export type Silence = () => readonly Uint8Array[];

const GIVE_UP: Silence = () => [];
/** Nobody streams more than the largest window of blocks, whole or in part. */
const MOST_KEPT = 256;

const EMPTY = new Uint8Array(0);

function together(outputs: readonly LinkOutput[]): LinkOutput {
  return { send: outputs.flatMap(({ send }) => send), events: outputs.flatMap(({ events }) => events) };
}

export class MeterChannel implements WireReceiver {
  private readonly counts: ChannelCounts;
  /** While an APDU that carries a secret is under way the trace shows lengths only. */
  confidential = false;
  private readonly options: ChannelOptions;
  private operation: Operation | null = null;
  private timer: Timer | null = null;
  private lastProgress = 0;
  private conversing = false;
  /** Why the line broke since `connect`: nothing comes any more, also when nobody was waiting just then. */
  private broken: BridgeError | null = null;
  private inbox: Uint8Array[] = [];

  constructor(options: ChannelOptions) {
    this.options = options;
    this.counts = options.counts;
  }

  /** Makes the link stand. Throws METER_TIMEOUT, METER_GARBAGE, WRONG_FRAMING, WRONG_ADDRESS, LINK_REFUSED, LINE_*. */
  async connect(): Promise<void> {
    this.broken = null;
    await this.run('connected', () => this.options.link.connect());
  }

  /** Sends the first APDUs of a conversation and resolves with what comes. Throws as `connect` does, and LINK_LOST. */
  exchange(apdus: readonly Uint8Array[], silence: Silence = GIVE_UP): Promise<Uint8Array> {
    this.rest();
    this.conversing = true;
    return this.next(apdus, silence);
  }

  /** Goes on with a conversation: sends more, or nothing, and resolves with the next APDU. */
  next(apdus: readonly Uint8Array[] = [], silence: Silence = GIVE_UP): Promise<Uint8Array> {
    const { link } = this.options;
    return this.run(
      'apdu',
      () => {
        if (apdus.length > 0) return together(apdus.map((apdu) => link.send(apdu)));
        return this.inbox.length > 0 ? NOTHING : link.listen();
      },
      silence,
    );
  }

  /** Keeps the link from the meter's inactivity time-out. Throws METER_TIMEOUT, LINK_LOST and the like. */
  async keepAlive(): Promise<void> {
    await this.run('alive', () => this.options.link.keepAlive());
  }

  /** Sends one APDU that is not answered. */
  notify(apdu: Uint8Array): void {
    this.carryOut(() => this.options.link.notify(apdu));
  }

  /** The conversation is over: what is left of it, and what comes from now on, was not asked for. */
  rest(): void {
    this.conversing = false;
    for (const apdu of this.inbox.splice(0)) this.options.onUnsolicited(apdu);
  }

  async disconnect(): Promise<void> {
    await this.run('disconnected', () => this.options.link.disconnect());
  }

  private run(awaits: Awaited, begin: () => LinkOutput, silence: Silence = GIVE_UP): Promise<Uint8Array> {
    if (this.operation !== null) fail('INTERNAL', 'a channel does one thing at a time', { layer: 'meter' });
    if (this.broken !== null) return Promise.reject(this.broken);
    this.options.wire.attach(this);
    return new Promise((resolve, reject) => {
      this.operation = { awaits, resolve, reject, silence };
      this.lastProgress = this.options.clock.monotonic();
      this.carryOut(begin);
      const kept = awaits === 'apdu' ? this.inbox.shift() : undefined;
      if (kept !== undefined) this.finish((operation) => operation.resolve(kept));
    });
  }

  data(bytes: Uint8Array): void {
    this.counts.bytesReceived += bytes.length;
    this.trace('received', bytes);
    this.carryOut(() => this.options.link.receive(bytes));
  }

  closed(reason: BridgeError): void {
    this.broken = reason;
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
      case 'alive':
      case 'disconnected':
        if (this.operation?.awaits === event.kind) this.finish((operation) => operation.resolve(EMPTY));
        return;
      case 'apdu':
        this.take(event.apdu);
        return;
      case 'failed':
        this.finish((operation) => operation.reject(event.error));
        return;
      case 'discarded':
        this.logDiscarded(event.discarded);
    }
  }

  private take(apdu: Uint8Array): void {
    if (this.operation?.awaits === 'apdu') this.finish((operation) => operation.resolve(apdu));
    else if (this.conversing && this.inbox.length < MOST_KEPT) this.inbox.push(apdu);
    else this.options.onUnsolicited(apdu);
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
    // Where this program stood still for a while, timers fire before what arrived meanwhile is read: one more turn.
    this.timer = clock.setTimer(wait, () => {
      this.timer = clock.setTimer(1, () => this.carryOut(() => this.silent(link)));
    });
  }

  private silent(link: ClientLink): LinkOutput {
    const apdus = link.isSettled ? (this.operation?.silence() ?? []) : [];
    return apdus.length > 0 ? together(apdus.map((apdu) => link.send(apdu))) : link.timeout();
  }

  private trace(direction: 'sent' | 'received', bytes: Uint8Array): void {
    const { log } = this.options;
    log.trace({ direction, octets: bytes.length, hex: this.confidential ? '[withheld]' : toHex(bytes) }, 'line octets');
  }

  private logDiscarded({ offset, length, reason }: Discarded): void {
    this.options.log.debug({ offset, octets: length, reason }, 'octets discarded');
  }
}
