/** `backup`: a consistent copy of the database, while the daemon works; `backup list` shows those that are there. */
import type { Command } from 'commander';
import { systemClock } from '../../runtime/clock.ts';
import { listBackups } from '../../store/backup/backup.ts';
import { existingFile } from '../../store/database.ts';
import { keyFileOf } from '../../store/key-file.ts';
import { BACKUPS_KEPT, backupDirectory, makeBackup } from '../backups.ts';
import { type Context, verb } from '../context.ts';
import { parseWhole } from '../flags/values.ts';
import { age } from '../views/figures.ts';
import { table } from '../views/table.ts';

interface BackupFlags {
  readonly to?: string;
  readonly keep: string;
}

const MOST = 100_000;

export function registerBackup(program: Command): void {
  const backup = program
    .command('backup')
    .description('copy the database, while the daemon works; the sealing key is not in the copy')
    .option('--to <directory>', 'where the copies are; else in backups, beside the database')
    .option('--keep <n>', 'how many copies stay there', String(BACKUPS_KEPT))
    .action(verb(make));
  backup.command('list').description('the copies that are there, the newest first').action(verb(list));
}

async function make(context: Context, command: Command): Promise<undefined> {
  const { to, keep } = command.opts<BackupFlags>();
  const { takenAt, ...backup } = await makeBackup(context, to, parseWhole('--keep', keep, 1, MOST));
  const key = keyFileOf(existingFile(context.databasePath)).path;
  context.print(
    { ...backup, takenAt: new Date(takenAt).toISOString(), key: { file: key, included: false } },
    () =>
      `${backup.file}: ${backup.meters} meters, ${backup.outboxRows} rows of the outbox, ${backup.bytes} octets.\n` +
      `It opens only with the sealing key ${key}, which is not in it: keep a copy of that in another place.`,
  );
  return undefined;
}

function list(context: Context, command: Command): undefined {
  const { to } = command.optsWithGlobals<BackupFlags>();
  const backups = listBackups(backupDirectory(context, to));
  context.print(
    backups.map(({ takenAt, ...backup }) => ({ ...backup, takenAt: new Date(takenAt).toISOString() })),
    () => {
      if (backups.length === 0) return 'No backups.';
      const now = systemClock.now();
      return table(
        ['BACKUP', 'AGE', 'OCTETS'],
        backups.map(({ file, takenAt, bytes }) => [file, age(takenAt, now), String(bytes)]),
      );
    },
  );
  return undefined;
}
