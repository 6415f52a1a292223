/**
 * Retrying as a value: a policy gives delays, and whoever retries walks over them. Nobody owns timers for it except
 * `retrying`, the loop for everything that is simply done again until it succeeds.
 */
import { asBridgeError, type BridgeError } from '../core/errors.ts';
import { type Clock, sleep } from './clock.ts';

export interface RetryPolicy {
  readonly shape: 'fixed' | 'linear' | 'exponential';
  /** First delay, milliseconds. */
  readonly base: number;
  /** Longest delay, milliseconds. */
  readonly max: number;
  /** How many retries; Infinity for ever. */
  readonly attempts: number;
  /** Full jitter (uniform between 0 and the delay), half (uniform between half the delay and the delay) or none. */
  readonly jitter: 'full' | 'half' | 'none';
}

/** For what has to be stored: a full disk or a lock that another process holds may last for long. */
export const STORE_RETRY: RetryPolicy = {
  shape: 'exponential',
  base: 250,
  max: 15_000,
  attempts: Number.POSITIVE_INFINITY,
  jitter: 'full',
};

/** The delay in milliseconds before retry number `retry`, counted from 0. `random` gives numbers in [0, 1). */
export function delayOf(policy: RetryPolicy, retry: number, random: () => number = Math.random): number {
  const delay = Math.min(policy.max, rawDelay(policy, retry));
  if (policy.jitter === 'none') return delay;
  const least = policy.jitter === 'half' ? delay / 2 : 0;
  return Math.round(least + (delay - least) * random());
}

/** The delays before each retry, in order. */
export function* delays(policy: RetryPolicy, random: () => number = Math.random): Generator<number, undefined> {
  for (let retry = 0; retry < policy.attempts; retry += 1) yield delayOf(policy, retry, random);
  return undefined;
}

export interface Retrying {
  readonly policy: RetryPolicy;
  readonly clock: Clock;
  /** Aborting ends the wait, and what is done then is the last attempt. */
  readonly signal?: AbortSignal;
  /** No retry begins later than so many milliseconds after the first attempt. */
  readonly withinMs?: number;
  /** Hears of each failure that is tried again. */
  readonly onFailure?: (error: BridgeError) => void;
  readonly random?: () => number;
}

/**
 * Does something until it succeeds, and gives its result. Throws its last error when that is not retryable, when the
 * retries or the time are used up, or when the signal was aborted.
 */
export async function retrying<T>(action: () => Promise<T>, options: Retrying): Promise<T> {
  const { policy, clock, signal, withinMs = Number.POSITIVE_INFINITY, onFailure, random } = options;
  const ends = clock.monotonic() + withinMs;
  const waits = delays(policy, random);
  for (;;) {
    try {
      return await action();
    } catch (thrown) {
      const error = asBridgeError(thrown);
      const wait = error.retryable && signal?.aborted !== true ? waits.next().value : undefined;
      if (wait === undefined || clock.monotonic() + wait > ends) throw error;
      onFailure?.(error);
      await sleep(clock, wait, signal).catch(() => undefined);
    }
  }
}

function rawDelay({ shape, base }: RetryPolicy, retry: number): number {
  if (shape === 'fixed') return base;
  if (shape === 'linear') return base * (retry + 1);
  // 2^52 caps the exponent long before the product would lose precision.
  return base * 2 ** Math.min(retry, 52);
}
