/**
 * Invocation counters of one meter's key, taken one by one from portions that are reserved durably beforehand: the same
 * key and counter twice would break GCM, a counter that was reserved and never used costs nothing.
 */
import { fail } from '../core/errors.ts';

/** Where counters are kept: what it gives was never given before, whatever crashes. */
export interface CounterStore {
  /** Takes `count` counters and resolves with the first of them once that is durable. Throws COUNTER_EXHAUSTED, DATABASE_*. */
  reserve(count: number): Promise<number>;
  /** What is reserved from now on is at least this; never lowers. */
  raise(atLeast: number): Promise<void>;
}

/**
 * Counters that nobody keeps, for a single conversation without a database: they begin at 0, which makes the session ask
 * the meter for the one that it expects.
 */
export function unkeptCounters(): CounterStore {
  let next = 0;
  return {
    async reserve(count) {
      if (next + count > COUNTERS)
        fail('COUNTER_EXHAUSTED', `fewer than ${count} invocation counters are left below 2^32`);
      next += count;
      return next - count;
    },
    async raise(atLeast) {
      next = Math.max(next, atLeast);
    },
  };
}

/** Counters of a key: 0 to 2^32 - 1. */
const COUNTERS = 2 ** 32;
const PORTION = 16;

export class CounterPool {
  private readonly store: CounterStore;
  private readonly lowest: number;
  private next = 0;
  private end = 0;

  /** @param lowest the first counter that is used at all. */
  constructor(store: CounterStore, lowest = 0) {
    this.store = store;
    this.lowest = lowest;
  }

  /** The next counter that will be taken. */
  get upcoming(): number {
    return this.next;
  }

  /** Makes sure that `count` counters can be taken. Resolves with whether the key was never used before. */
  async ensure(count: number): Promise<boolean> {
    if (this.end - this.next >= count) return false;
    const first = await this.store.reserve(PORTION);
    this.next = first;
    this.end = first + PORTION;
    if (first < this.lowest) {
      await this.raise(this.lowest);
      await this.ensure(count);
    }
    return first === 0;
  }

  /** The next one; to be called after `ensure`. */
  take(): number {
    if (this.next >= this.end) fail('INTERNAL', 'no invocation counter was reserved', { layer: 'security' });
    this.next += 1;
    return this.next - 1;
  }

  /** The meter expects a counter of at least this. */
  async raise(atLeast: number): Promise<void> {
    // What is reserved already may be passed over; only beyond it the store has to move.
    if (atLeast <= this.end) this.next = Math.max(this.next, atLeast);
    else {
      await this.store.raise(atLeast);
      this.end = this.next;
    }
  }
}
