/** Meters, with their lines, point groups and tokens. */
import type BetterSqlite3 from 'better-sqlite3';
import { fail } from '../../core/errors.ts';
import { changedOptions, DEFAULT_POINT_OPTIONS } from '../../reading/point-options.ts';
import { type Database, inTransaction } from '../database.ts';
import { counterKeyId, noteMeterOfCounter } from '../local/counters.ts';
import { addConnection, retireConnections } from './connections.ts';
import { bumpRevision } from './revision.ts';
import { sealSecrets } from './sealed.ts';
import { clientSystemTitleFor } from './system-title.ts';
import type { NewMeter, NewPointGroup } from './types.ts';
import { validateMeter } from './validate.ts';

/**
 * Stores a meter, enabled, and its line if it is the first one there; returns the meter's id.
 * Throws NOT_INITIALISED (no target yet), ALREADY_EXISTS (name), DUPLICATE_KEY, DUPLICATE_TOKEN, INVALID_VALUE (token
 * missing in device mode or given in gateway mode), INVALID_LINK, INVALID_POINT.
 */
export function addMeter(database: Database, meter: NewMeter): number {
  const { sql } = database;
  validateMeter(meter);
  return inTransaction(database, () => {
    if (findMeter(sql, meter.name) !== undefined) {
      fail('ALREADY_EXISTS', `there is a meter "${meter.name}" already`);
    }
    const target = deviceTarget(sql);
    const insert = sql.prepare('INSERT INTO meter (line_id, name, enabled, settings, secrets) VALUES (?, ?, 1, ?, ?)');
    const settings = JSON.stringify(meter.settings);
    const id = Number(insert.run(lineOf(sql, meter.link), meter.name, settings, Buffer.alloc(0)).lastInsertRowid);
    // The id is part of what the secrets are sealed for, and is known only now.
    const sealed = sealSecrets(database.sealing(), id, meter.secrets);
    sql.prepare('UPDATE meter SET secrets = ? WHERE id = ?').run(sealed, id);
    noteCounter(database, id, meter);
    for (const group of meter.groups) insertGroup(sql, id, group);
    if (target !== undefined && meter.token === undefined) {
      fail('INVALID_VALUE', `in device mode each meter needs a token of its own: "${meter.name}" has none`, {
        hint: 'give --token with the access token of the ThingsBoard device',
      });
    }
    if (target === undefined && meter.token !== undefined) {
      fail('INVALID_VALUE', 'in gateway mode all meters use the token of the gateway: a meter takes none', {
        hint: 'leave out --token',
      });
    }
    if (target !== undefined && meter.token !== undefined) addConnection(database, target, id, meter.token);
    bumpRevision(sql);
    return id;
  });
}

/** Removes a meter; what it said and is not delivered yet still will be. Throws NOT_FOUND. */
export function removeMeter(database: Database, name: string): void {
  const { sql } = database;
  inTransaction(database, () => {
    const { id, lineId } = existingMeter(sql, name);
    retireConnections(sql, id);
    sql.prepare('DELETE FROM meter WHERE id = ?').run(id);
    sql
      .prepare('DELETE FROM line WHERE id = ? AND NOT EXISTS (SELECT 1 FROM meter WHERE line_id = line.id)')
      .run(lineId);
    bumpRevision(sql);
  });
}

/** Throws NOT_FOUND. Nothing moves when it is so already. */
export function setMeterEnabled(database: Database, name: string, enabled: boolean): void {
  const { sql } = database;
  inTransaction(database, () => {
    const { id } = existingMeter(sql, name);
    const update = sql.prepare('UPDATE meter SET enabled = ? WHERE id = ? AND enabled <> ?');
    if (update.run(Number(enabled), id, Number(enabled)).changes > 0) bumpRevision(sql);
  });
}

/** Leaves a meter alone until an operator resumes it. Throws NOT_FOUND. */
export function suspendMeter(database: Database, name: string): void {
  const { sql } = database;
  inTransaction(database, () => {
    const { id } = existingMeter(sql, name);
    const update = sql.prepare('UPDATE meter SET suspended = 1 WHERE id = ? AND suspended = 0');
    if (update.run(id).changes > 0) bumpRevision(sql);
  });
}

/** Ends a suspension, the operator's and the breaker's: the meter is tried at once. Throws NOT_FOUND. */
export function resumeMeter(database: Database, name: string): void {
  const { sql } = database;
  inTransaction(database, () => {
    const { id } = existingMeter(sql, name);
    sql.prepare('UPDATE meter SET suspended = 0, resumes = resumes + 1 WHERE id = ?').run(id);
    bumpRevision(sql);
  });
}

interface MeterRow {
  readonly id: number;
  readonly lineId: number;
}

function findMeter(sql: BetterSqlite3.Database, name: string): MeterRow | undefined {
  return sql.prepare<[string], MeterRow>('SELECT id, line_id AS lineId FROM meter WHERE name = ?').get(name);
}

function existingMeter(sql: BetterSqlite3.Database, name: string): MeterRow {
  return findMeter(sql, name) ?? fail('NOT_FOUND', `there is no meter "${name}"`, { hint: 'look with `meter list`' });
}

/** The target for which each meter brings a token; undefined when all targets are gateways. Throws NOT_INITIALISED. */
function deviceTarget(sql: BetterSqlite3.Database): { id: number; url: string } | undefined {
  const targets = sql.prepare<[], { id: number; url: string; mode: string }>('SELECT id, url, mode FROM target').all();
  if (targets.length === 0) fail('NOT_INITIALISED', 'there is no target yet');
  return targets.find(({ mode }) => mode === 'device');
}

/** A key that was here before goes on from its counter, whichever meter had it. */
function noteCounter(database: Database, id: number, { settings, secrets }: NewMeter): void {
  if (secrets.blockCipherKey === null) return;
  const title = clientSystemTitleFor(database, settings);
  noteMeterOfCounter(database.sql, counterKeyId(database, secrets.blockCipherKey, title), id);
}

function lineOf(sql: BetterSqlite3.Database, link: string): number {
  const line = sql.prepare<[string], { id: number }>('SELECT id FROM line WHERE link = ?').get(link);
  return line?.id ?? Number(sql.prepare('INSERT INTO line (link) VALUES (?)').run(link).lastInsertRowid);
}

function insertGroup(sql: BetterSqlite3.Database, meterId: number, group: NewPointGroup): void {
  const insertGroup = sql.prepare('INSERT INTO point_group (meter_id, name, interval_ms) VALUES (?, ?, ?)');
  const groupId = Number(insertGroup.run(meterId, group.name, group.intervalMs).lastInsertRowid);
  const insertPoint = sql.prepare(
    'INSERT INTO point (group_id, meter_id, class_id, obis, attribute, key, options) VALUES (?, ?, ?, ?, ?, ?, ?)',
  );
  for (const { classId, obis, attribute, key, options = DEFAULT_POINT_OPTIONS } of group.points) {
    insertPoint.run(groupId, meterId, classId, obis, attribute, key, JSON.stringify(changedOptions(options)));
  }
}
