/** ThingsBoard targets. */
import { fail } from '../../core/errors.ts';
import { type Database, inTransaction } from '../database.ts';
import { addConnection } from './connections.ts';
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
  if (sql.prepare('SELECT 1 FROM target WHERE name = ?').get(name) !== undefined) {
    fail('ALREADY_EXISTS', `there is a target "${name}" already`);
  }
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
