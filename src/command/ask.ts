/** The other side of commands: who asks adds one, watches it, and has its result. */
import { BridgeError, errorOfReport } from '../core/errors.ts';
import { type JsonValue, parseJson } from '../core/json.ts';
import { type Clock, sleep } from '../runtime/clock.ts';
import type { Database } from '../store/database.ts';
import {
  addCommand,
  cancelCommand,
  changeCommand,
  commandError,
  commandParts,
  loadCommand,
  type StoredCommand,
  sealError,
} from '../store/local/commands.ts';
import { lostError } from './executor.ts';
import { encodeRequest, isWrite, type MeterRequest, subjectOf } from './requests.ts';
import { isOver, TRANSITIONS } from './states.ts';
import type { ResultDocument } from './work.ts';

export interface Question {
  /** Writable. */
  readonly database: Database;
  readonly meter: string;
  readonly request: MeterRequest;
  /** `cli:NAME(UID)`. */
  readonly requestedBy: string;
  /** Milliseconds that it may take, waiting for its turn included. */
  readonly withinMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Whether somebody is there to do it. */
  daemonRuns(): boolean;
  onProgress(text: string): void;
}

const LOOK_EVERY_MS = 20;
const LOOK_FOR_DAEMON_EVERY_MS = 1000;

/**
 * Has the daemon do it. Throws what the command failed with, COMMAND_EXPIRED, COMMAND_CANCELLED, STOPPING when the daemon
 * went before it began, COMMAND_OUTCOME_UNKNOWN or COMMAND_INTERRUPTED when it went meanwhile, or the signal's reason.
 */
export async function askDaemon(question: Question): Promise<ResultDocument> {
  const { database, request, meter, requestedBy, withinMs, clock } = question;
  const createdAt = clock.now();
  const id = addCommand(database, {
    meter,
    verb: request.verb,
    subject: subjectOf(request),
    arguments: encodeRequest(request),
    requestedBy,
    idempotencyKey: null,
    createdAt,
    deadline: createdAt + withinMs,
  });
  const ended = await untilOver(question, id);
  if (ended.state === 'done') return commandResult(database, id) ?? {};
  throw errorOf(database, ended);
}

/** The result of a command that is done; null when it is no longer kept. */
export function commandResult(database: Database, id: number): ResultDocument | null {
  const [document, ...portions] = commandParts(database, id).map(parseJson);
  if (document === undefined || document === null || Array.isArray(document)) return null;
  if (portions.length === 0) return document as ResultDocument;
  return { ...(document as ResultDocument), rows: (portions as JsonValue[][]).flat() };
}

async function untilOver(question: Question, id: number): Promise<StoredCommand> {
  const { database, clock, signal, onProgress } = question;
  let seenVersion = -1;
  let progress: string | null = null;
  for (let daemonSeenAt = clock.monotonic(); ; ) {
    if (signal.aborted) {
      cancelCommand(database, id, clock.now());
      throw signal.reason;
    }
    const version = Number(database.sql.pragma('data_version', { simple: true }));
    if (version !== seenVersion) {
      seenVersion = version;
      const command = loadCommand(database, id);
      if (isOver(command.state)) return command;
      if (command.progress !== null && command.progress !== progress) onProgress(command.progress);
      progress = command.progress;
    }
    if (clock.monotonic() - daemonSeenAt > LOOK_FOR_DAEMON_EVERY_MS) {
      if (!question.daemonRuns()) return abandoned(question, id);
      daemonSeenAt = clock.monotonic();
    }
    // The signal is looked at next.
    await sleep(clock, LOOK_EVERY_MS, signal).catch(() => undefined);
  }
}

/** No daemon is left: what had not begun never will, and of the rest nobody knows more. */
function abandoned({ database, request, clock }: Question, id: number): StoredCommand {
  const at = clock.now();
  for (const [event, from, error] of [
    ['fail', ['queued'], new BridgeError('STOPPING', 'the daemon ended before it came to this')],
    ['lose', TRANSITIONS.lose.from, lostError(isWrite(request), 'the daemon ended while it was at this command')],
  ] as const) {
    const sealed = sealError(database.sealing(), id, error.report());
    changeCommand(database, { id, from, to: TRANSITIONS[event].to, at, code: error.code, error: sealed });
  }
  return loadCommand(database, id);
}

function errorOf(database: Database, { id, state }: StoredCommand): BridgeError {
  const report = commandError(database, id);
  if (report === null) return new BridgeError('COMMAND_CANCELLED', `the command was ${state}`);
  return errorOfReport(report);
}
