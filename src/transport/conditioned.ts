/**
 * A transport on a line that wants to be treated with care: silence after it was opened, a wake-up, least pauses before
 * each frame, an echo to be taken out. Frames leave one after the other, in the order in which they were written.
 */
import { fromHex } from '../core/bytes.ts';
import { asBridgeError, BridgeError, fail } from '../core/errors.ts';
import { type Clock, sleep } from '../runtime/clock.ts';
import { EchoFilter } from './echo.ts';
import type { LineSettings } from './line-settings.ts';
import type { SerialTransport } from './serial.ts';
import type { SignOnStyle, Transport, TransportEvents } from './transport.ts';

export type LineConditions = Pick<
  LineSettings,
  'connectDelayMs' | 'wakeUp' | 'wakeUpDelayMs' | 'interFrameMs' | 'turnaroundMs' | 'echo'
>;

/** Start, data and stop bits of a character. */
const BITS_PER_CHARACTER = 10;

/** The transport itself when nothing is wanted of it. */
export function conditioned<T extends Transport>(inner: T, conditions: LineConditions, clock: Clock): T | Conditioned {
  const { connectDelayMs, wakeUp, interFrameMs, turnaroundMs, echo } = conditions;
  const plain = connectDelayMs === 0 && wakeUp === '' && interFrameMs === 0 && turnaroundMs === 0 && !echo;
  return plain ? inner : new Conditioned(inner, conditions, clock);
}

/** The same for a serial line, whose octets take their time: a written one is with the system, not on the line. */
export function conditionedSerial(
  inner: SerialTransport,
  baudRate: number,
  conditions: LineConditions,
  clock: Clock,
): SerialTransport {
  const made = conditioned(inner, conditions, clock);
  if (!(made instanceof Conditioned)) return made;
  made.baudRate = baudRate;
  return {
    description: made.description,
    open(events, style) {
      made.baudRate = baudRate;
      return made.open(events, style);
    },
    write: (bytes) => made.write(bytes),
    close: () => made.close(),
    async setBaudRate(rate) {
      await inner.setBaudRate(rate);
      made.baudRate = rate;
    },
  };
}

export class Conditioned implements Transport {
  readonly description: string;
  /** null: octets are on the line as soon as they are written. */
  baudRate: number | null = null;
  private readonly inner: Transport;
  private readonly conditions: LineConditions;
  private readonly clock: Clock;
  private echo: EchoFilter | null = null;
  /** Monotonic time at which the last octet written has left, and at which the last one was heard. */
  private sentAt = Number.NEGATIVE_INFINITY;
  private heardAt = Number.NEGATIVE_INFINITY;
  /** The last write. */
  private tail: Promise<void> = Promise.resolve();
  private ended = new AbortController();

  constructor(inner: Transport, conditions: LineConditions, clock: Clock) {
    this.inner = inner;
    this.conditions = conditions;
    this.clock = clock;
    this.description = inner.description;
  }

  async open(events: TransportEvents, style?: SignOnStyle): Promise<void> {
    const ended = new AbortController();
    let ready = false;
    let broken: BridgeError | null = null;
    this.ended = ended;
    this.echo = this.conditions.echo ? new EchoFilter() : null;
    this.sentAt = this.heardAt = Number.NEGATIVE_INFINITY;
    await this.inner.open(
      {
        data: (bytes) => {
          this.heardAt = this.clock.monotonic();
          const heard = this.echo?.received(bytes) ?? bytes;
          // What a wake-up stirs up is no answer.
          if (ready && heard.length > 0) events.data(heard);
        },
        closed: (reason) => {
          broken = reason;
          ended.abort();
          if (ready) events.closed(reason);
        },
      },
      style,
    );
    try {
      await this.wake(ended.signal);
      if (ended.signal.aborted) fail('LINE_CLOSED', `${this.description} was closed while opening`);
    } catch (thrown) {
      await this.inner.close();
      const error = asBridgeError(thrown);
      if (broken !== null) throw broken;
      throw error.code === 'STOPPING'
        ? new BridgeError('LINE_CLOSED', `${this.description} was closed while opening`)
        : error;
    }
    ready = true;
  }

  write(bytes: Uint8Array): Promise<void> {
    const { ended } = this;
    const written = this.tail.then(() => this.writeInTurn(bytes, ended.signal));
    // Who comes behind waits for the turn, not for the success.
    this.tail = written.catch(() => undefined);
    return written;
  }

  async close(): Promise<void> {
    this.ended.abort();
    await this.inner.close();
  }

  private async wake(signal: AbortSignal): Promise<void> {
    const { connectDelayMs, wakeUp, wakeUpDelayMs } = this.conditions;
    if (connectDelayMs > 0) await sleep(this.clock, connectDelayMs, signal);
    if (wakeUp === '') return;
    await this.put(fromHex(wakeUp));
    const left = Math.max(0, this.sentAt - this.clock.monotonic());
    if (left + wakeUpDelayMs > 0) await sleep(this.clock, left + wakeUpDelayMs, signal);
  }

  private async writeInTurn(bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    const { interFrameMs, turnaroundMs } = this.conditions;
    const from = Math.max(this.sentAt + interFrameMs, this.heardAt + turnaroundMs);
    const wait = from - this.clock.monotonic();
    if (wait > 0) {
      await sleep(this.clock, wait, signal).catch(() => fail('LINE_CLOSED', `${this.description} was closed`));
    }
    await this.put(bytes);
  }

  private async put(bytes: Uint8Array): Promise<void> {
    this.echo?.wrote(bytes);
    await this.inner.write(bytes);
    const onLineMs = this.baudRate === null ? 0 : (bytes.length * BITS_PER_CHARACTER * 1000) / this.baudRate;
    this.sentAt = Math.max(this.sentAt, this.clock.monotonic()) + onLineMs;
  }
}
