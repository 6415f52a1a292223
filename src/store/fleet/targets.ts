/** ThingsBoard targets. */
import { fail } from '../../core/errors.ts';
import { type Database, inTransaction } from '../database.ts';
import { countDropped } from '../local/dropped.ts';
import { addConnection, IS_WANTED, retireTarget } from './connections.ts';
import { bumpRevision } from './revision.ts';
import {
  changedTargetSettings,
  DEFAULT_TARGET_SETTINGS,
  type TargetSettings,
  targetSettingsOf,
  validTargetSettings,
} from './target-settings.ts';
import type { NewTarget, Target } from './types.ts';
import { canonicalTargetUrl, validName } from './validate.ts';

/**
 * Stores a target with its token and returns its id.
 * There is at most one target in device mode, and it comes before the meters, since each of them brings a token for it.
 * Throws ALREADY_EXISTS (name), DUPLICATE_TOKEN, INVALID_VALUE.
 */
export function addTarget(database: Database, target: NewTarget): number {
  return inTransaction(database, () => {
    const id = insertTarget(database, target);
    bumpRevision(database.sql);
    return id;
  });
}

/** The same within the transaction of the caller, who bumps the revision. */
export function insertTarget(database: Database, target: NewTarget): number {
  const { sql } = database;
  const name = validName('the target name', target.name);
  const url = canonicalTargetUrl(target.url);
  const known = sql.prepare<[string], { wanted: number }>(`SELECT ${IS_WANTED} AS wanted FROM target WHERE name = ?`);
  const { wanted } = known.get(name) ?? {};
  if (wanted === 0) {
    fail('ALREADY_EXISTS', `the target "${name}" was removed and still gets what waits for it`, {
      hint: 'take another name, or give up what waits: `target remove` with --drop',
    });
  }
  if (wanted === 1) fail('ALREADY_EXISTS', `there is a target "${name}" already`);
  if (target.mode === 'device') requireRoomForDeviceTarget(database);
  const insert = sql.prepare(
    'INSERT INTO target (name, url, protocol, mode, ca_file, settings) VALUES (?, ?, ?, ?, ?, ?)',
  );
  const { protocol, mode, caFile, settings = DEFAULT_TARGET_SETTINGS } = target;
  const text = JSON.stringify(changedTargetSettings(validTargetSettings(settings)));
  const id = Number(insert.run(name, url, protocol, mode, caFile, text).lastInsertRowid);
  addConnection(database, { id, url }, null, target.token);
  return id;
}

/**
 * Takes a target out of use: no cycle is stored for it any more, what waits is still delivered, and it goes with the last
 * row. `drop`: the rows go at once, undelivered and counted. Returns how many rows are left. Throws NOT_FOUND, and
 * INVALID_VALUE for the only target.
 */
export function removeTarget(database: Database, name: string, { drop }: { readonly drop: boolean }): number {
  const { sql } = database;
  return inTransaction(database, () => {
    const known = sql.prepare<[string], { id: number }>('SELECT id FROM target WHERE name = ?').get(name);
    if (known === undefined)
      return fail('NOT_FOUND', `there is no target "${name}"`, { hint: 'look with `target list`' });
    const others = sql.prepare<[number], number>(`SELECT count(*) FROM target WHERE id <> ? AND ${IS_WANTED}`).pluck();
    if (others.get(known.id) === 0) {
      fail('INVALID_VALUE', `"${name}" is the only target: readings would have nowhere to go`, {
        hint: 'change it with `target edit`, or add the other one first',
      });
    }
    const ofTarget = 'connection_id IN (SELECT id FROM connection WHERE target_id = ?)';
    if (drop) countDropped(sql, sql.prepare(`DELETE FROM outbox WHERE ${ofTarget}`).run(known.id).changes);
    retireTarget(sql, known.id);
    bumpRevision(sql);
    return sql.prepare<[number], number>(`SELECT count(*) FROM outbox WHERE ${ofTarget}`).pluck().get(known.id) ?? 0;
  });
}

function requireRoomForDeviceTarget({ sql }: Database): void {
  if (sql.prepare("SELECT 1 FROM target WHERE mode = 'device'").get() !== undefined) {
    fail('INVALID_VALUE', 'there is a target in device mode already', { hint: 'a second target takes --mode gateway' });
  }
  if (sql.prepare('SELECT 1 FROM meter').get() !== undefined) {
    fail('INVALID_VALUE', 'there are meters already, which have no tokens for a target in device mode');
  }
}

/** A row of the table as a target. */
export function targetOf({ settings, ...target }: Omit<Target, 'settings'> & { readonly settings: string }): Target {
  return settings === '{}' ? target : { ...target, settings: targetSettingsOf(settings) };
}

/** Tells whether they were others. Within a transaction. Throws INVALID_VALUE. */
export function setTargetSettings({ sql }: Database, name: string, settings: TargetSettings): boolean {
  const text = JSON.stringify(changedTargetSettings(validTargetSettings(settings)));
  return (
    sql.prepare('UPDATE target SET settings = ? WHERE name = ? AND settings <> ?').run(text, name, text).changes > 0
  );
}
