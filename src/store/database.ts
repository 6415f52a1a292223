/** The database file: making it, opening it, transactions. Every failure comes out as a BridgeError. */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { sameBytes } from '../core/bytes.ts';
import { fail } from '../core/errors.ts';
import { keyCheck, openingKey, sealingBy, writeKeyCheck } from './database-key.ts';
import { mapped, storeError } from './errors.ts';
import { createKeyFile, keyFileOf, makeDurable, ownAsDirectory, readKeyFile } from './key-file.ts';
import { APPLICATION_ID, latestVersion, migrate, refuseNewer, schemaVersion } from './migrations.ts';
import type { Sealing } from './sealing.ts';

/** Waiting for a lock blocks the event loop: the daemon's main thread hardly waits, a command may. */
export const DAEMON_BUSY_MS = 20;
export const COMMAND_BUSY_MS = 5000;

export interface OpenOptions {
  /** No migration, no writes. */
  readonly readonly?: boolean;
  /** How long to wait for another process's lock, blocking; COMMAND_BUSY_MS when not given. */
  readonly busyTimeoutMs?: number;
}

export interface Database {
  /** The real path of the file, symbolic links resolved: what lies beside it is found from here. */
  readonly path: string;
  readonly sql: BetterSqlite3.Database;
  /**
   * What opens and seals secrets; the key is read at the first call, so that who needs no secret needs no key.
   * Throws SEALING_KEY_*.
   */
  sealing(): Sealing;
  /**
   * To be asked within a transaction before it writes: a file that was restored, or whose key was rotated, since this
   * handle was opened must not get what was meant for the one before. Throws DATABASE_LOCKED.
   */
  requireSame(): void;
  close(): void;
}

/**
 * Opens an existing database and brings its schema up to date.
 * Throws DATABASE_MISSING, NOT_INITIALISED, DATABASE_TOO_NEW, DATABASE_TOO_OLD (read-only), DATABASE_*.
 */
export function openDatabase(path: string, options: OpenOptions = {}): Database {
  const file = existingFile(path);
  refuseUnfinished(file);
  const inode = inodeOf(file);
  const sql = connect(file, options);
  try {
    if (schemaVersion(sql) === 0) fail('NOT_INITIALISED', `${file} is empty`);
    bringUpToDate(sql, file, options.readonly === true);
    return handle(file, sql, inode);
  } catch (error) {
    sql.close();
    throw storeError(error, file);
  }
}

/**
 * Makes directory, sealing key and database, each where it is missing, and opens the database: doing it again changes
 * nothing. A key that is lost is not replaced: throws SEALING_KEY_MISSING when a database is there without it.
 */
export function initDatabase(path: string): Database {
  const wanted = resolve(path);
  const file = mapped(wanted, () => {
    mkdirSync(dirname(wanted), { recursive: true, mode: 0o750 });
    return existsSync(wanted) ? realpathSync(wanted) : join(realpathSync(dirname(wanted)), basename(wanted));
  });
  const key = keyFileOf(file);
  // The key first: a database never stands without one, so a missing key always means a lost one.
  if (!existsSync(file)) {
    if (!existsSync(key.path)) createKeyFile(key.path);
    createEmptyFile(file);
  }
  refuseUnfinished(file);
  const inode = inodeOf(file);
  const sql = connect(file, {});
  try {
    if (schemaVersion(sql) === 0 && !existsSync(key.path)) createKeyFile(key.path);
    bringUpToDate(sql, file, false);
    const database = handle(file, sql, inode);
    setKeyCheck(database);
    database.sealing();
    return database;
  } catch (error) {
    sql.close();
    throw storeError(error, file);
  }
}

/** Runs `action` in one write transaction: all of it or nothing. Not to be nested. Failures as BridgeErrors. */
export function inTransaction<T>({ sql, path, requireSame }: Database, action: () => T): T {
  const checked = sql.transaction((): T => {
    requireSame();
    return action();
  });
  return mapped(path, () => checked.immediate());
}

/** Runs `action` as in a write transaction and takes all of it back: what would come of it. Failures as BridgeErrors. */
export function inTrial<T>({ sql, path }: Database, action: () => T): T {
  return mapped(path, () => {
    sql.exec('BEGIN IMMEDIATE');
    try {
      return action();
    } finally {
      // A failure may have ended it already.
      if (sql.inTransaction) sql.exec('ROLLBACK');
    }
  });
}

/** Runs `action` on one consistent state of the database, whatever others write meanwhile. */
export function inSnapshot<T>({ sql, path }: Database, action: () => T): T {
  return mapped(path, () => sql.transaction(action).deferred());
}

/** Reads the whole file and compares it with itself (PRAGMA quick_check). Throws DATABASE_CORRUPT. */
export function checkDatabase({ sql, path }: Database): void {
  const verdict = mapped(path, () => String(sql.pragma('quick_check(1)', { simple: true })));
  if (verdict !== 'ok') fail('DATABASE_CORRUPT', `${path}: ${verdict}`);
}

