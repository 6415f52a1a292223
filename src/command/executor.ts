/**
 * The daemon's side of commands: finds the rows that others added, does their work on the meters' lines ahead of polls, and
 * writes what came of it. Every step is in the journal before it is taken; see `states.ts`.
 */
import { asBridgeError, BridgeError } from '../core/errors.ts';
import { sleep } from '../runtime/clock.ts';
import { delays, type RetryPolicy } from '../runtime/retry.ts';
import { commandArguments, createOpenCommands, type StoredCommand, sealError } from '../store/local/commands.ts';
import type { ExecutorDependencies } from './ports.ts';
import { decodeRequest, isWrite } from './requests.ts';
import { CommandRun } from './run.ts';
import { TRANSITIONS } from './states.ts';

/** How often the database is asked whether anything changed: a few microseconds each time. */
const LOOK_EVERY_MS = 50;
/** Commands under way at a time; the others wait in the database. */
const MOST_RUNS = 64;
const PRUNE_EVERY_MS = 3_600_000;
/** Ended commands stay for a week, their results for an hour. */
const KEEP_COMMANDS_MS = 7 * 86_400_000;
const KEEP_RESULTS_MS = 3_600_000;

/** The end of a command is told sooner or later, whatever keeps the database from taking it now. */
const JOURNAL_RETRY: RetryPolicy = {
  shape: 'exponential',
  base: 250,
  max: 15_000,
  attempts: Number.POSITIVE_INFINITY,
  jitter: 'full',
};

export class CommandExecutor {
  private readonly deps: ExecutorDependencies;
  private readonly openCommands: () => readonly StoredCommand[];
  private readonly runs = new Map<number, { readonly run: CommandRun; readonly ended: Promise<void> }>();
  private readonly stopping = new AbortController();
  private loop: Promise<void> = Promise.resolve();
  private seenVersion = -1;

  constructor(deps: ExecutorDependencies) {
    this.deps = deps;
    this.openCommands = createOpenCommands(deps.database);
  }

  /** Settles what a daemon that died left running, then takes commands. */
  async start(): Promise<void> {
    for (const command of this.openCommands()) if (command.state === 'running') await this.settleLost(command);
    this.loop = this.follow();
  }

  /** Takes no more commands and ends those that do not act yet; resolves when all have ended. Lines have to be stopped too. */
  async stop(): Promise<void> {
    this.stopping.abort();
    for (const { run } of this.runs.values())
      run.end('fail', new BridgeError('STOPPING', 'the daemon stopped before it came to this'));
    await this.loop;
    await Promise.all([...this.runs.values()].map(({ ended }) => ended));
  }

  private async follow(): Promise<void> {
    const { clock, log } = this.deps;
    const { signal } = this.stopping;
    let pruneAt = Number.NEGATIVE_INFINITY;
    while (!signal.aborted) {
      try {
        this.look();
        if (clock.monotonic() >= pruneAt) {
          pruneAt = clock.monotonic() + PRUNE_EVERY_MS;
          await this.prune();
        }
      } catch (thrown) {
        const error = asBridgeError(thrown);
        log.error({ code: error.code }, `commands: ${error.message}`);
      }
      // Stopping ends the wait early, which is no failure.
      await sleep(clock, LOOK_EVERY_MS, signal).catch(() => undefined);
    }
  }

  private async prune(): Promise<void> {
    const { clock, writer } = this.deps;
    const now = clock.now();
    await writer.pruneCommands({ endedBefore: now - KEEP_COMMANDS_MS, resultsBefore: now - KEEP_RESULTS_MS });
  }

  /** Begins what is new and ends what is to be cancelled; costs next to nothing while nobody wrote. */
  private look(): void {
    const version = Number(this.deps.database.sql.pragma('data_version', { simple: true }));
    if (version === this.seenVersion) return;
    const open = this.openCommands();
    this.seenVersion = version;
    const waiting = new Set(open.map(({ id }) => id));
    for (const command of open) {
      const known = this.runs.get(command.id);
      if (known !== undefined) {
        if (command.cancelRequested) known.run.cancel();
      } else if (command.state === 'queued') {
        if (this.runs.size < MOST_RUNS) this.begin(command);
        // Looked at again when one has ended.
        else this.seenVersion = -1;
      }
    }
    // Cancelled in the database before its turn.
    for (const [id, { run }] of this.runs) if (!waiting.has(id)) run.cancel();
  }

  private begin(command: StoredCommand): void {
    const run = new CommandRun(command, this.deps);
    const ended = this.carryOut(run, command).finally(() => this.runs.delete(command.id));
    this.runs.set(command.id, { run, ended });
  }

  private async carryOut(run: CommandRun, command: StoredCommand): Promise<void> {
    const { log, database, writer, clock } = this.deps;
    const { id, meter, verb } = command;
    const outcome = await run.outcome();
    const { from, to } = TRANSITIONS[outcome.event];
    const sealed =
      outcome.error === null
        ? {}
        : { code: outcome.error.code, error: sealError(database.sealing(), id, outcome.error.report()) };
    log.info(
      { command: id, meter, verb, state: to, ...(outcome.error && { code: outcome.error.code }) },
      'command ended',
    );
    await this.journal(() => writer.changeCommand({ id, from, to, at: clock.now(), ...sealed }));
  }

  private async journal(write: () => Promise<unknown>): Promise<void> {
    const { clock, log } = this.deps;
    for (const delay of delays(JOURNAL_RETRY)) {
      try {
        await write();
        return;
      } catch (thrown) {
        const error = asBridgeError(thrown);
        log.error({ code: error.code }, `the end of a command is not stored: ${error.message}`);
        if (!error.retryable || this.stopping.signal.aborted) return;
        await sleep(clock, delay, this.stopping.signal).catch(() => undefined);
      }
    }
  }

  /** What was running when the daemon died is not begun again: of what changes a meter nobody knows whether it did. */
  private async settleLost(command: StoredCommand): Promise<void> {
    const { database, writer, clock, log } = this.deps;
    const { id, meter, verb } = command;
    const error = lostError(this.mayHaveActed(id), 'the daemon ended while it was at this command');
    log.warn({ command: id, meter, verb, code: error.code }, 'a command was under way when the daemon ended');
    const { from, to } = TRANSITIONS.lose;
    const sealed = sealError(database.sealing(), id, error.report());
    await writer.changeCommand({ id, from, to, at: clock.now(), code: error.code, error: sealed });
  }

  private mayHaveActed(id: number): boolean {
    try {
      return isWrite(decodeRequest(commandArguments(this.deps.database, id)));
    } catch (thrown) {
      this.deps.log.warn(
        { command: id, code: asBridgeError(thrown).code },
        'the arguments of a command cannot be read',
      );
      return true;
    }
  }
}

/** Why a command that was under way failed when nobody was left to tell. */
export function lostError(mayHaveActed: boolean, message: string): BridgeError {
  return new BridgeError(mayHaveActed ? 'COMMAND_OUTCOME_UNKNOWN' : 'COMMAND_INTERRUPTED', message);
}
