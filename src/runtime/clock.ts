/** Time as a port: the wall clock, a monotonic clock and timers. Tests move a `VirtualClock` by hand and never sleep. */
import { performance } from 'node:perf_hooks';
import { BridgeError } from '../core/errors.ts';

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Wall clock, milliseconds since 1970-01-01 UTC. May step. */
  now(): number;
  /** Milliseconds that never step, from an arbitrary origin. */
  monotonic(): number;
  /** Calls back once after `ms` milliseconds of monotonic time. */
  setTimer(ms: number, callback: () => void): Timer;
}

/** setTimeout takes at most 2^31 - 1 ms; a longer wait is made of several. */
const LONGEST_TIMEOUT = 0x7fff_ffff;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer(ms, callback) {
    let handle: NodeJS.Timeout;
    const wait = (left: number): void => {
      const step = Math.min(left, LONGEST_TIMEOUT);
      handle = setTimeout(() => (left > step ? wait(left - step) : callback()), step);
    };
    wait(Math.max(0, ms));
    return { cancel: () => clearTimeout(handle) };
  },
};

/** A clock that stands still until `advance` moves it; timers fire in order, with promise callbacks run in between. */
export class VirtualClock implements Clock {
  private time: number;
  private wallOffset: number;
  private sequence = 0;
  private timers: { readonly due: number; readonly order: number; readonly callback: () => void }[] = [];

  constructor(wall = Date.UTC(2026, 0, 1)) {
    this.time = 0;
    this.wallOffset = wall;
  }

  now(): number {
    return this.wallOffset + this.time;
  }
  monotonic(): number {
    return this.time;
  }
  setTimer(ms: number, callback: () => void): Timer {
    const timer = { due: this.time + Math.max(0, ms), order: this.sequence, callback };
    this.sequence += 1;
    this.timers.push(timer);
    return {
      cancel: () => {
        this.timers = this.timers.filter((other) => other !== timer);
      },
    };
  }

  /** Steps the wall clock without moving monotonic time, as an operator or NTP would. */
  stepWall(ms: number): void {
    this.wallOffset += ms;
  }

  get pendingTimers(): number {
    return this.timers.length;
  }

  async advance(ms: number): Promise<void> {
    const end = this.time + ms;
    await settle();
    for (;;) {
      const next = this.timers.reduce<(typeof this.timers)[number] | undefined>(
        (best, timer) =>
          timer.due <= end &&
          (best === undefined || timer.due < best.due || (timer.due === best.due && timer.order < best.order))
            ? timer
            : best,
        undefined,
      );
      if (next === undefined) break;
      this.timers = this.timers.filter((timer) => timer !== next);
      this.time = Math.max(this.time, next.due);
      next.callback();
      await settle();
    }
    this.time = end;
  }
}

/** Lets pending promise callbacks and I/O callbacks that are already due run. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Resolves after `ms`; rejects with STOPPING when the signal aborts first. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(new BridgeError('STOPPING', 'stopped while waiting'));
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(new BridgeError('STOPPING', 'stopped while waiting'));
    };
    const timer = clock.setTimer(ms, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
