/** Waiting for what other processes bring about: looks again and again, with pauses that leave them the processor. */
import { performance } from 'node:perf_hooks';

const PAUSE_MS = 50;

export interface EventuallyOptions {
  readonly withinMs?: number;
  readonly pauseMs?: number;
}

/**
 * The first answer of `look` that is not null or false. After `withinMs` (default 60 s) it is given up, with what `look`
 * threw last, if it did.
 */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | null | false> | T | null | false,
  { withinMs = 60_000, pauseMs = PAUSE_MS }: EventuallyOptions = {},
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    let cause: unknown;
    try {
      const answer = await look();
      if (answer !== null && answer !== false) return answer;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > deadline) throw new Error(`waited ${withinMs} ms in vain until ${what}`, { cause });
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
