/** The daemon's writer as its users see it: promises that stand for what is on the disk. */
import { fail } from '../../core/errors.ts';
import { type Clock, systemClock } from '../../runtime/clock.ts';
import { type Logger, silentLogger } from '../../runtime/logger.ts';
import { COMMAND_BUSY_MS, DAEMON_BUSY_MS } from '../database.ts';
import { createGroupCommit } from './group-commit.ts';
import { encodeReadings } from './readings.ts';
import type { WriterBackend } from './requests.ts';
import type { Writer } from './types.ts';
import { openWriterCore } from './writer-core.ts';
import { startWriterThread } from './writer-thread.ts';

/** How long requests may wait for others to share a transaction with, milliseconds. */
export interface WriterPatience {
  /** A cycle, which is not safe before. */
  commitMs(): number;
  /** What repeats itself when it is lost: acknowledgements, status. */
  othersMs(): number;
}

const NO_PATIENCE: WriterPatience = { commitMs: () => 0, othersMs: () => 0 };

export interface WriterOptions {
  /** In a worker thread (from the build only), or in this one, for tests. True when not given. */
  readonly thread?: boolean;
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** None when not given. */
  readonly patience?: WriterPatience;
  /** For tests of slow disks: how long each commit takes at least, milliseconds. */
  readonly commitDelayMs?: number;
}

/**
 * Opens the writer of the database at `path`; there is one per daemon, which holds the daemon lock.
 * Rejects with DATABASE_* as `openDatabase` throws them.
 */
export async function openWriter(path: string, options: WriterOptions = {}): Promise<Writer> {
  const { thread = true, clock = systemClock, logger = silentLogger, commitDelayMs = 0 } = options;
  const backend = thread
    ? await startWriterThread({
        entry: new URL('./writer-worker.js', import.meta.url),
        data: { path, options: { busyTimeoutMs: COMMAND_BUSY_MS, commitDelayMs } },
        clock,
        logger,
      })
    : inThisThread(path, commitDelayMs);
  return writerOn(backend, clock, options.patience);
}

/** Rows whose times are put right in one transaction: others want the writer too. */
const SETTLED_AT_ONCE = 200;

/** The writer over any backend. */
export function writerOn(backend: WriterBackend, clock: Clock, patience = NO_PATIENCE): Writer {
  const group = createGroupCommit(backend, clock);
  const { submit } = group;
  return {
    // async, so that readings that cannot be stored reject as everything else does.
    async commitCycle({ readings, learned = [], withheld = null, ...cycle }) {
      const stored = { readings: encodeReadings(readings), readingCount: readings.length };
      return submit({ kind: 'commit', ...cycle, ...stored, learned, withheld }, patience.commitMs());
    },
    async acknowledge(rowIds) {
      if (rowIds.length > 0) await submit({ kind: 'acknowledge', rowIds }, patience.othersMs());
    },
    async quarantine(rowIds, reason) {
      if (rowIds.length > 0) await submit({ kind: 'quarantine', rowIds, reason });
    },
    async saveStatus(entries) {
      if (entries.length > 0) await submit({ kind: 'status', entries, updatedAt: clock.now() }, patience.othersMs());
    },
    async settleDoubt(doubt, correctionMs) {
      let settled = 0;
      for (;;) {
        const [count = 0] = await submit({ kind: 'settle-doubt', doubt, correctionMs, limit: SETTLED_AT_ONCE });
        settled += count;
        if (count < SETTLED_AT_ONCE) return settled;
      }
    },
    async releaseDoubts(process) {
      const [count = 0] = await submit({ kind: 'release-doubts', process });
      return count;
    },
    async reserveCounters(keyId, count) {
      const [first] = await submit({ kind: 'reserve-counters', keyId, count });
      return first ?? fail('INTERNAL', 'the writer reserved no counters', { layer: 'store' });
    },
    async raiseCounter(keyId, atLeast) {
      await submit({ kind: 'raise-counter', keyId, atLeast });
    },
    async changeCommand(change) {
      const [changed] = await submit({ kind: 'change-command', change });
      return changed === 1;
    },
    async addCommandPart(part) {
      await submit({ kind: 'command-part', part });
    },
    async pruneCommands(pruning) {
      await submit({ kind: 'prune-commands', pruning });
    },
    async changeAlert(change) {
      await submit({ kind: 'change-alert', change });
    },
    async renameMeter(from, to) {
      await submit({ kind: 'rename-meter', from, to });
    },
    async followShared(change) {
      const [changes] = await submit({ kind: 'follow-shared', ...change });
      return changes !== 0;
    },
    async suspendDeleted(device, connectionId) {
      const [rows = 0] = await submit({ kind: 'suspend-deleted', device, connectionId });
      return rows;
    },
    hurry: () => group.hurry(),
    close: () => group.close(),
  };
}

function inThisThread(path: string, commitDelayMs: number): WriterBackend {
  const core = openWriterCore(path, { busyTimeoutMs: DAEMON_BUSY_MS, commitDelayMs });
  return {
    apply: async (requests) => core.apply(requests),
    close: async () => core.close(),
  };
}
