/** What becomes due on a line that has nothing to do: a sign of life for what stands, and in the end its closing. */
import type { Clock, Timer } from '../runtime/clock.ts';

export interface IdleWatchOptions {
  readonly clock: Clock;
  /** After so much silence `onSilent` is called, milliseconds; null never. */
  readonly keepAliveMs: number | null;
  /** After so long without work `onIdle` is called; null never. */
  readonly idleCloseMs: number | null;
  readonly onSilent: () => void;
  readonly onIdle: () => void;
}

export class IdleWatch {
  private readonly options: IdleWatchOptions;
  private readonly timers: Timer[] = [];
  private workedAt: number;

  constructor(options: IdleWatchOptions) {
    this.options = options;
    this.workedAt = options.clock.monotonic();
  }

  /** A job ended. A sign of life is none. */
  worked(): void {
    this.workedAt = this.options.clock.monotonic();
  }

  /** The line is quiet from now on. */
  begin(): void {
    const { clock, keepAliveMs, idleCloseMs, onSilent, onIdle } = this.options;
    this.end();
    if (keepAliveMs !== null) this.timers.push(clock.setTimer(keepAliveMs, onSilent));
    if (idleCloseMs !== null) {
      this.timers.push(clock.setTimer(this.workedAt + idleCloseMs - clock.monotonic(), onIdle));
    }
  }

  /** The line is used again, or gone. */
  end(): void {
    for (const timer of this.timers.splice(0)) timer.cancel();
  }
}
