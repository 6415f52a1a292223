/**
 * A bare TCP connection to the broker, beside a session that may be closed for no reason given: whether it goes on tells
 * a close of just that session from a server that went away or a line that broke.
 */
import { connect, type Socket } from 'node:net';
import { type Clock, sleep, type Timer } from '../../runtime/clock.ts';
import { type BrokerAddress, brokerAddress } from '../session/broker-socket.ts';
import type { Witness } from '../session/session-end.ts';

export interface BareConnection {
  /** What became of it by the time the session had ended; waits a moment, for both may break at once. Ends it. A signal
   * cuts the moment short. */
  testify(signal: AbortSignal): Promise<Witness>;
  close(): void;
}

/** A connection that broke so long before or after the session's end broke together with it. */
const TOGETHER_MS = 300;
/** Servers close what says nothing; it is made anew then. */
const REOPEN_MS = 200;

export function openWitness(url: string, clock: Clock): BareConnection {
  return new BareSocket(url, clock);
}

class BareSocket implements BareConnection {
  private readonly address: BrokerAddress;
  private readonly clock: Clock;
  private socket: Socket | null = null;
  private reopening: Timer | null = null;
  private stands = false;
  private brokeAt = Number.NEGATIVE_INFINITY;
  private ended = false;

  constructor(url: string, clock: Clock) {
    this.address = brokerAddress(url);
    this.clock = clock;
    this.open();
  }

  private open(): void {
    const { host, port } = this.address;
    const socket = connect({ host, port });
    this.socket = socket;
    socket.on('connect', () => {
      this.stands = true;
    });
    // What it was does not matter; that it broke does, and `close` follows.
    socket.on('error', () => undefined);
    socket.on('close', () => this.broke());
    socket.resume();
  }

  private broke(): void {
    if (this.ended) return;
    if (this.stands) this.brokeAt = this.clock.monotonic();
    this.stands = false;
    this.reopening = this.clock.setTimer(REOPEN_MS, () => this.open());
  }

  async testify(signal: AbortSignal): Promise<Witness> {
    const endedAt = this.clock.monotonic();
    const stood = this.stands || endedAt - this.brokeAt <= TOGETHER_MS;
    await sleep(this.clock, TOGETHER_MS, signal).catch(() => undefined);
    const broke = !this.stands || this.brokeAt >= endedAt - TOGETHER_MS;
    this.close();
    if (!stood) return null;
    return broke ? 'dead' : 'alive';
  }

  close(): void {
    this.ended = true;
    this.reopening?.cancel();
    this.socket?.destroy();
  }
}
