/** Back-off as an iterable value: whoever retries walks over the delays; nobody owns timers for it. */
export interface RetryPolicy {
  readonly shape: 'fixed' | 'linear' | 'exponential';
  /** First delay, milliseconds. */
  readonly base: number;
  /** Longest delay, milliseconds. */
  readonly max: number;
  /** How many retries; Infinity for ever. */
  readonly attempts: number;
  /** Full jitter (uniform between 0 and the delay) or none. */
  readonly jitter: 'full' | 'none';
}

/** The delays in milliseconds before each retry. `random` gives numbers in [0, 1). */
export function* delays(policy: RetryPolicy, random: () => number = Math.random): Generator<number, undefined> {
  for (let attempt = 0; attempt < policy.attempts; attempt += 1) {
    const delay = Math.min(policy.max, rawDelay(policy, attempt));
    yield policy.jitter === 'full' ? Math.round(delay * random()) : delay;
  }
  return undefined;
}

function rawDelay({ shape, base }: RetryPolicy, attempt: number): number {
  if (shape === 'fixed') return base;
  if (shape === 'linear') return base * (attempt + 1);
  // 2^52 caps the exponent long before the product would lose precision.
  return base * 2 ** Math.min(attempt, 52);
}
