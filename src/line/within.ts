/** Waiting for what may take too long. */
import type { Clock, Timer } from '../runtime/clock.ts';

/** What the promise gives, or false when that takes longer than so many milliseconds. */
export async function within(awaited: Promise<boolean>, ms: number, clock: Clock): Promise<boolean> {
  const timers: Timer[] = [];
  const late = new Promise<boolean>((resolve) => {
    timers.push(clock.setTimer(ms, () => resolve(false)));
  });
  try {
    return await Promise.race([awaited, late]);
  } finally {
    for (const timer of timers) timer.cancel();
  }
}
