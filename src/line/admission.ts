/**
 * Who may connect: bounds how many connections are being made at once and how many are begun per second, for each host
 * and for the whole daemon. After a power cut a thousand lines come back together; a converter, a mobile network and this
 * host's own table of connections each take only so many. (On one line there is one connection at a time anyway.)
 *
 * Hosts take turns, so one with many lines does not stand before the others; within a host it is first come, first served.
 */
import type { Clock, Timer } from '../runtime/clock.ts';
import { fullBucket, refilled, type TokenBucket, waitForToken, withoutToken } from './token-bucket.ts';

export interface GateLimits {
  /** Connections being made at once. */
  readonly underWay: number;
  /** Connections begun per second. */
  readonly perSecond: number;
}

export interface AdmissionLimits {
  readonly daemon: GateLimits;
  readonly host: GateLimits;
}

class Gate {
  private readonly limits: GateLimits;
  private bucket: TokenBucket;
  private underWay = 0;

  constructor(limits: GateLimits, now: number) {
    this.limits = limits;
    this.bucket = fullBucket(limits.perSecond, now);
  }

  /** Milliseconds until one more may begin; Infinity: when another has ended. */
  waitMs(now: number): number {
    if (this.underWay >= this.limits.underWay) return Number.POSITIVE_INFINITY;
    this.bucket = refilled(this.bucket, this.limits.perSecond, now);
    return waitForToken(this.bucket, this.limits.perSecond);
  }

  enter(): void {
    this.underWay += 1;
    this.bucket = withoutToken(this.bucket);
  }

  leave(): void {
    this.underWay -= 1;
  }
}

export class Admission {
  private readonly limits: AdmissionLimits;
  private readonly clock: Clock;
  private readonly daemon: Gate;
  private readonly hosts = new Map<string, Gate>();
  /** Who waits, by host; the host whose turn it is stands first. */
  private readonly waiting = new Map<string, (() => void)[]>();
  private timer: Timer | null = null;

  constructor(limits: AdmissionLimits, clock: Clock) {
    this.limits = limits;
    this.clock = clock;
    this.daemon = new Gate(limits.daemon, clock.monotonic());
  }

  /** Resolves when a connection to the host may begin, with the function to call once when it stands or has failed. */
  admit(host: string): Promise<() => void> {
    return new Promise((resolve) => {
      const gate = this.gateOf(host);
      const admitted = (): void => {
        this.daemon.enter();
        gate.enter();
        resolve(() => {
          this.daemon.leave();
          gate.leave();
          this.admitNext();
        });
      };
      const queue = this.waiting.get(host);
      if (queue === undefined) this.waiting.set(host, [admitted]);
      else queue.push(admitted);
      this.admitNext();
    });
  }

  private gateOf(host: string): Gate {
    const known = this.hosts.get(host);
    if (known !== undefined) return known;
    const gate = new Gate(this.limits.host, this.clock.monotonic());
    this.hosts.set(host, gate);
    return gate;
  }

  private admitNext(): void {
    const now = this.clock.monotonic();
    for (;;) {
      let soonest = this.daemon.waitMs(now);
      if (soonest === 0) {
        soonest = Number.POSITIVE_INFINITY;
        for (const [host, queue] of this.waiting) {
          const wait = this.gateOf(host).waitMs(now);
          soonest = Math.min(soonest, wait);
          if (wait > 0) continue;
          // Its next one stands behind the other hosts.
          this.waiting.delete(host);
          const admitted = queue.shift();
          if (queue.length > 0) this.waiting.set(host, queue);
          admitted?.();
          break;
        }
        if (soonest === 0) continue;
      }
      this.lookAgainIn(this.waiting.size === 0 ? Number.POSITIVE_INFINITY : soonest);
      return;
    }
  }

  /** Infinity: whoever leaves looks. */
  private lookAgainIn(ms: number): void {
    this.timer?.cancel();
    this.timer = ms === Number.POSITIVE_INFINITY ? null : this.clock.setTimer(ms, () => this.admitNext());
  }
}