/** The real path. Throws DATABASE_MISSING. */
export function existingFile(path: string): string {
  return mapped(path, () => realpathSync(path));
}

/** A restored database stands ready to take the place of this one (`backup/replacing.ts`). */
export function nextFileOf(file: string): string {
  return `${file}.next`;
}

function refuseUnfinished(file: string): void {
  if (!existsSync(nextFileOf(file))) return;
  fail('DATABASE_LOCKED', `${file} is being restored, or that was broken off`, {
    hint: 'try again; what was broken off is finished by the next start of the daemon, or by `dlms restore`',
  });
}

function inodeOf(file: string): string {
  const { dev, ino } = mapped(file, () => statSync(file));
  return `${dev} ${ino}`;
}

/** An empty file that may become a database. */
export function createEmptyFile(file: string): void {
  mapped(file, () => {
    // Group members may read (`status`); WAL and shared memory file take over the mode.
    closeSync(openSync(file, 'wx', 0o640));
    ownAsDirectory(file);
    makeDurable(dirname(file));
  });
}

function connect(file: string, { readonly = false, busyTimeoutMs = COMMAND_BUSY_MS }: OpenOptions) {
  return mapped(file, () => {
    const sql =
      readonly && cannotShare(file)
        ? imageOf(file)
        : new BetterSqlite3(file, { readonly, fileMustExist: true, timeout: busyTimeoutMs });
    try {
      // Octets in KiB. The build's own is 16 MB a handle: after an outage the daemon's would fill with delivered rows.
      sql.pragma('cache_size = -2000');
      refuseForeign(sql, file);
      if (!readonly) setUp(sql, file);
      return sql;
    } catch (error) {
      sql.close();
      throw error;
    }
  });
}

/**
 * A write-ahead log that its last writer has closed is gone, and reading would make a new one: not where the directory
 * may not be written (an operator in the group of the service, with the daemon down). Then the file alone is complete.
 */
function cannotShare(file: string): boolean {
  if (existsSync(`${file}-wal`)) return false;
  try {
    accessSync(dirname(file), constants.W_OK);
    return false;
  } catch {
    return true;
  }
}

/** The file as it is, in memory. Octets 18 and 19 of its header say "write-ahead log", which memory has none of. */
function imageOf(file: string): BetterSqlite3.Database {
  const image = readFileSync(file);
  if (image.length >= 20) image.fill(1, 18, 20);
  const sql = new BetterSqlite3(image);
  sql.pragma('query_only = ON');
  return sql;
}

function refuseForeign(sql: BetterSqlite3.Database, file: string): void {
  const id = Number(sql.pragma('application_id', { simple: true }));
  const tables = sql.prepare<[], { n: number }>('SELECT count(*) AS n FROM sqlite_schema').get()?.n ?? 0;
  if (id === APPLICATION_ID || (id === 0 && tables === 0)) return;
  fail('DATABASE_CORRUPT', `${file} is a SQLite database of another program`, {
    fault: 'config',
    hint: 'give --db another path',
  });
}

function setUp(sql: BetterSqlite3.Database, file: string): void {
  const mode = String(sql.pragma('journal_mode = WAL', { simple: true }));
  if (mode !== 'wal') fail('DATABASE_ERROR', `${file}: the file system allows no write-ahead log (${mode})`);
  // The build would drop to NORMAL in WAL mode: a commit would not survive the loss of power.
  sql.pragma('synchronous = FULL');
  // What undoing a statement needs would stand in a file: octets written for nothing.
  sql.pragma('temp_store = MEMORY');
  sql.pragma('foreign_keys = ON');
  sql.pragma('journal_size_limit = 16777216');
}

function bringUpToDate(sql: BetterSqlite3.Database, file: string, readonly: boolean): void {
  if (!readonly) {
    migrate(sql);
    return;
  }
  refuseNewer(sql);
  const found = schemaVersion(sql);
  if (found < latestVersion()) fail('DATABASE_TOO_OLD', `${file} has schema version ${found}`, { facts: { found } });
}

function handle(path: string, sql: BetterSqlite3.Database, inode: string): Database {
  let opened: Sealing | null = null;
  let checkedWith: Uint8Array | null = null;
  const database: Database = {
    path,
    sql,
    sealing() {
      checkedWith ??= mapped(path, () => keyCheck(sql));
      opened ??= sealingBy(database, openingKey(database).key);
      return opened;
    },
    requireSame() {
      const isSame =
        inodeOf(path) === inode && (checkedWith === null || sameBytes(checkedWith, keyCheck(sql) ?? EMPTY));
      if (isSame) return;
      fail('DATABASE_LOCKED', `${path} was restored, or got another key, meanwhile`, { hint: 'do it again' });
    },
    close: () => mapped(path, () => void sql.close()),
  };
  return database;
}

const EMPTY = new Uint8Array(0);

function setKeyCheck(database: Database): void {
  inTransaction(database, () => {
    if (keyCheck(database.sql) !== null) return;
    writeKeyCheck(database.sql, readKeyFile(keyFileOf(database.path)));
  });
}
