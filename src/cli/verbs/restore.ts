/** `restore [FILE]`: puts a backup in the place of the database, which is set aside. The daemon has to be down. */
import { existsSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { fail } from '../../core/errors.ts';
import { systemClock } from '../../runtime/clock.ts';
import { restoredText, restoreNewest } from '../../store/backup/repair.ts';
import { type RestoreOutcome, restoreDatabase } from '../../store/backup/restore.ts';
import { requireMeterWork } from '../../store/daemon-lock.ts';
import { createEmptyFile, existingFile } from '../../store/database.ts';
import { readKeyFile } from '../../store/key-file.ts';
import { settleKeyFiles } from '../../store/key-rotation.ts';
import { confirmed } from '../confirmation.ts';
import { type Context, verb } from '../context.ts';
import { age } from '../views/figures.ts';

interface RestoreFlags {
  readonly latest?: boolean;
  readonly key?: string;
  readonly yes?: boolean;
}

export function registerRestore(program: Command): void {
  program
    .command('restore [file]')
    .description('put a backup in the place of the database, which is set aside')
    .option('--latest', 'the newest backup that is good, of those beside the database')
    .option('--key <file>', 'the sealing key of the backup, where it was another')
    .option('--yes', 'confirms')
    .action(verb(restore));
}

async function restore(context: Context, command: Command): Promise<undefined> {
  const [given] = command.args;
  const { latest = false, key, yes = false } = command.opts<RestoreFlags>();
  if ((given === undefined) !== latest) {
    fail('USAGE', 'name one backup, or say --latest', { hint: 'look with `dlms backup list`' });
  }
  const { databasePath } = context;
  await confirmed(`${databasePath} will be set aside, and the backup put in its place.`, yes, context.signal);
  const isNew = !existsSync(databasePath);
  if (isNew) createEmptyFile(resolve(databasePath));
  const file = existingFile(databasePath);
  try {
    const outcome = restored(context, { file, backup: given, key });
    print(context, file, outcome);
  } catch (thrown) {
    if (isNew) rmSync(file, { force: true });
    throw thrown;
  }
  return undefined;
}

interface Wanted {
  readonly file: string;
  /** undefined: the newest. */
  readonly backup: string | undefined;
  /** The key file of the backup. */
  readonly key: string | undefined;
}

/** Throws DAEMON_ALREADY_RUNNING, NOT_FOUND, and what `restoreDatabase` throws. */
function restored({ log }: Context, { file, backup, key }: Wanted): RestoreOutcome {
  const lock = requireMeterWork(file);
  try {
    const backupKey = key === undefined ? {} : { backupKey: readKeyFile({ path: key, credential: false }) };
    const options = { file, now: systemClock.now(), ...backupKey };
    const outcome =
      backup === undefined
        ? (restoreNewest(options, log) ?? fail('NOT_FOUND', 'there is no good backup beside the database'))
        : restoreDatabase({ ...options, backup: resolve(backup) });
    settleKeyFiles(file);
    return outcome;
  } finally {
    lock.release();
  }
}

function print(context: Context, file: string, outcome: RestoreOutcome): void {
  const { backup, takenAt, aside, outbox, counters } = outcome;
  context.print(
    {
      database: file,
      backup,
      takenAt: takenAt === null ? null : new Date(takenAt).toISOString(),
      aside,
      outbox: { ...outbox },
      counters: { ...counters },
      result: 'restored',
    },
    () => {
      const when = takenAt === null ? '' : `, made ${age(takenAt, systemClock.now())}`;
      const kept = aside === null ? '' : `The database before is kept as ${aside}.\n`;
      return `${file} is restored from ${backup}${when}: ${restoredText(outcome)}.\n${kept}Next: start the daemon.`;
    },
  );
}
