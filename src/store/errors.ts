/** What SQLite and the file system say, in the words of this program. */
import { existsSync } from 'node:fs';
import BetterSqlite3 from 'better-sqlite3';
import { BridgeError, type ErrorCode } from '../core/errors.ts';

/** By SQLite's result code; an extended code (`SQLITE_IOERR_WRITE`) is looked up first, then its primary one. */
const BY_SQLITE_CODE: Readonly<Record<string, ErrorCode>> = {
  SQLITE_BUSY: 'DATABASE_LOCKED',
  SQLITE_LOCKED: 'DATABASE_LOCKED',
  SQLITE_FULL: 'DATABASE_FULL',
  // The shared memory file of the WAL could not be made larger: there is only one reason for that.
  SQLITE_IOERR_SHMSIZE: 'DATABASE_FULL',
  SQLITE_CORRUPT: 'DATABASE_CORRUPT',
  SQLITE_NOTADB: 'DATABASE_CORRUPT',
  SQLITE_READONLY: 'DATABASE_DENIED',
  SQLITE_READONLY_DBMOVED: 'DATABASE_MISSING',
  SQLITE_PERM: 'DATABASE_DENIED',
  SQLITE_AUTH: 'DATABASE_DENIED',
};

const BY_SYSTEM_CODE: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'DATABASE_FULL',
  EDQUOT: 'DATABASE_FULL',
  EACCES: 'DATABASE_DENIED',
  EPERM: 'DATABASE_DENIED',
  EROFS: 'DATABASE_DENIED',
  ENOENT: 'DATABASE_MISSING',
  ENOTDIR: 'DATABASE_MISSING',
};

/** Any failure of better-sqlite3 or node:fs on the database at `path`; a BridgeError stays what it is. */
export function storeError(thrown: unknown, path: string): BridgeError {
  if (thrown instanceof BridgeError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const facts = thrown instanceof BetterSqlite3.SqliteError ? { sqlite: thrown.code } : {};
  return new BridgeError(codeOf(thrown, path), `${path}: ${message}`, { cause: thrown, facts });
}

/** Whether SQLite itself found the file damaged, at work: a new start looks at the file, and repairs it. */
export function isDamage({ code, facts }: BridgeError): boolean {
  return code === 'DATABASE_CORRUPT' && facts.sqlite !== undefined;
}

function codeOf(thrown: unknown, path: string): ErrorCode {
  if (thrown instanceof BetterSqlite3.SqliteError) {
    const primary = /^SQLITE_[A-Z]+/.exec(thrown.code)?.[0] ?? '';
    if (primary === 'SQLITE_CANTOPEN') return existsSync(path) ? 'DATABASE_DENIED' : 'DATABASE_MISSING';
    return BY_SQLITE_CODE[thrown.code] ?? BY_SQLITE_CODE[primary] ?? 'DATABASE_ERROR';
  }
  if (thrown instanceof Error && 'code' in thrown) {
    return BY_SYSTEM_CODE[String(thrown.code)] ?? 'DATABASE_ERROR';
  }
  // better-sqlite3 reports a missing directory as a bare TypeError.
  if (thrown instanceof TypeError && thrown.message.includes('directory does not exist')) return 'DATABASE_MISSING';
  return 'DATABASE_ERROR';
}

/** The result of `action`, its failures as BridgeErrors. */
export function mapped<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw storeError(error, path);
  }
}
