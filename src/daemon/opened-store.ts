/** The database as the daemon uses it: sound, with its one writer and a handle for reading; damage in use is heard of. */
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { makeSound, type Repair, suspect } from '../store/backup/repair.ts';
import { DAEMON_BUSY_MS, type Database, openDatabase } from '../store/database.ts';
import { createOutboxReader } from '../store/local/outbox-reader.ts';
import type { OutboxReader, Writer } from '../store/local/types.ts';
import { openWriter } from '../store/local/writer.ts';
import { DamageWatch } from './damage-watch.ts';

export interface OpenedStore {
  readonly writer: Writer;
  readonly database: Database;
  readonly outbox: OutboxReader;
  readonly damage: DamageWatch;
  /** What was done about a database that was damaged; null where it was not. */
  readonly repair: Repair | null;
  close(): Promise<void>;
}

export interface StoreOptions {
  readonly databasePath: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** The writer in a thread of its own. */
  readonly thread: boolean;
  /** How long a cycle may wait for others to be stored with, milliseconds. */
  commitWithinMs(): number;
}

/** How long acknowledgements and status wait for a cycle to be stored with, at least: sent or told again they do no harm. */
const OTHERS_WITHIN_MS = 1000;

/** The caller holds the daemon's lock. Throws DATABASE_*, NOT_INITIALISED, SEALING_KEY_*. */
export async function openStore({
  databasePath,
  clock,
  log,
  thread,
  commitWithinMs,
}: StoreOptions): Promise<OpenedStore> {
  const repair = makeSound(databasePath, clock.now(), log);
  const patience = {
    commitMs: commitWithinMs,
    // Where cycles wait, these must not be the ones that make a transaction of their own.
    othersMs: () => Math.max(OTHERS_WITHIN_MS, commitWithinMs()),
  };
  const opened = await openWriter(databasePath, { thread, clock, logger: log, patience });
  try {
    const database = openDatabase(databasePath, { readonly: true, busyTimeoutMs: DAEMON_BUSY_MS });
    const damage = new DamageWatch(() => suspect(database.path));
    return {
      writer: damage.over(opened),
      database,
      outbox: damage.over(createOutboxReader(database)),
      damage,
      repair,
      async close() {
        // The writer last: the last handle to close folds the write-ahead log into the database.
        database.close();
        await opened.close();
      },
    };
  } catch (error) {
    await opened.close();
    throw error;
  }
}
