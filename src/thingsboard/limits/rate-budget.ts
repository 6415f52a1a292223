/** Rate limits as ThingsBoard tells them (`"capacity:seconds,..."`, greedy-refill token buckets), kept on our side, pure. */

export interface Rate {
  readonly capacity: number;
  readonly seconds: number;
}

/** What a limit text says; an empty list for none, or for one that is no list of limits. */
export function parseRates(text: unknown): readonly Rate[] {
  if (typeof text !== 'string' || text.trim() === '') return [];
  const rates = text.split(',').map((part) => /^\s*(\d{1,12}):(\d{1,9})\s*$/.exec(part));
  const parsed = rates.map((match) => ({ capacity: Number(match?.[1] ?? 0), seconds: Number(match?.[2] ?? 0) }));
  return parsed.every(({ capacity, seconds }) => capacity > 0 && seconds > 0) ? parsed : [];
}

/** A part of the limits, at least one message in the time. */
export function shareOf(rates: readonly Rate[], share: number): readonly Rate[] {
  return rates.map(({ capacity, seconds }) => ({ capacity: Math.max(1, Math.floor(capacity * share)), seconds }));
}

/** Buckets that are full at first; all of them have to give. `now` is monotonic, milliseconds. */
export class RateBudget {
  /** A bucket counts in tokens times the milliseconds of its period: whole numbers, so that nothing is lost by rounding. */
  private readonly buckets: { readonly capacity: number; readonly periodMs: number; filled: number }[];
  private refilledAt: number;

  constructor(rates: readonly Rate[], now: number) {
    this.buckets = rates.map(({ capacity, seconds }) => ({
      capacity,
      periodMs: seconds * 1000,
      filled: capacity * seconds * 1000,
    }));
    this.refilledAt = now;
  }

  /** Milliseconds until `cost` may be taken, 0 for now. What no bucket could ever hold waits for full ones. */
  wait(cost: number, now: number): number {
    if (this.buckets.length === 0) return 0;
    this.refill(now);
    const waits = this.buckets.map(
      ({ capacity, periodMs, filled }) => (Math.min(cost, capacity) * periodMs - filled) / capacity,
    );
    return Math.ceil(Math.max(0, ...waits));
  }

  /** Takes it, also below zero. */
  take(cost: number, now: number): void {
    this.refill(now);
    for (const bucket of this.buckets) bucket.filled -= cost * bucket.periodMs;
  }

  private refill(now: number): void {
    const elapsed = now - this.refilledAt;
    if (elapsed <= 0) return;
    this.refilledAt = now;
    for (const bucket of this.buckets) {
      bucket.filled = Math.min(bucket.capacity * bucket.periodMs, bucket.filled + elapsed * bucket.capacity);
    }
  }
}
