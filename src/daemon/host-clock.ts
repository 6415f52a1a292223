/** The host's clock in the daemon: what the system says of it, and what becomes of rows that were stamped in doubt. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { Clock } from '../runtime/clock.ts';
import { HostTime } from '../runtime/host-time.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Writer } from '../store/local/types.ts';

/** There while systemd-timesyncd runs; the file in it from the first synchronisation on. */
const SERVICE = '/run/systemd/timesync';
const SYNCHRONISED = `${SERVICE}/synchronized`;

function isSynchronised(): boolean | null {
  return existsSync(SERVICE) ? existsSync(SYNCHRONISED) : null;
}

export class HostClock {
  readonly time: HostTime;
  private readonly writer: Writer;
  private readonly log: Logger;
  private readonly process = randomBytes(4).toString('hex');
  private readonly unwritten: { readonly doubt: string; readonly correctionMs: number }[] = [];
  private told: string | null = null;
  private othersReleased = false;

  constructor(clock: Clock, writer: Writer, log: Logger, synchronised = isSynchronised) {
    this.writer = writer;
    this.log = log;
    this.time = new HostTime(clock, synchronised, this.process);
  }

  /** To be called each second. Rejects with DATABASE_*; the next call goes on. */
  async look(): Promise<void> {
    const doubt = this.time.doubt();
    if (doubt !== null && doubt !== this.told) {
      this.log.warn({}, "the host's clock is not believed for now: readings are kept back until it is");
    }
    if (doubt === null && this.told !== null) this.log.info({}, "the host's clock is believed");
    this.told = doubt;
    this.unwritten.push(...this.time.settled());
    for (let next = this.unwritten[0]; next !== undefined; next = this.unwritten[0]) {
      const rows = await this.writer.settleDoubt(next.doubt, next.correctionMs);
      this.unwritten.shift();
      if (rows > 0)
        this.log.info({ rows, correctionMs: next.correctionMs }, 'the times of kept readings were put right');
    }
    if (doubt !== null || this.othersReleased) return;
    const rows = await this.writer.releaseDoubts(this.process);
    this.othersReleased = true;
    if (rows > 0) this.log.warn({ rows }, 'readings of an earlier run, whose clock was not believed, go as they are');
  }
}
