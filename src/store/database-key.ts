/** Which key is that of a database, and the sealing by it. */
import type BetterSqlite3 from 'better-sqlite3';
import { asBridgeError, fail } from '../core/errors.ts';
import { mapped } from './errors.ts';
import { type KeyFile, keyFileOf, otherKeyFilesOf, readKeyFile } from './key-file.ts';
import { counterKeyOf, createSealing, type Sealing } from './sealing.ts';

/** What the check value is sealed for, and the key that the names of counters are made with. */
const KEY_CHECK_PURPOSE = 'fleet_state/key_check/1';
const COUNTER_KEY_PURPOSE = 'installation/counter_key/1';

interface OpenFile {
  readonly path: string;
  readonly sql: BetterSqlite3.Database;
}

export interface OpeningKey {
  readonly file: KeyFile;
  readonly key: Uint8Array;
}

/**
 * The key of this database: the check value made at `init` shows which of the key files it is, as there may be several
 * while a rotation has been broken off. Throws SEALING_KEY_*, NOT_INITIALISED.
 */
export function openingKey(database: OpenFile): OpeningKey {
  const { path } = database;
  const opening = (file: KeyFile): OpeningKey => {
    const key = readKeyFile(file);
    requireKey(database, key);
    return { file, key };
  };
  try {
    return opening(keyFileOf(path));
  } catch (thrown) {
    if (asBridgeError(thrown).code !== 'SEALING_KEY_WRONG') throw thrown;
    for (const file of otherKeyFilesOf(path)) {
      try {
        return opening(file);
      } catch (again) {
        if (asBridgeError(again).code !== 'SEALING_KEY_WRONG') throw again;
      }
    }
    throw thrown;
  }
}

/** Throws SEALING_KEY_WRONG when the key is not that of the database, NOT_INITIALISED. */
export function requireKey({ path, sql }: OpenFile, key: Uint8Array): void {
  const check = mapped(path, () => keyCheck(sql)) ?? fail('NOT_INITIALISED', `${path} was not completely initialised`);
  createSealing(key).open(KEY_CHECK_PURPOSE, check);
}

/** The sealing of this database under a key that is known to be its own. Throws SEALING_KEY_WRONG. */
export function sealingBy({ path, sql }: OpenFile, key: Uint8Array): Sealing {
  return createSealing(
    key,
    mapped(path, () => counterKeyIn(sql, key)),
  );
}

/** What the names of counters are made with in this database, whose key it is. Throws SEALING_KEY_WRONG. */
export function counterKeyIn(sql: BetterSqlite3.Database, key: Uint8Array): Uint8Array {
  const select = 'SELECT counter_key AS sealed FROM installation WHERE id = 1';
  const sealed = sql.prepare<[], { sealed: Buffer | null }>(select).get()?.sealed ?? null;
  return sealed === null ? counterKeyOf(key) : createSealing(key).open(COUNTER_KEY_PURPOSE, sealed);
}

/** Keeps the names of counters as they are under another key. Within a transaction. */
export function writeCounterKey(sql: BetterSqlite3.Database, key: Uint8Array, counterKey: Uint8Array): void {
  const value = createSealing(key).seal(COUNTER_KEY_PURPOSE, counterKey);
  sql.prepare('UPDATE installation SET counter_key = ? WHERE id = 1').run(value);
}

/** From now on this is the key of the database. Within a transaction. */
export function writeKeyCheck(sql: BetterSqlite3.Database, key: Uint8Array): void {
  const value = createSealing(key).seal(KEY_CHECK_PURPOSE, Buffer.from('dlms'));
  sql.prepare('UPDATE fleet_state SET key_check = ? WHERE id = 1').run(value);
}

/** null before `init` is complete. */
export function keyCheck(sql: BetterSqlite3.Database): Uint8Array | null {
  const row = sql.prepare<[], { key_check: Buffer | null }>('SELECT key_check FROM fleet_state WHERE id = 1').get();
  return row?.key_check ?? null;
}
