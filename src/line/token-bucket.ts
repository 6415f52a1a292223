/** How many may begin per second: pure arithmetic on a time that is given. A second's worth may begin at once. */
export interface TokenBucket {
  readonly tokens: number;
  /** When there were so many, milliseconds. */
  readonly at: number;
}

export function fullBucket(perSecond: number, now: number): TokenBucket {
  return { tokens: perSecond, at: now };
}

export function refilled({ tokens, at }: TokenBucket, perSecond: number, now: number): TokenBucket {
  return { tokens: Math.min(perSecond, tokens + (Math.max(0, now - at) * perSecond) / 1000), at: now };
}

/** Milliseconds until there is a whole token; 0 when there is. */
export function waitForToken({ tokens }: TokenBucket, perSecond: number): number {
  return tokens >= 1 ? 0 : Math.ceil(((1 - tokens) * 1000) / perSecond);
}

export function withoutToken({ tokens, at }: TokenBucket): TokenBucket {
  return { tokens: tokens - 1, at };
}
