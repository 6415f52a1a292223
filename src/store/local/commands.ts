/**
 * Commands: work for a meter that an operator or ThingsBoard asks of the daemon. Who asks adds a row and watches it; the
 * daemon takes it and writes what came of it (`Writer.changeCommand`). What was asked and what came of it stand sealed.
 */
import type BetterSqlite3 from 'better-sqlite3';
import type { ErrorReport } from '../../core/errors.ts';
import { fail } from '../../core/errors.ts';
import { type Database, inTransaction } from '../database.ts';
import { mapped } from '../errors.ts';
import type { Sealing } from '../sealing.ts';

/** queued: waits for its turn on the line; running: it may have acted. What follows on these is final. */
export type CommandState = 'queued' | 'running' | 'done' | 'failed' | 'expired' | 'cancelled';

export interface NewCommand {
  /** The meter's name. */
  readonly meter: string;
  /** `read`, `set` ... */
  readonly verb: string;
  /** What it is about, for lists; never a value. */
  readonly subject: string;
  /** JSON; may hold secrets. */
  readonly arguments: string;
  /** `cli:NAME(UID)`. */
  readonly requestedBy: string;
  /** The same key again is the same command. */
  readonly idempotencyKey: string | null;
  /** Milliseconds UTC. */
  readonly createdAt: number;
  /** What has not begun by then never will. */
  readonly deadline: number;
}

export interface StoredCommand extends Omit<NewCommand, 'arguments' | 'idempotencyKey'> {
  readonly id: number;
  readonly state: CommandState;
  /** Somebody wants it ended though it runs. */
  readonly cancelRequested: boolean;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  /** How far it is, for people. */
  readonly progress: string | null;
  /** The error's code. */
  readonly code: string | null;
}

type CommandRow = Omit<StoredCommand, 'cancelRequested'> & { readonly cancelRequested: number };

const COLUMNS = `id, meter, verb, subject, requested_by AS requestedBy, created_at AS createdAt, deadline, state,
  cancel_requested AS cancelRequested, started_at AS startedAt, ended_at AS endedAt, progress, code`;

/** Adds a command and returns its id; that of the command which has the same idempotency key already. */
export function addCommand(database: Database, command: NewCommand): number {
  const { sql } = database;
  const sealing = database.sealing();
  return inTransaction(database, () => {
    const known = sql
      .prepare<[string | null], { id: number }>('SELECT id FROM command WHERE idempotency_key = ?')
      .get(command.idempotencyKey);
    if (known !== undefined) return known.id;
    const insert = sql.prepare(
      `INSERT INTO command (meter, verb, subject, arguments, requested_by, idempotency_key, created_at, deadline, state)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'queued')`,
    );
    const { meter, verb, subject, requestedBy, idempotencyKey, createdAt, deadline } = command;
    const id = Number(
      insert.run(meter, verb, subject, Buffer.alloc(0), requestedBy, idempotencyKey, createdAt, deadline)
        .lastInsertRowid,
    );
    // The id is part of what the arguments are sealed for, and is known only now.
    const sealed = sealing.seal(`command/arguments/${id}`, Buffer.from(command.arguments));
    sql.prepare('UPDATE command SET arguments = ? WHERE id = ?').run(sealed, id);
    return id;
  });
}

/** Looks at the commands that are not over yet; statements are prepared once. */
export function createOpenCommands({ sql, path }: Database): () => readonly StoredCommand[] {
  const select = sql.prepare<[], CommandRow>(
    `SELECT ${COLUMNS} FROM command WHERE state IN ('queued', 'running') ORDER BY id`,
  );
  return () => mapped(path, () => select.all().map(commandOf));
}

/** Throws NOT_FOUND. */
export function loadCommand({ sql, path }: Database, id: number): StoredCommand {
  const row = mapped(path, () =>
    sql.prepare<[number], CommandRow>(`SELECT ${COLUMNS} FROM command WHERE id = ?`).get(id),
  );
  return row === undefined ? fail('NOT_FOUND', `there is no command ${id}`) : commandOf(row);
}

/** The newest first. */
export function loadCommands({ sql, path }: Database, limit: number): readonly StoredCommand[] {
  const select = `SELECT ${COLUMNS} FROM command ORDER BY id DESC LIMIT ?`;
  return mapped(path, () => sql.prepare<[number], CommandRow>(select).all(limit).map(commandOf));
}

function commandOf({ cancelRequested, ...row }: CommandRow): StoredCommand {
  return { ...row, cancelRequested: cancelRequested === 1 };
}

/** The JSON that the command was given. Throws NOT_FOUND, SEALING_KEY_*. */
export function commandArguments(database: Database, id: number): string {
  const row = mapped(database.path, () =>
    database.sql.prepare<[number], { sealed: Buffer }>('SELECT arguments AS sealed FROM command WHERE id = ?').get(id),
  );
  if (row === undefined) return fail('NOT_FOUND', `there is no command ${id}`);
  return textOf(database.sealing().open(`command/arguments/${id}`, row.sealed));
}

