/**
 * The database is looked at before the daemon uses it. One that is damaged is set aside and the newest backup that is good
 * takes its place, with whatever can still be read of the damaged one. Without a backup nothing is touched: an empty
 * database would only look as if all were well.
 */
import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { asBridgeError, BridgeError } from '../../core/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import { checkDatabase, type Database, existingFile, openDatabase } from '../database.ts';
import { mapped } from '../errors.ts';
import { settleKeyFiles } from '../key-rotation.ts';
import { createAlertJournal } from '../local/alerts.ts';
import { listBackups } from './backup.ts';
import { backupDirectoryOf } from './names.ts';
import { asideTimes, finishReplacing, removePrepared } from './replacing.ts';
import { type Restored, type RestoreOptions, type RestoreOutcome, restoreDatabase } from './restore.ts';

/** A second of reading from a good disk, a minute from a card: a larger file is looked at only when it is suspected. */
const LARGEST_CHECKED = 2 ** 31;
/** Damaged again so soon, it is the disk: another repair would only go on losing. */
const AT_MOST_EVERY_MS = 3_600_000;

/** Codes that speak of one backup: the one before it may be good. */
const BAD_BACKUP: ReadonlySet<string> = new Set(['DATABASE_CORRUPT', 'DATABASE_TOO_NEW', 'SEALING_KEY_WRONG']);

export interface Repair extends RestoreOutcome {
  /** What happened, for people: the text of the alert. */
  readonly detail: string;
}

/**
 * Ends what was broken off, and repairs. The caller holds the daemon's lock. Returns null where nothing was damaged.
 * Throws DATABASE_CORRUPT when it cannot be repaired, and what `openDatabase` throws.
 */
export function makeSound(databasePath: string, now: number, log: Logger): Repair | null {
  const file = existingFile(databasePath);
  finishReplacing(file);
  removePrepared(file);
  const damage = damageOf(file, log);
  const repair = damage === null ? null : repaired(file, damage, now, log);
  rmSync(suspicionOf(file), { force: true });
  settleKeyFiles(file);
  return repair;
}

/** The next start looks at all of the file, however large it is. */
export function suspect(file: string): void {
  mapped(file, () => writeFileSync(suspicionOf(file), ''));
}

/**
 * Restores the newest backup that is good; those that are not are told and passed over. null: there is none. Throws as
 * `restoreDatabase` does for reasons that are not the backup's.
 */
export function restoreNewest(options: Omit<RestoreOptions, 'backup'>, log: Logger): RestoreOutcome | null {
  for (const { file: backup } of listBackups(backupDirectoryOf(options.file))) {
    try {
      return restoreDatabase({ ...options, backup });
    } catch (thrown) {
      const { code, message } = asBridgeError(thrown);
      if (!BAD_BACKUP.has(code)) throw thrown;
      log.warn({ code }, `this backup cannot be used: ${message}`);
    }
  }
  return null;
}

/** What came with the backup and what did not, for people. */
export function restoredText({ counters, outbox }: Restored): string {
  const { salvaged, unreadable, unplaced } = outbox;
  return [
    `${salvaged} rows of the outbox were salvaged`,
    ...(unreadable === null ? ['how much else waited cannot be told'] : []),
    ...(unreadable === null || unreadable === 0 ? [] : [`${unreadable} rows could not be read`]),
    ...(unplaced === 0 ? [] : [`${unplaced} rows are for targets that the backup does not have`]),
    `invocation counters went on by ${counters.margin}`,
  ].join('; ');
}

function repaired(file: string, damage: BridgeError, now: number, log: Logger): Repair {
  log.error({ code: damage.code }, `the database is damaged: ${damage.message}`);
  const last = Math.max(...asideTimes(file).filter((time) => time <= now));
  if (now - last < AT_MOST_EVERY_MS) {
    const message = `${damage.message}; it was replaced only ${Math.round((now - last) / 60_000)} min ago`;
    throw new BridgeError('DATABASE_CORRUPT', message, {
      cause: damage,
      hint: 'look after the disk first (dmesg, smartctl), then `dlms restore --latest`',
    });
  }
  const alert = (restored: Database, outcome: Restored): void => {
    const detail = detailOf(outcome);
    createAlertJournal(restored.sql)({ kind: 'raise', code: 'DATABASE_REPAIRED', subject: 'daemon', at: now, detail });
  };
  const outcome = restoreNewest({ file, now, alsoWrite: alert }, log);
  if (outcome === null) {
    throw new BridgeError(
      'DATABASE_CORRUPT',
      `${damage.message}; no backup in ${backupDirectoryOf(file)} can be used`,
      {
        cause: damage,
        hint: 'nothing was changed; put a backup back with `dlms restore FILE`',
      },
    );
  }
  const { backup, aside } = outcome;
  const detail = detailOf(outcome);
  log.error({ backup, aside, ...outcome.outbox }, `${detail}; the damaged file is kept as ${aside}`);
  return { ...outcome, detail };
}

function detailOf(outcome: Restored): string {
  const { backup, takenAt } = outcome;
  const from = `${basename(backup)}${takenAt === null ? '' : ` of ${new Date(takenAt).toISOString()}`}`;
  return `the database was damaged and restored from ${from}: ${restoredText(outcome)}`;
}

/** Throws what speaks of no damage. */
function damageOf(file: string, log: Logger): BridgeError | null {
  const { size } = statSync(file);
  // Once there was something in it.
  if (size === 0 && listBackups(backupDirectoryOf(file)).length > 0) {
    return new BridgeError('DATABASE_CORRUPT', `${file} is empty`);
  }
  try {
    const database = openDatabase(file);
    try {
      if (size <= LARGEST_CHECKED || existsSync(suspicionOf(file))) checkDatabase(database);
      else log.info({ size }, 'the database is not checked at start, it is too large; its backups are');
    } finally {
      database.close();
    }
    return null;
  } catch (thrown) {
    const error = asBridgeError(thrown);
    // Another program's database is whole, and not ours to set aside.
    if (error.code !== 'DATABASE_CORRUPT' || error.fault === 'config') throw error;
    return error;
  }
}

function suspicionOf(file: string): string {
  return `${file}.suspect`;
}
