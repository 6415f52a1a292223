/** `key rotate`: another sealing key for the database, and a backup that opens with it. The daemon has to be down. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { asBridgeError } from '../../core/errors.ts';
import { requireMeterWork } from '../../store/daemon-lock.ts';
import { type Rotation, rotateSealingKey } from '../../store/key-rotation.ts';
import { makeBackup } from '../backups.ts';
import { type Context, verb } from '../context.ts';

export function addKeyRotate(key: Command): void {
  key
    .command('rotate')
    .description('give the database another sealing key; those of meters stay')
    .option('--old-key-to <file>', 'keep the old key there, for older backups')
    .action(verb(rotate));
}

async function rotate(context: Context, command: Command): Promise<undefined> {
  const { oldKeyTo } = command.opts<{ oldKeyTo?: string }>();
  const oldKey = oldKeyTo === undefined ? null : resolve(oldKeyTo);
  const rotation = rotated(context.databasePath, oldKey);
  const backup = await backupOf(context);
  context.print(
    { ...rotation, oldKey, backup },
    () =>
      `${rotation.keyFile} is another key, ${rotation.resealed} values were sealed with it.\n` +
      `Backups from before open ${oldKey === null ? 'no more' : `with ${oldKey}`}` +
      `${backup === null ? '; none could be made with the new key: dlms backup' : `; a new one is ${backup}`}.\n` +
      'Keep a copy of the new key in another place.',
  );
  return undefined;
}

/** Throws DAEMON_ALREADY_RUNNING, and what `rotateSealingKey` throws. */
function rotated(databasePath: string, oldKey: string | null): Rotation {
  const lock = requireMeterWork(databasePath);
  try {
    return rotateSealingKey(databasePath, oldKey);
  } finally {
    lock.release();
  }
}

/** null where none could be made: the key is rotated all the same. */
async function backupOf(context: Context): Promise<string | null> {
  try {
    return (await makeBackup(context)).file;
  } catch (thrown) {
    const { code, message } = asBridgeError(thrown);
    context.log.warn({ code }, `no backup with the new key: ${message}`);
    return null;
  }
}
