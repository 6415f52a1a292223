/**
 * A verb's work on a meter. A stored meter while the daemon runs: the daemon does it on its own line and association, asked
 * through the database. Without a daemon, and for a link: here, over a connection of its own.
 */
import { userInfo } from 'node:os';
import type { Command } from 'commander';
import { performAlone } from '../../command/alone.ts';
import { askDaemon } from '../../command/ask.ts';
import type { MeterRequest } from '../../command/requests.ts';
import type { ResultDocument } from '../../command/work.ts';
import { asBridgeError, BridgeError, fail } from '../../core/errors.ts';
import type { LearnedFact } from '../../meter/knowledge.ts';
import { sleep, systemClock } from '../../runtime/clock.ts';
import { acquireMeterWork, type DaemonLock, daemonRuns } from '../../store/daemon-lock.ts';
import { openDatabase } from '../../store/database.ts';
import { saveLearned } from '../../store/fleet/learned.ts';
import { requireMeter } from '../../store/fleet/load.ts';
import type { Context } from '../context.ts';
import type { MeterFlags } from '../flags/meter-flags.ts';
import { deadlineOf, type WorkFlags } from '../flags/work-flags.ts';
import { showProgress } from '../views/progress.ts';
import { namedMeter, onLineOf } from './one-meter.ts';

/** How often the right to the meters is asked for while another verb has it. */
const ASK_EVERY_MS = 100;

/**
 * Does what is asked of the meter that the verb names, whichever way, and resolves with the same document. Throws what the
 * verb throws, COMMAND_*, INTERRUPTED.
 */
export async function workOn(
  context: Context,
  command: Command,
  name: string,
  request: MeterRequest,
): Promise<ResultDocument> {
  const flags = command.opts<WorkFlags>();
  const withinMs = deadlineOf(flags, request);
  if (name.includes('://')) return alone(context, name, flags, request, withinMs);
  const lock = await rightToMeters(context, withinMs);
  if (lock === null) return throughDaemon(context, name, request, withinMs);
  try {
    return await alone(context, name, flags, request, withinMs);
  } finally {
    lock.release();
  }
}

/** The right to work with stored meters; null when the daemon has it. Throws COMMAND_EXPIRED when another verb keeps it. */
async function rightToMeters({ databasePath, signal }: Context, withinMs: number): Promise<DaemonLock | null> {
  for (const began = systemClock.monotonic(); ; ) {
    const lock = acquireMeterWork(databasePath);
    if (lock !== null) return lock;
    if (daemonRuns(databasePath)) return null;
    if (systemClock.monotonic() - began > withinMs) {
      fail('COMMAND_EXPIRED', 'another verb works with the meters of this database and did not end in time');
    }
    await sleep(systemClock, ASK_EVERY_MS, signal);
  }
}

async function throughDaemon(
  context: Context,
  meter: string,
  request: MeterRequest,
  withinMs: number,
): Promise<ResultDocument> {
  const { databasePath, signal } = context;
  const progress = showProgress(context);
  try {
    const database = openDatabase(databasePath);
    try {
      requireMeter(database, meter);
      return await askDaemon({
        database,
        meter,
        request,
        requestedBy: requester(),
        withinMs,
        clock: systemClock,
        signal,
        daemonRuns: () => daemonRuns(databasePath),
        onProgress: progress.show,
      });
    } finally {
      database.close();
    }
  } catch (thrown) {
    const error = asBridgeError(thrown);
    if (error.code !== 'DATABASE_DENIED') throw error;
    throw new BridgeError(error.code, `the daemon is asked through the database, which refuses: ${error.message}`, {
      cause: error,
      hint: 'run this as the user of the daemon (sudo -u dlms), or as one of the group dlms that may write the database and read its key',
    });
  } finally {
    progress.end();
  }
}

async function alone(
  context: Context,
  name: string,
  flags: MeterFlags,
  request: MeterRequest,
  withinMs: number,
): Promise<ResultDocument> {
  const meter = namedMeter(context, name, flags);
  const progress = showProgress(context);
  const late = new AbortController();
  const timer = systemClock.setTimer(withinMs, () =>
    late.abort(new BridgeError('COMMAND_EXPIRED', `it did not end within its ${Math.round(withinMs / 1000)} s`)),
  );
  try {
    const signal = AbortSignal.any([context.signal, late.signal]);
    return await onLineOf({ ...context, signal }, meter, (submit) =>
      performAlone(
        {
          clock: systemClock,
          knowledge: meter.knowledge,
          submit,
          keep: async (learned) => keepLearned(context, name, learned),
          onProgress: progress.show,
        },
        request,
      ),
    );
  } finally {
    timer.cancel();
    progress.end();
  }
}

/** The next poll need not ask what this verb has found out. A database that cannot be written must not fail the verb. */
function keepLearned({ databasePath, log }: Context, name: string, learned: readonly LearnedFact[]): void {
  if (learned.length === 0 || name.includes('://')) return;
  try {
    const database = openDatabase(databasePath);
    try {
      saveLearned(database, name, learned);
    } finally {
      database.close();
    }
  } catch (thrown) {
    log.debug({ meter: name, code: asBridgeError(thrown).code }, 'what was learned of the meter could not be kept');
  }
}

/** Who asks, for the journal. */
function requester(): string {
  try {
    const { username, uid } = userInfo();
    return `cli:${username}(${uid})`;
  } catch {
    // A user without an entry in the password file, as in a container.
    return `cli:(${process.getuid?.() ?? 'unknown'})`;
  }
}
