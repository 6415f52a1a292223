/** Making a backup, for the verbs that do. */
import { resolve } from 'node:path';
import { systemClock } from '../runtime/clock.ts';
import { type Backup, createBackup } from '../store/backup/backup.ts';
import { backupDirectoryOf } from '../store/backup/names.ts';
import { existingFile } from '../store/database.ts';
import type { Context } from './context.ts';

/** Two weeks of one each day. */
export const BACKUPS_KEPT = 14;

/** `to`: another directory than the one beside the database. */
export function backupDirectory({ databasePath }: Pick<Context, 'databasePath'>, to: string | undefined): string {
  return to === undefined ? backupDirectoryOf(existingFile(databasePath)) : resolve(to);
}

/** Throws DATABASE_*, INTERRUPTED. */
export function makeBackup(context: Context, to?: string, keep = BACKUPS_KEPT): Promise<Backup> {
  const { databasePath, signal } = context;
  return createBackup(databasePath, { directory: backupDirectory(context, to), keep, now: systemClock.now(), signal });
}
