/** Puts a backup in the place of the database: verified, brought up to date, with what the present one knows better. */
import { chmodSync, constants, copyFileSync, existsSync, realpathSync, statSync } from 'node:fs';
import { asBridgeError, BridgeError, fail } from '../../core/errors.ts';
import { checkDatabase, type Database, inTransaction, openDatabase } from '../database.ts';
import { mapped } from '../errors.ts';
import { keyFileOf, ownAsDirectory, readKeyFile } from '../key-file.ts';
import { reseal } from '../key-rotation.ts';
import { type CarriedOver, carryOver } from './carry-over.ts';
import { readCounterRecord, writeCounterRecord } from './counter-record.ts';
import { noteTime, titleIn } from './last-heard.ts';
import { finishReplacing, removePrepared, replaceByStaged, stagedFileOf } from './replacing.ts';
import { openPresent } from './salvage.ts';

/** Under which subject of the status a database says when it was restored. */
const RESTORE_SUBJECT = 'restore';

export interface RestoreOptions {
  /** The real path of the database that is replaced; the file may be missing or damaged. */
  readonly file: string;
  readonly backup: string;
  /** Milliseconds UTC. */
  readonly now: number;
  /** The key of the backup, where it is not the one of the database; everything is then sealed with that. */
  readonly backupKey?: Uint8Array;
  /** Something more to be written into the restored database. Within a transaction. */
  alsoWrite?(restored: Database, outcome: Restored): void;
}

export interface Restored extends CarriedOver {
  readonly backup: string;
}

export interface RestoreOutcome extends Restored {
  /** Under which name the database before is kept; null where there was none. */
  readonly aside: string | null;
}

/**
 * The caller keeps daemons and verbs that work with meters out. Broken off at any moment it leaves the database that was,
 * or the restored one. Throws DATABASE_CORRUPT, DATABASE_TOO_NEW, SEALING_KEY_* (of the backup; nothing was changed then),
 * DATABASE_LOCKED, DATABASE_*.
 */
export function restoreDatabase(options: RestoreOptions): RestoreOutcome {
  const { file, backup } = options;
  finishReplacing(file);
  removePrepared(file);
  try {
    const present = mapped(backup, () => {
      copyToStaged(file, backup);
      return openPresent(file, backup);
    });
    try {
      const restored = prepared(options, present);
      return { ...restored, aside: replaceByStaged(file) };
    } finally {
      present?.close();
    }
  } catch (thrown) {
    throw aboutBackup(thrown, file, backup);
  } finally {
    removePrepared(file);
  }
}

function copyToStaged(file: string, backup: string): void {
  if (!existsSync(backup)) fail('NOT_FOUND', `there is no file ${backup}`, { hint: 'look with `dlms backup list`' });
  if (realpathSync(backup) === file) fail('INVALID_VALUE', `${backup} is the database itself`);
  const staged = stagedFileOf(file);
  copyFileSync(backup, staged, constants.COPYFILE_FICLONE);
  // Of a file that was copied by hand.
  if (existsSync(`${backup}-wal`)) copyFileSync(`${backup}-wal`, `${staged}-wal`);
  chmodSync(staged, existsSync(file) ? statSync(file).mode & 0o777 : 0o640);
  ownAsDirectory(staged);
}

/** The copy as it will be used, in one file. */
function prepared(
  { file, backup, now, backupKey, alsoWrite }: RestoreOptions,
  present: ReturnType<typeof openPresent>,
): Restored {
  const restored = openDatabase(stagedFileOf(file));
  try {
    checkDatabase(restored);
    if (backupKey !== undefined) {
      const key = readKeyFile(keyFileOf(file));
      inTransaction(restored, () => reseal(restored, backupKey, key));
    }
    restored.sealing();
    const record = readCounterRecord(file, titleIn(restored.sql));
    const outcome = { backup, ...carryOver(restored, present, record, now) };
    inTransaction(restored, () => {
      noteTime(restored.sql, RESTORE_SUBJECT, now);
      alsoWrite?.(restored, outcome);
    });
    mapped(restored.path, () => restored.sql.pragma('journal_mode = DELETE'));
    // Before the database is in use: one that is not, after all, costs nothing but counters.
    writeCounterRecord(file, restored.sql, now);
    return outcome;
  } finally {
    restored.close();
  }
}

/** What is wrong with the copy is wrong with the backup. */
function aboutBackup(thrown: unknown, file: string, backup: string): BridgeError {
  const error = asBridgeError(thrown);
  const { code, message, fault, cause, facts } = error;
  if (!message.includes(stagedFileOf(file)) && code !== 'SEALING_KEY_WRONG') return error;
  const named = message.replaceAll(stagedFileOf(file), backup);
  const detail = { fault, cause, facts };
  if (code === 'SEALING_KEY_WRONG') {
    const hint = 'it was made with another sealing key: put that key file back, or name it with --key';
    return new BridgeError(code, `${backup}: ${named}`, { ...detail, hint });
  }
  if (code !== 'DATABASE_CORRUPT' && code !== 'NOT_INITIALISED') return new BridgeError(code, named, detail);
  return new BridgeError('DATABASE_CORRUPT', named, { ...detail, hint: 'take another one: `dlms backup list`' });
}
