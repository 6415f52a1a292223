/**
 * One daemon per database: it holds `BEGIN EXCLUSIVE` on `<db>.lock` as long as it lives; the system lets go of it when
 * the process ends, however it ends. The database itself stays open to readers and commands.
 *
 * The lock file must only be opened through SQLite: a process that opens and closes a file by other means drops all
 * POSIX locks it holds on it.
 */
import { existsSync } from 'node:fs';
import BetterSqlite3 from 'better-sqlite3';
import { fail } from '../core/errors.ts';
import { existingFile } from './database.ts';
import { mapped, storeError } from './errors.ts';

/** Longer than the instant for which `daemonRuns` of another process may hold its shared lock. */
const PATIENCE_MS = 250;

export interface DaemonLock {
  release(): void;
}

/** Throws DAEMON_ALREADY_RUNNING, DATABASE_MISSING. */
export function acquireDaemonLock(databasePath: string): DaemonLock {
  const file = `${existingFile(databasePath)}.lock`;
  const sql = mapped(file, () => new BetterSqlite3(file, { timeout: PATIENCE_MS }));
  try {
    sql.exec('BEGIN EXCLUSIVE');
  } catch (thrown) {
    sql.close();
    const error = storeError(thrown, file);
    if (error.code !== 'DATABASE_LOCKED') throw error;
    return fail('DAEMON_ALREADY_RUNNING', `${file} is held by another daemon`);
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
