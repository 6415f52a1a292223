/**
 * When something that failed is tried again. First a short back-off that grows from failure to failure; after so many
 * failures in a row the breaker opens: it is suspended, and probed at an interval that grows slowly up to a maximum. It
 * is never given up. One answer ends all of it.
 *
 * Rests are on the monotonic clock. What is kept over a restart says when the rest ends on the wall clock and how long it
 * was: a host whose clock was set back waits the whole rest at most, one whose clock jumped ahead probes at once.
 */
import type { Clock } from '../runtime/clock.ts';
import { delayOf, type RetryPolicy } from '../runtime/retry.ts';

export interface RecoveryPolicy {
  /** The shortest rest is `base`, whatever the jitter says: nothing is hammered. */
  readonly backOff: RetryPolicy;
  /** Failures in a row after which it is suspended. */
  readonly suspendAfter: number;
  readonly probes: RetryPolicy;
}

const forEver = { shape: 'exponential', attempts: Number.POSITIVE_INFINITY } as const;

/** A meter that was away is back after at most about as long again as it was away, and after an hour at the latest. */
export const METER_RECOVERY: RecoveryPolicy = {
  backOff: { ...forEver, base: 1000, max: 60_000, jitter: 'full' },
  suspendAfter: 8,
  probes: { ...forEver, base: 60_000, max: 3_600_000, jitter: 'half' },
};

/** A line is opened for all of its meters: it is tried sooner. */
export const LINE_RECOVERY: RecoveryPolicy = {
  backOff: { ...forEver, base: 1000, max: 30_000, jitter: 'full' },
  suspendAfter: 20,
  probes: { ...forEver, base: 60_000, max: 300_000, jitter: 'half' },
};

/** Milliseconds to rest after failure number `failures` in a row, counted from 1. */
export function restAfter(policy: RecoveryPolicy, failures: number, random: () => number): number {
  const probe = failures - policy.suspendAfter;
  if (probe >= 0) return delayOf(policy.probes, probe, random);
  return Math.max(policy.backOff.base, delayOf(policy.backOff, failures - 1, random));
}

/** What is kept of a run of failures. */
export interface SavedRecovery {
  readonly failures: number;
  /** Length of the rest under way, milliseconds. */
  readonly restMs: number;
  /** Wall clock at which it ends. */
  readonly restsUntil: number;
}

export class Recovery {
  private readonly policy: RecoveryPolicy;
  private readonly clock: Clock;
  private readonly random: () => number;
  private failureCount = 0;
  private lastRest = 0;
  private restsUntil = Number.NEGATIVE_INFINITY;

  constructor(policy: RecoveryPolicy, clock: Clock, random: () => number = Math.random) {
    this.policy = policy;
    this.clock = clock;
    this.random = random;
  }

  /** In a row. */
  get failures(): number {
    return this.failureCount;
  }

  get isSuspended(): boolean {
    return this.failureCount >= this.policy.suspendAfter;
  }

  /** Milliseconds for which it is to be left alone still; 0: it may be tried. */
  get restMs(): number {
    return Math.max(0, this.restsUntil - this.clock.monotonic());
  }

  /** One more failure; begins the next rest. Tells whether this one opened the breaker. */
  failed(): boolean {
    this.failureCount += 1;
    this.lastRest = restAfter(this.policy, this.failureCount, this.random);
    this.restsUntil = this.clock.monotonic() + this.lastRest;
    return this.failureCount === this.policy.suspendAfter;
  }

  /** It answered, or an operator wants it tried at once. */
  reset(): void {
    this.failureCount = 0;
    this.restsUntil = Number.NEGATIVE_INFINITY;
  }

  /** null while nothing is wrong. */
  saved(): SavedRecovery | null {
    if (this.failureCount === 0) return null;
    return {
      failures: this.failureCount,
      restMs: this.lastRest,
      restsUntil: Math.round(this.clock.now() + this.restMs),
    };
  }

  restore({ failures, restMs, restsUntil }: SavedRecovery): void {
    this.failureCount = failures;
    this.lastRest = restMs;
    const left = Math.min(restMs, restsUntil - this.clock.now());
    this.restsUntil = this.clock.monotonic() + left;
  }
}
