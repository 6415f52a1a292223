/**
 * A serial line whose meter has to be called first: the sign-on of IEC 62056-21 mode E at 300 baud, then HDLC at the rate
 * that was agreed. The parity bit of the sign-on is made in software: the library cannot change the format of an open
 * port, and a 7E1 character has the same length as one of 8N1 (see dlms/mode-e/parity.ts).
 *
 * The meter goes back to the beginning when its link is disconnected: to talk to it again this transport is closed and
 * opened anew.
 */
import { BridgeError } from '../core/errors.ts';
import { DEFAULT_SIGN_ON, IDENTIFICATION_TIMEOUT_MS, ModeESignOn, type SignOnOutput } from '../dlms/mode-e/sign-on.ts';
import { type Clock, sleep, type Timer } from '../runtime/clock.ts';
import type { SerialTransport } from './serial.ts';
import type { SignOnStyle, Transport, TransportEvents } from './transport.ts';

/** Most meters change their rate within 400 ms of the acknowledgement. */
const DEFAULT_SIGN_ON_STYLE: SignOnStyle = { switchWaitMs: 400, switchBaud: true };
/** Bits of a character on the line, with start, parity and stop. */
const BITS_PER_CHARACTER = 10;

export interface ModeEOptions {
  /** Set to the rate of the sign-on, 8N1. */
  readonly serial: SerialTransport;
  readonly clock: Clock;
  /** Before the acknowledgement, milliseconds; null as the meter asks. */
  readonly reactionMs?: number | null;
  /** How long to wait for each of the meter's answers. */
  readonly timeoutMs?: number;
}

/** Throws, when opening, what the serial port does, and METER_TIMEOUT, METER_GARBAGE or MODE_E_NOT_OFFERED. */
export function modeETransport(options: ModeEOptions): Transport {
  const { serial } = options;
  return {
    description: `${serial.description}, mode E`,
    async open(events, style = DEFAULT_SIGN_ON_STYLE) {
      const signOn = new SignOnRun(options, events, style);
      await serial.open(signOn);
      try {
        await signOn.run();
      } catch (error) {
        await serial.close();
        throw error;
      }
    },
    write: (bytes) => serial.write(bytes),
    close: () => serial.close(),
  };
}

/** One sign-on; once it is done, what comes belongs to the link above. */
class SignOnRun implements TransportEvents {
  private readonly serial: SerialTransport;
  private readonly clock: Clock;
  private readonly above: TransportEvents;
  private readonly switchWaitMs: number;
  private readonly reactionMs: number | null;
  private readonly timeoutMs: number;
  private readonly machine: ModeESignOn;
  private done = false;
  private timer: Timer | null = null;
  private settle: { resolve(baudRate: number): void; reject(error: BridgeError): void } | null = null;

  constructor(
    { serial, clock, reactionMs = null, timeoutMs = IDENTIFICATION_TIMEOUT_MS }: ModeEOptions,
    above: TransportEvents,
    style: SignOnStyle,
  ) {
    this.serial = serial;
    this.clock = clock;
    this.reactionMs = reactionMs;
    this.timeoutMs = timeoutMs;
    this.above = above;
    this.switchWaitMs = style.switchWaitMs;
    this.machine = new ModeESignOn({ ...DEFAULT_SIGN_ON, switchBaud: style.switchBaud });
  }

  async run(): Promise<void> {
    const baudRate = await new Promise<number>((resolve, reject) => {
      this.settle = { resolve, reject };
      this.carryOut(this.machine.start());
    }).finally(() => this.timer?.cancel());
    await sleep(this.clock, this.switchWaitMs);
    await this.serial.setBaudRate(baudRate);
    this.done = true;
  }

  data(bytes: Uint8Array): void {
    if (this.done) this.above.data(bytes);
    else this.carryOut(this.machine.receive(bytes));
  }

  closed(reason: BridgeError): void {
    if (this.done) this.above.closed(reason);
    else this.settle?.reject(reason);
  }

  private carryOut(output: SignOnOutput): void {
    this.perform(output).catch((error: unknown) => {
      this.settle?.reject(
        error instanceof BridgeError ? error : new BridgeError('LINE_IO', String(error), { cause: error }),
      );
    });
  }

  private async perform({ send, delayMs, events }: SignOnOutput): Promise<void> {
    if (send.length > 0) {
      if (delayMs > 0) await sleep(this.clock, this.reactionMs ?? delayMs);
      for (const octets of send) await this.serial.write(octets);
      await sleep(this.clock, this.transmissionMs(send));
      this.arm();
    }
    for (const event of events) {
      if (event.kind === 'ready') this.settle?.resolve(event.baudRate);
      if (event.kind === 'failed') this.settle?.reject(event.error);
    }
  }

  /** A written octet is with the system, not on the line: at 300 baud a request takes 170 ms. */
  private transmissionMs(send: readonly Uint8Array[]): number {
    const octets = send.reduce((sum, { length }) => sum + length, 0);
    return Math.ceil((octets * BITS_PER_CHARACTER * 1000) / this.machine.initialBaudRate);
  }

  private arm(): void {
    this.timer?.cancel();
    this.timer = this.clock.setTimer(this.timeoutMs, () => this.carryOut(this.machine.timeout()));
  }
}
