/**
 * Backups: consistent copies of the database while it is in use. A copy is one file, which says within when it was made;
 * it appears under its name only when it was verified and is durable.
 */
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { BridgeError, fail } from '../../core/errors.ts';
import { type Database, openDatabase } from '../database.ts';
import { mapped, storeError } from '../errors.ts';
import { makeDurable, ownAsDirectory } from '../key-file.ts';
import { schemaVersion } from '../migrations.ts';
import { noteTime } from './last-heard.ts';
import { stampOf, timeIn } from './names.ts';

/** Under which subject of the status a copy says when it was made. */
const BACKUP_SUBJECT = 'backup';
const PREFIX = 'dlms-';
const SUFFIX = '.db';
const UNFINISHED = '.db.tmp';
/** A copy that was broken off so long ago is nobody's work any more. */
const ABANDONED_MS = 86_400_000;
/** Pages copied in one turn; in between a signal is heard. */
const PAGES_AT_ONCE = 4096;
/** What a backup leaves free at least: the outbox has to go on. */
const LEFT_FREE_OCTETS = 64 << 20;

export interface BackupFile {
  readonly file: string;
  /** Milliseconds UTC. */
  readonly takenAt: number;
  readonly bytes: number;
}

export interface Backup extends BackupFile {
  readonly schemaVersion: number;
  readonly meters: number;
  readonly outboxRows: number;
  /** Older backups that went. */
  readonly removed: readonly string[];
}

export interface BackupOptions {
  /** Made if it is not there. */
  readonly directory: string;
  /** How many stay; at least 1. */
  readonly keep: number;
  /** Milliseconds UTC. */
  readonly now: number;
  readonly signal: AbortSignal;
}

/** The newest first. Only files with names of ours count. */
export function listBackups(directory: string): readonly BackupFile[] {
  if (!existsSync(directory)) return [];
  return mapped(directory, () =>
    readdirSync(directory)
      .flatMap((name) => {
        const takenAt = timeIn(name, PREFIX, SUFFIX);
        const file = join(directory, name);
        return takenAt === null ? [] : [{ file, takenAt, bytes: statSync(file).size }];
      })
      .sort((a, b) => b.takenAt - a.takenAt),
  );
}

/** Copies the database as of one moment, then removes the oldest copies beyond `keep`. Throws DATABASE_*, the signal's reason. */
export async function createBackup(databasePath: string, options: BackupOptions): Promise<Backup> {
  const { directory, keep, now } = options;
  const database = openDatabase(databasePath, { readonly: true });
  try {
    makeDirectory(directory);
    removeAbandoned(directory, now);
    const file = join(directory, `${PREFIX}${stampOf(now)}${SUFFIX}`);
    const unfinished = join(directory, `${PREFIX}${stampOf(now)}${UNFINISHED}`);
    try {
      const figures = await copied(database, unfinished, options);
      mapped(file, () => renameSync(unfinished, file));
      makeDurable(directory);
      const removed = listBackups(directory).slice(keep);
      for (const { file: old } of removed) mapped(old, () => rmSync(old));
      return { file, takenAt: now, bytes: statSync(file).size, ...figures, removed: removed.map((one) => one.file) };
    } catch (thrown) {
      for (const left of [unfinished, `${unfinished}-journal`]) rmSync(left, { force: true });
      throw thrown;
    }
  } finally {
    database.close();
  }
}

function makeDirectory(directory: string): void {
  mapped(directory, () => {
    if (existsSync(directory)) return;
    mkdirSync(directory, { recursive: true, mode: 0o750 });
    ownAsDirectory(directory);
  });
}

function removeAbandoned(directory: string, now: number): void {
  for (const name of mapped(directory, () => readdirSync(directory))) {
    const begun = timeIn(name, PREFIX, UNFINISHED) ?? timeIn(name, PREFIX, `${UNFINISHED}-journal`);
    if (begun !== null && now - begun > ABANDONED_MS) rmSync(join(directory, name), { force: true });
  }
}

async function copied(database: Database, file: string, { directory, now, signal }: BackupOptions) {
  requireRoom(database, directory);
  mapped(file, () => {
    closeSync(openSync(file, 'wx', 0o600));
    chmodSync(file, statSync(database.path).mode & 0o777);
    ownAsDirectory(file);
  });
  try {
    // One transaction for all of it: a backup that sees others write would begin anew with each commit, for ever.
    database.sql.exec('BEGIN');
    database.sql.prepare('SELECT count(*) FROM sqlite_schema').get();
    await database.sql.backup(file, {
      progress: () => {
        signal.throwIfAborted();
        return PAGES_AT_ONCE;
      },
    });
  } catch (thrown) {
    throw signal.aborted ? signal.reason : storeError(thrown, file);
  } finally {
    if (database.sql.inTransaction) database.sql.exec('ROLLBACK');
  }
  return mapped(file, () => completed(file, now));
}

function requireRoom({ sql, path }: Database, directory: string): void {
  const octets = Number(sql.pragma('page_count', { simple: true })) * Number(sql.pragma('page_size', { simple: true }));
  const { bavail, bsize } = mapped(directory, () => statfsSync(directory));
  if (bavail * bsize >= octets + LEFT_FREE_OCTETS) return;
  fail('DATABASE_FULL', `${directory} has no room for a copy of ${path} (${octets} octets)`, {
    hint: 'make room, keep fewer copies (--keep), or have them elsewhere (--to)',
  });
}

/** Makes one file of the copy, which says when it was made, and looks whether it is whole. */
function completed(file: string, now: number) {
  const sql = new BetterSqlite3(file);
  try {
    sql.pragma('journal_mode = DELETE');
    sql.pragma('synchronous = FULL');
    noteTime(sql, BACKUP_SUBJECT, now);
    const verdict = String(sql.pragma('quick_check(1)', { simple: true }));
    if (verdict !== 'ok') throw new BridgeError('DATABASE_CORRUPT', `the database is damaged: ${verdict}`);
    const count = (table: string): number => Number(sql.prepare(`SELECT count(*) FROM ${table}`).pluck().get());
    return { schemaVersion: schemaVersion(sql), meters: count('meter'), outboxRows: count('outbox') };
  } finally {
    sql.close();
    makeDurable(file);
  }
}
