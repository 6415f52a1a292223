/** Rate limits as a tenant profile writes them: `"capacity:seconds,capacity:seconds"`, greedy-refill token buckets. */
import { fail } from '../../core/errors.ts';

interface Bucket {
  readonly capacity: number;
  readonly perMs: number;
  tokens: number;
}

/** Throws INVALID_VALUE. */
export function checkRateLimits(text: string): void {
  parseLimits(text);
}

function parseLimits(text: string): Bucket[] {
  return text.split(',').map((part) => {
    const match = /^\s*(\d+):(\d+)\s*$/.exec(part);
    const capacity = Number(match?.[1] ?? 0);
    const seconds = Number(match?.[2] ?? 0);
    if (capacity < 1 || seconds < 1) {
      fail(
        'INVALID_VALUE',
        `"${part.slice(0, 40)}" is no rate limit: write capacity:seconds, for example 100:1,2000:60`,
      );
    }
    return { capacity, perMs: capacity / (seconds * 1000), tokens: capacity };
  });
}

export class RateLimiter {
  private readonly buckets: Bucket[];
  private refilledAt: number;

  /** `monotonic`: milliseconds. Throws INVALID_VALUE when the text is no list of limits. */
  constructor(limits: string, monotonic: number) {
    this.buckets = parseLimits(limits);
    this.refilledAt = monotonic;
  }

  /** Takes `cost` tokens of every bucket, or none and false when one has too few. */
  take(cost: number, monotonic: number): boolean {
    const elapsed = monotonic - this.refilledAt;
    this.refilledAt = monotonic;
    for (const bucket of this.buckets)
      bucket.tokens = Math.min(bucket.capacity, bucket.tokens + elapsed * bucket.perMs);
    if (this.buckets.some((bucket) => bucket.tokens < cost)) return false;
    for (const bucket of this.buckets) bucket.tokens -= cost;
    return true;
  }
}
