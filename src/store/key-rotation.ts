/**
 * Rotation of the sealing key: everything that is sealed is sealed anew in one transaction, and the key file follows. The
 * new key lies beside the old one before the transaction, so that whenever this is broken off the key that the database
 * was sealed with is there (`openingKey` finds it).
 */
import { randomBytes } from 'node:crypto';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import type BetterSqlite3 from 'better-sqlite3';
import { fail } from '../core/errors.ts';
import { type Database, existingFile, inTransaction, openDatabase } from './database.ts';
import { counterKeyIn, openingKey, requireKey, sealingBy, writeCounterKey, writeKeyCheck } from './database-key.ts';
import { mapped } from './errors.ts';
import { openToken } from './fleet/sealed.ts';
import { createKeyFile, keyFileOf, makeDurable, pendingKeyFileOf } from './key-file.ts';
import { createSealing, KEY_OCTETS, type Sealing } from './sealing.ts';

interface SealedColumn {
  readonly table: string;
  readonly column: string;
  /** What tells the rows apart. */
  readonly keys: readonly string[];
  /** What a row's value is sealed for, as SQL. */
  readonly purpose: string;
}

/** All columns that hold sealed values, besides the check value and the counter key. */
export const SEALED_COLUMNS: readonly SealedColumn[] = [
  { table: 'connection', column: 'token', keys: ['id'], purpose: "'connection/token/' || id" },
  { table: 'meter', column: 'secrets', keys: ['id'], purpose: "'meter/secrets/' || id" },
  { table: 'setting', column: 'sealed', keys: ['name'], purpose: "'setting/sealed/' || name" },
  { table: 'command', column: 'arguments', keys: ['id'], purpose: "'command/arguments/' || id" },
  { table: 'command', column: 'error', keys: ['id'], purpose: "'command/error/' || id" },
  {
    table: 'command_result',
    column: 'json',
    keys: ['command_id', 'part'],
    purpose: "'command/result/' || command_id || '/' || part",
  },
];

export interface Rotation {
  /** The key file that was replaced. */
  readonly keyFile: string;
  /** Values that were sealed anew. */
  readonly resealed: number;
}

/**
 * Gives the database a new key. The caller keeps daemons and verbs that work with meters out (`acquireMeterWork`).
 * `oldKeyTo`: where the old key is kept, for older copies of the database; nowhere when null.
 * Throws SEALING_KEY_*, UNSUPPORTED (the key is given by systemd), ALREADY_EXISTS (`oldKeyTo`), DATABASE_*.
 */
export function rotateSealingKey(databasePath: string, oldKeyTo: string | null): Rotation {
  settleKeyFiles(databasePath);
  const database = openDatabase(databasePath);
  try {
    const { file, key: old } = openingKey(database);
    if (file.credential) {
      fail('UNSUPPORTED', 'the key is a credential that systemd gives: it cannot be replaced from here', {
        layer: 'store',
        hint: `put the key into ${keyFileOf(database.path).path} for the rotation, then make the credential anew`,
      });
    }
    const pending = pendingKeyFileOf(database.path);
    const key = randomBytes(KEY_OCTETS);
    if (oldKeyTo !== null) keepOldKey(oldKeyTo, old);
    createKeyFile(pending, key);
    // What was sealed with the old key is not left in pages that are free now.
    database.sql.pragma('secure_delete = ON');
    const resealed = inTransaction(database, () => reseal(database, old, key));
    mapped(database.path, () => database.sql.pragma('wal_checkpoint(TRUNCATE)'));
    replaceKeyFile(pending, file.path);
    return { keyFile: file.path, resealed };
  } finally {
    database.close();
  }
}

/** Finishes or takes back what a rotation that was broken off left of key files. Under the daemon's lock or the like. */
export function settleKeyFiles(databasePath: string): void {
  if (!existsSync(pendingKeyFileOf(existingFile(databasePath)))) return;
  const database = openDatabase(databasePath);
  try {
    const pending = pendingKeyFileOf(database.path);
    const { file } = openingKey(database);
    if (file.path === pending) replaceKeyFile(pending, pending.replace(/\.new$/, ''));
    else rmSync(pending, { force: true });
  } finally {
    database.close();
  }
}

/** Seals everything with another key; returns how many values. Within a transaction. Throws SEALING_KEY_WRONG. */
export function reseal({ sql, path }: Pick<Database, 'sql' | 'path'>, oldKey: Uint8Array, newKey: Uint8Array): number {
  requireKey({ sql, path }, oldKey);
  const from = sealingBy({ sql, path }, oldKey);
  const counterKey = counterKeyIn(sql, oldKey);
  const to = createSealing(newKey, counterKey);
  const resealed = SEALED_COLUMNS.reduce((sum, column) => sum + resealColumn(sql, column, from, to), 0);
  renewFingerprints(sql, to);
  writeCounterKey(sql, newKey, counterKey);
  writeKeyCheck(sql, newKey);
  return resealed;
}

function resealColumn(
  sql: BetterSqlite3.Database,
  { table, column, keys, purpose }: SealedColumn,
  from: Sealing,
  to: Sealing,
): number {
  const row = keys.map((key) => `${key} = ?`).join(' AND ');
  const rows = sql.prepare<[], unknown[]>(`SELECT ${keys} FROM ${table} WHERE ${column} IS NOT NULL`).raw().all();
  const select = sql.prepare<unknown[], { purpose: string; sealed: Buffer }>(
    `SELECT ${purpose} AS purpose, ${column} AS sealed FROM ${table} WHERE ${row}`,
  );
  const update = sql.prepare(`UPDATE ${table} SET ${column} = ? WHERE ${row}`);
  for (const key of rows) {
    const found = select.get(...key);
    if (found !== undefined) update.run(to.seal(found.purpose, from.open(found.purpose, found.sealed)), ...key);
  }
  return rows.length;
}

function renewFingerprints(sql: BetterSqlite3.Database, sealing: Sealing): void {
  const rows = sql
    .prepare<[], { id: number; token: Buffer; url: string }>(
      'SELECT connection.id, token, url FROM connection JOIN target ON target.id = target_id',
    )
    .all();
  const update = sql.prepare('UPDATE connection SET token_fingerprint = ? WHERE id = ?');
  for (const { id, token, url } of rows) update.run(sealing.fingerprint(url, openToken(sealing, id, token)), id);
}

function keepOldKey(path: string, key: Uint8Array): void {
  if (existsSync(path))
    fail('ALREADY_EXISTS', `${path} is there already`, { hint: 'name another file for the old key' });
  createKeyFile(path, key);
}

function replaceKeyFile(pending: string, keyFile: string): void {
  mapped(keyFile, () => {
    renameSync(pending, keyFile);
    makeDurable(dirname(keyFile));
  });
}
