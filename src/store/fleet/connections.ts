/** Tokens in the database: each is one MQTT session and stands there once. A target is wanted while its own one is. */
import type BetterSqlite3 from 'better-sqlite3';
import { fail } from '../../core/errors.ts';
import type { Database } from '../database.ts';
import { sealToken } from './sealed.ts';
import { validToken } from './validate.ts';

/** In SQL, of a row of `target`: it was not removed. One that was is there until the last row has gone to it. */
export const IS_WANTED = `EXISTS (
  SELECT 1 FROM connection WHERE target_id = target.id AND meter_id IS NULL AND retired = 0)`;

/**
 * Stores a token for a target and returns the connection's id. A retired connection with this token comes back to life,
 * with the rows it still has to deliver. Throws DUPLICATE_TOKEN, INVALID_VALUE. Within a transaction.
 */
export function addConnection(
  { sql, sealing }: Database,
  target: { readonly id: number; readonly url: string },
  meterId: number | null,
  token: string,
): number {
  const fingerprint = sealing().fingerprint(target.url, validToken(token));
  const known = sql
    .prepare<[Uint8Array], { id: number; retired: number }>(
      'SELECT id, retired FROM connection WHERE token_fingerprint = ?',
    )
    .get(fingerprint);
  if (known?.retired === 0) fail('DUPLICATE_TOKEN', `the token is in use already on ${target.url}`);
  if (known !== undefined) {
    const revive = sql.prepare('UPDATE connection SET target_id = ?, meter_id = ?, retired = 0 WHERE id = ?');
    revive.run(target.id, meterId, known.id);
    dropTargetsWithoutConnections(sql);
    return known.id;
  }
  const insert = sql.prepare(
    'INSERT INTO connection (target_id, meter_id, token, token_fingerprint) VALUES (?, ?, ?, ?)',
  );
  const id = Number(insert.run(target.id, meterId, Buffer.alloc(0), fingerprint).lastInsertRowid);
  // The id is part of what the token is sealed for, and is known only now.
  sql.prepare('UPDATE connection SET token = ? WHERE id = ?').run(sealToken(sealing(), id, token), id);
  return id;
}

/**
 * Gives a meter's connection on a target another token, or makes the connection. Rows that wait go out under the new one.
 * Tells whether anything changed. Throws DUPLICATE_TOKEN, INVALID_VALUE. Within a transaction.
 */
export function setMeterToken(
  database: Database,
  target: { readonly id: number; readonly url: string },
  meterId: number,
  token: string,
): boolean {
  const select = 'SELECT id FROM connection WHERE meter_id = ? AND target_id = ? AND retired = 0';
  const known = database.sql.prepare<[number, number], { id: number }>(select).get(meterId, target.id);
  if (known !== undefined) return changeToken(database, known.id, target.url, token);
  addConnection(database, target, meterId, token);
  return true;
}

/** Replaces the token of a connection. Tells whether it is another. Throws DUPLICATE_TOKEN, INVALID_VALUE. Within a transaction. */
export function changeToken({ sql, sealing }: Database, connectionId: number, url: string, token: string): boolean {
  const fingerprint = sealing().fingerprint(url, validToken(token));
  const known = sql
    .prepare<[Uint8Array], { id: number }>('SELECT id FROM connection WHERE token_fingerprint = ?')
    .get(fingerprint);
  if (known?.id === connectionId) return false;
  if (known !== undefined) fail('DUPLICATE_TOKEN', `the token is in use already on ${url}`);
  const update = sql.prepare('UPDATE connection SET token = ?, token_fingerprint = ? WHERE id = ?');
  update.run(sealToken(sealing(), connectionId, token), fingerprint, connectionId);
  return true;
}

/** Takes a meter's connections out of use: they go at once, or with the last row they have to deliver. */
export function retireConnections(sql: BetterSqlite3.Database, meterId: number): void {
  sql.prepare('UPDATE connection SET retired = 1 WHERE meter_id = ?').run(meterId);
  dropDrainedConnections(sql);
}

/** The same for all connections of a target, which goes with the last of them. */
export function retireTarget(sql: BetterSqlite3.Database, targetId: number): void {
  sql.prepare('UPDATE connection SET retired = 1 WHERE target_id = ?').run(targetId);
  dropDrainedConnections(sql);
}

/** Takes away retired connections that have delivered everything; tells whether there were any. */
export function dropDrainedConnections(sql: BetterSqlite3.Database): boolean {
  const drop = sql.prepare(
    `DELETE FROM connection WHERE retired = 1
     AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.connection_id = connection.id)`,
  );
  const dropped = drop.run().changes > 0;
  if (dropped) dropTargetsWithoutConnections(sql);
  return dropped;
}

/** Those that were removed, and have given up or delivered everything. */
function dropTargetsWithoutConnections(sql: BetterSqlite3.Database): void {
  sql.exec('DELETE FROM target WHERE id NOT IN (SELECT target_id FROM connection)');
}