/** Why it failed; null when it did not. */
export function commandError(database: Database, id: number): ErrorReport | null {
  const row = mapped(database.path, () =>
    database.sql
      .prepare<[number], { sealed: Buffer | null }>('SELECT error AS sealed FROM command WHERE id = ?')
      .get(id),
  );
  if (row === undefined || row.sealed === null) return null;
  return JSON.parse(textOf(database.sealing().open(`command/error/${id}`, row.sealed))) as ErrorReport;
}

/** The result's JSON texts from part `from` on, in order: the document, then portions of its rows. */
export function commandParts(database: Database, id: number, from = 0): readonly string[] {
  const rows = mapped(database.path, () =>
    database.sql
      .prepare<[number, number], { part: number; json: Buffer }>(
        'SELECT part, json FROM command_result WHERE command_id = ? AND part >= ? ORDER BY part',
      )
      .all(id, from),
  );
  const sealing = database.sealing();
  return rows.map(({ part, json }) => textOf(sealing.open(partPurpose(id, part), json)));
}

export function sealError(sealing: Sealing, id: number, report: ErrorReport): Uint8Array {
  return sealing.seal(`command/error/${id}`, Buffer.from(JSON.stringify(report)));
}

export function sealPart(sealing: Sealing, id: number, part: number, json: string): Uint8Array {
  return sealing.seal(partPurpose(id, part), Buffer.from(json));
}

function partPurpose(id: number, part: number): string {
  return `command/result/${id}/${part}`;
}

function textOf(octets: Uint8Array): string {
  return Buffer.from(octets).toString();
}

/**
 * Cancels a command that waits; asks the daemon to end one that runs. Returns the state that it has now. Throws NOT_FOUND.
 */
export function cancelCommand(database: Database, id: number, at: number): CommandState {
  const { sql } = database;
  return inTransaction(database, () => {
    sql.prepare("UPDATE command SET state = 'cancelled', ended_at = ? WHERE id = ? AND state = 'queued'").run(at, id);
    sql.prepare("UPDATE command SET cancel_requested = 1 WHERE id = ? AND state = 'running'").run(id);
    return loadCommand(database, id).state;
  });
}

/** Takes a command further when no daemon is left to do it; false when it was in none of the states. */
export function changeCommand(database: Database, change: CommandChange): boolean {
  return inTransaction(database, () => createCommandJournal(database.sql).change(change));
}

/** Removes commands that are over, one or all of them; returns how many. */
export function dropCommands(database: Database, id: number | null): number {
  const over = "state NOT IN ('queued', 'running')";
  return inTransaction(database, () =>
    id === null
      ? database.sql.prepare(`DELETE FROM command WHERE ${over}`).run().changes
      : database.sql.prepare(`DELETE FROM command WHERE id = ? AND ${over}`).run(id).changes,
  );
}

/** A step of a command that the daemon takes, from one of several states; nothing happens from any other. */
export interface CommandChange {
  readonly id: number;
  readonly from: readonly CommandState[];
  readonly to: CommandState;
  /** Milliseconds UTC. */
  readonly at: number;
  readonly code?: string;
  /** As `sealError` gives it. */
  readonly error?: Uint8Array;
}

/** A portion of a result, as `sealPart` gives it. */
export interface CommandPart {
  readonly id: number;
  readonly part: number;
  readonly json: Uint8Array;
  readonly progress?: string;
}

/** Times before which ended commands go, and the results of those that stay. Milliseconds UTC. */
export interface CommandPruning {
  readonly endedBefore: number;
  readonly resultsBefore: number;
}

/** What the writer does with commands; each call stands within a transaction of the caller. */
export interface CommandJournal {
  /** Whether the command was in one of the states. */
  change(change: CommandChange): boolean;
  addPart(part: CommandPart): void;
  prune(pruning: CommandPruning): void;
}

export function createCommandJournal(sql: BetterSqlite3.Database): CommandJournal {
  const change = sql.prepare<
    [string, string, number, string, number, string | null, Uint8Array | null, number, string]
  >(
    `UPDATE command SET state = ?,
       started_at = CASE ? WHEN 'running' THEN ? ELSE started_at END,
       ended_at = CASE ? WHEN 'running' THEN NULL ELSE ? END,
       code = ?, error = ?
     WHERE id = ? AND state IN (SELECT value FROM json_each(?))`,
  );
  // A command that was dropped leaves nobody to have a result.
  const addPart = sql.prepare(
    'INSERT OR REPLACE INTO command_result (command_id, part, json) SELECT id, ?, ? FROM command WHERE id = ?',
  );
  const progress = sql.prepare('UPDATE command SET progress = ? WHERE id = ?');
  const prune = sql.prepare('DELETE FROM command WHERE ended_at < ?');
  const pruneResults = sql.prepare(
    'DELETE FROM command_result WHERE command_id IN (SELECT id FROM command WHERE ended_at < ?)',
  );
  return {
    change({ id, from, to, at, code = null, error = null }) {
      return change.run(to, to, at, to, at, code, error, id, JSON.stringify(from)).changes > 0;
    },
    addPart({ id, part, json, progress: text }) {
      addPart.run(part, json, id);
      if (text !== undefined) progress.run(text, id);
    },
    prune({ endedBefore, resultsBefore }) {
      prune.run(endedBefore);
      pruneResults.run(resultsBefore);
    },
  };
}
