/**
 * Points that a meter refuses for good (there is no such object, it may not be read): they are marked and left out of the
 * cycles, and asked again at an interval that grows slowly, or when the meter's object list has changed.
 */
import type { BridgeError } from '../core/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import { delayOf, type RetryPolicy } from '../runtime/retry.ts';

/** A minute after the first refusal: a meter that is being set up changes. A quarter of a day in the end. */
const ASK_AGAIN: RetryPolicy = {
  shape: 'exponential',
  base: 60_000,
  max: 21_600_000,
  attempts: Number.POSITIVE_INFINITY,
  jitter: 'none',
};

export interface PointFailure {
  readonly key: string;
  readonly error: BridgeError;
  /** Wall clock before which the point is not asked again; null: it is asked at its next due. */
  readonly skippedUntil: number | null;
}

interface Mark {
  readonly error: BridgeError;
  readonly refusals: number;
  /** Monotonic. */
  readonly askAt: number;
}

export class PointLedger {
  private readonly clock: Clock;
  private readonly marks = new Map<string, Mark>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Whether the point with this key is to be left out now. */
  skips(key: string): boolean {
    return (this.marks.get(key)?.askAt ?? Number.NEGATIVE_INFINITY) > this.clock.monotonic();
  }

  /** What came of asking for a point: null when it was read. Gives the failure as it is reported. */
  note(key: string, error: BridgeError | null): PointFailure | null {
    if (error === null || error.retryable) {
      this.marks.delete(key);
      return error === null ? null : { key, error, skippedUntil: null };
    }
    const refusals = (this.marks.get(key)?.refusals ?? 0) + 1;
    const askAt = this.clock.monotonic() + delayOf(ASK_AGAIN, refusals - 1);
    this.marks.set(key, { error, refusals, askAt });
    return this.failureOf(key, error, askAt);
  }

  /** The points that are left out now. */
  skipped(): PointFailure[] {
    return [...this.marks]
      .filter(([key]) => this.skips(key))
      .map(([key, { error, askAt }]) => this.failureOf(key, error, askAt));
  }

  /** The meter is another than it was: everything is asked again. */
  clear(): void {
    this.marks.clear();
  }

  private failureOf(key: string, error: BridgeError, askAt: number): PointFailure {
    const left = askAt - this.clock.monotonic();
    return { key, error, skippedUntil: Math.round(this.clock.now() + left) };
  }
}
