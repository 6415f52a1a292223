/** What every verb gets: where the database is, how to print, when to stop; and what every verb's end looks like. */
import { accessSync, constants, existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import pc from 'picocolors';
import { asBridgeError, BridgeError, type ErrorReport } from '../core/errors.ts';
import { type JsonValue, writeJson } from '../core/json.ts';
import { sleep, systemClock } from '../runtime/clock.ts';
import { goesToJournal } from '../runtime/journal.ts';
import { type LogLevel, LogLevels, logLevelOf } from '../runtime/log-levels.ts';
import { createLogger, type Logger } from '../runtime/logger.ts';
import { printable } from './views/printable.ts';

export const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;
/** Usage errors of `health`, where 2 means unhealthy. */
export const HEALTH_USAGE = 3;

export interface Context {
  readonly databasePath: string;
  readonly json: boolean;
  readonly log: Logger;
  /** What is logged; may be changed. */
  readonly levels: LogLevels;
  /** Aborted by SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
  /** Prints the verb's one JSON document with --json, else the text. */
  print(document: JsonValue, text: () => string): void;
}

export interface GlobalOptions {
  readonly db?: string;
  readonly json?: boolean;
  readonly logLevel?: string;
}

/** The database: --db, DLMS_DB, the unit's state directory, the system's place, or ./data (CLI.md). */
function databasePath(given: string | undefined): string {
  const chosen = given ?? process.env.DLMS_DB;
  if (chosen !== undefined && chosen !== '') return chosen;
  const state = process.env.STATE_DIRECTORY;
  if (state !== undefined && state !== '') return join(state.split(':')[0] ?? state, 'dlms.db');
  // An installed package has made the directory; the first `init` belongs there.
  if (existsSync(SYSTEM_DATABASE) || may(dirname(SYSTEM_DATABASE), constants.W_OK)) return SYSTEM_DATABASE;
  const own = join('data', 'dlms.db');
  if (existsSync(own)) return own;
  // Who may not look in there is told so, rather than that there is no database.
  const isHidden = existsSync(dirname(SYSTEM_DATABASE)) && !may(dirname(SYSTEM_DATABASE), constants.X_OK);
  return isHidden ? SYSTEM_DATABASE : own;
}

/** The one of the service. */
export const SYSTEM_DATABASE = '/var/lib/dlms-multi-meter/dlms.db';

function may(directory: string, mode: number): boolean {
  try {
    accessSync(directory, mode);
    return true;
  } catch {
    return false;
  }
}

/** Codes that say the input was wrong and nothing was done. */
const USAGE_CODES: ReadonlySet<string> = new Set([
  'USAGE',
  'INVALID_VALUE',
  'INVALID_LINK',
  'INVALID_POINT',
  'FILE_INVALID',
  'SECRET_UNREADABLE',
  'DUPLICATE_KEY',
  'DUPLICATE_TOKEN',
  'ALREADY_EXISTS',
  'NOT_FOUND',
  'UNSUPPORTED',
]);

function exitStatusOf(error: BridgeError): number {
  if (error.code === 'INTERRUPTED') return EXIT.interrupted;
  return USAGE_CODES.has(error.code) ? EXIT.usage : EXIT.failed;
}

export function printError(report: ErrorReport, json: boolean): void {
  if (json) {
    process.stdout.write(`${writeJson({ error: { ...report } })}\n`);
    return;
  }
  const colour = pc.createColors(process.stderr.isTTY === true);
  const told = `${colour.red(`${report.code}:`)} ${report.message}\n  ${colour.dim(`fault: ${report.fault}; ${report.hint}`)}`;
  const priority = goesToJournal(2) ? '<3>' : '';
  process.stderr.write(
    printable(told)
      .split('\n')
      .map((line) => `${priority}${line}\n`)
      .join(''),
  );
}

export interface VerbOptions {
  /** Default level of the log on stderr; verbs for people are quiet. */
  readonly logLevel?: LogLevel;
  /** The daemon logs to stdout, where journald reads priorities. */
  readonly logTo?: 'stdout' | 'stderr';
  /** Exit status of usage errors, where 2 means something else. */
  readonly usageStatus?: number;
}

/** Makes a commander action of a verb: context in, exit status out, errors printed as CLI.md promises. */
export function verb(
  run: (context: Context, command: Command) => Promise<number | undefined> | number | undefined,
  options: VerbOptions = {},
): (...parameters: unknown[]) => Promise<void> {
  return async (...parameters) => {
    const command = parameters.at(-1) as Command;
    const globals = command.optsWithGlobals<GlobalOptions>();
    const json = globals.json === true;
    const stop = new AbortController();
    const interrupt = (): void => stop.abort(new BridgeError('INTERRUPTED', 'stopped by a signal'));
    process.once('SIGINT', interrupt);
    process.once('SIGTERM', interrupt);
    try {
      const [descriptor, destination] =
        options.logTo === 'stdout' && !json ? ([1, process.stdout] as const) : ([2, process.stderr] as const);
      const { logLevel } = globals;
      const levels = new LogLevels(logLevel === undefined ? (options.logLevel ?? 'warn') : logLevelOf(logLevel));
      const log = createLogger({
        level: levels,
        destination,
        journal: goesToJournal(descriptor),
      });
      const print = (document: JsonValue, text: () => string): void => {
        // What goes into a file or to a program goes as it is.
        const shown = process.stdout.isTTY === true ? printable : (told: string): string => told;
        process.stdout.write(json ? `${writeJson(document)}\n` : ensureNewline(shown(text())), tellLost);
      };
      process.exitCode =
        (await run(
          { databasePath: databasePath(globals.db), json, log, levels, signal: stop.signal, print },
          command,
        )) ?? EXIT.done;
    } catch (thrown) {
      const error = interruptionOf(thrown, stop.signal) ?? asBridgeError(thrown);
      printError(error.report(), json);
      const status = exitStatusOf(error);
      process.exitCode = status === EXIT.usage ? (options.usageStatus ?? status) : status;
    } finally {
      process.off('SIGINT', interrupt);
      process.off('SIGTERM', interrupt);
    }
  };
}

/** What a prompt or wait throws when the user gives up, in our words; null for anything else. */
function interruptionOf(thrown: unknown, signal: AbortSignal): BridgeError | null {
  if (signal.aborted) return asBridgeError(signal.reason);
  const aborted = thrown instanceof Error && thrown.name === 'AbortError';
  return aborted ? new BridgeError('INTERRUPTED', 'given up') : null;
}

/** A result that did not get out is a failure, but who wanted no more of it (`| head`) has what he wants. */
function tellLost(error: NodeJS.ErrnoException | null | undefined): void {
  if (error === null || error === undefined || error.code === 'EPIPE') return;
  printError(new BridgeError('OUTPUT_FAILED', error.message).report(), false);
  process.once('exit', () => {
    process.exitCode ||= EXIT.failed;
  });
}

function ensureNewline(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}

/** Resolves when the user or the system wants an end. */
export async function untilStopped(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/** The same, or after `ms` milliseconds; Infinity for no limit. */
export async function untilOver(signal: AbortSignal, ms: number): Promise<void> {
  if (ms === Number.POSITIVE_INFINITY) return untilStopped(signal);
  // The signal ends the wait early, which is no failure.
  await sleep(systemClock, ms, signal).catch(() => undefined);
}
