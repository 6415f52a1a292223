/**
 * One daemon per database: it holds `BEGIN EXCLUSIVE` on `<db>.lock` as long as it lives; the system lets go of it when
 * the process ends, however it ends. The database itself stays open to readers and commands.
 *
 * A verb that works with a meter by itself holds `BEGIN IMMEDIATE` on it meanwhile, which keeps a daemon and other such verbs
 * out and does not look like a daemon.
 *
 * The lock file must only be opened through SQLite: a process that opens and closes a file by other means drops all
 * POSIX locks it holds on it.
 */
import { existsSync } from 'node:fs';
import BetterSqlite3 from 'better-sqlite3';
import { fail } from '../core/errors.ts';
import { existingFile } from './database.ts';
import { mapped, storeError } from './errors.ts';
import { ownAsDirectory } from './key-file.ts';

/** Longer than the instant for which `daemonRuns` of another process may hold its shared lock. */
const PATIENCE_MS = 250;
/** A daemon that starts waits so long for a verb that works with a meter; blocking, as nothing else goes on yet. */
const DAEMON_PATIENCE_MS = 10_000;

export interface DaemonLock {
  release(): void;
}

/** Throws DAEMON_ALREADY_RUNNING, DATABASE_MISSING. */
export function acquireDaemonLock(databasePath: string): DaemonLock {
  const lock =
    lockBy('BEGIN EXCLUSIVE', databasePath, PATIENCE_MS) ??
    (daemonRuns(databasePath) ? null : lockBy('BEGIN EXCLUSIVE', databasePath, DAEMON_PATIENCE_MS));
  if (lock !== null) return lock;
  return fail('DAEMON_ALREADY_RUNNING', `${databasePath}.lock is held by ${holderOf(databasePath)}`);
}

/**
 * The right to work with the meters of this database without a daemon; null when a daemon or another verb has it
 * (`daemonRuns` tells which). Throws DATABASE_MISSING, DATABASE_DENIED.
 */
export function acquireMeterWork(databasePath: string): DaemonLock | null {
  return lockBy('BEGIN IMMEDIATE', databasePath, 0);
}

/**
 * The same, for what replaces the database or its key. Throws DAEMON_ALREADY_RUNNING.
 */
export function requireMeterWork(databasePath: string): DaemonLock {
  const lock = acquireMeterWork(databasePath);
  if (lock !== null) return lock;
  return fail('DAEMON_ALREADY_RUNNING', `${databasePath}.lock is held by ${holderOf(databasePath)}`);
}

function holderOf(databasePath: string): string {
  return daemonRuns(databasePath) ? 'a daemon' : 'a verb that works with a meter';
}

function lockBy(statement: string, databasePath: string, patienceMs: number): DaemonLock | null {
  const file = `${existingFile(databasePath)}.lock`;
  const isNew = !existsSync(file);
  const sql = mapped(file, () => new BetterSqlite3(file, { timeout: patienceMs }));
  if (isNew) mapped(file, () => ownAsDirectory(file));
  try {
    sql.exec(statement);
  } catch (thrown) {
    sql.close();
    const error = storeError(thrown, file);
    if (error.code !== 'DATABASE_LOCKED') throw error;
    return null;
  }
  return { release: () => void sql.close() };
}

/** Whether a daemon holds the lock of this database, in this process or another. Makes no file. */
export function daemonRuns(databasePath: string): boolean {
  const file = `${existingFile(databasePath)}.lock`;
  if (!existsSync(file)) return false;
  return mapped(file, () => {
    const sql = new BetterSqlite3(file, { readonly: true, fileMustExist: true, timeout: 0 });
    try {
      // Reading needs a shared lock, which an exclusive one does not let in.
      sql.prepare('SELECT count(*) FROM sqlite_schema').get();
      return false;
    } catch (thrown) {
      if (storeError(thrown, file).code !== 'DATABASE_LOCKED') throw thrown;
      return true;
    } finally {
      sql.close();
    }
  });
}
