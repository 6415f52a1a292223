/** What the daemon does again and again, and what must not keep it from going on. */
import { asBridgeError, type BridgeError } from '../core/errors.ts';
import { type Clock, sleep } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';

export class Loops {
  private readonly clock: Clock;
  private readonly log: Logger;
  private readonly signal: AbortSignal;
  private readonly heed: (error: BridgeError) => void;
  private readonly running: Promise<void>[] = [];

  /** `signal`: aborted when the loops are to end. `heed`: hears of each failure. */
  constructor(clock: Clock, log: Logger, signal: AbortSignal, heed: (error: BridgeError) => void) {
    this.heed = heed;
    this.clock = clock;
    this.log = log;
    this.signal = signal;
  }

  /** Does something again and again until the end; a failure is logged and the next turn tries again. */
  every(ms: number, action: () => Promise<void> | void): void {
    this.running.push(this.turns(ms, action));
  }

  /** Does something once; a failure is logged. */
  async attempt(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (thrown) {
      const error = asBridgeError(thrown);
      this.heed(error);
      if (error.code !== 'STOPPING') this.log.error({ code: error.code }, error.message);
    }
  }

  /** Resolves when the last turns have ended. */
  async ended(): Promise<void> {
    await Promise.all(this.running);
  }

  private async turns(ms: number, action: () => Promise<void> | void): Promise<void> {
    while (!this.signal.aborted) {
      await this.attempt(async () => {
        await sleep(this.clock, ms, this.signal);
        await action();
      });
    }
  }
}
