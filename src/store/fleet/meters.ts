/** Meters, with their lines, point groups and tokens. */
import { isDeepStrictEqual } from 'node:util';
import type BetterSqlite3 from 'better-sqlite3';
import { toHex } from '../../core/bytes.ts';
import { fail } from '../../core/errors.ts';
import { DEFAULT_METER_SETTINGS, type MeterSecrets, type MeterSettings } from '../../dlms/settings.ts';
import { type Database, inTransaction, inTrial } from '../database.ts';
import { counterKeyId, noteMeterOfCounter } from '../local/counters.ts';
import { addConnection, IS_WANTED, retireConnections, setMeterToken } from './connections.ts';
import { dropDeleted, releaseDeleted } from './devices.ts';
import { storeGroups } from './groups.ts';
import { storeProfiles } from './profiles.ts';
import { bumpRevision } from './revision.ts';
import { openSecrets, sealSecrets } from './sealed.ts';
import { clientSystemTitleFor } from './system-title.ts';
import type { NewMeter } from './types.ts';
import { validateMeter } from './validate.ts';

/**
 * Stores a meter, enabled unless it says otherwise, and its line if it is the first one there; returns the meter's id.
 * Throws NOT_INITIALISED (no target yet), ALREADY_EXISTS (name), DUPLICATE_KEY, DUPLICATE_TOKEN, INVALID_VALUE (token
 * missing in device mode or given in gateway mode), INVALID_LINK, INVALID_POINT.
 */
export function addMeter(database: Database, meter: NewMeter): number {
  return inTransaction(database, () => {
    const id = insertMeter(database, meter);
    bumpRevision(database.sql);
    return id;
  });
}

/** Throws what `addMeter` would throw; nothing is stored. */
export function tryMeter(database: Database, meter: NewMeter): void {
  inTrial(database, () => insertMeter(database, meter));
}

/** The same within the transaction of the caller, who bumps the revision. */
export function insertMeter(database: Database, meter: NewMeter): number {
  const { sql } = database;
  validateMeter(meter);
  if (findMeter(sql, meter.name) !== undefined) {
    fail('ALREADY_EXISTS', `there is a meter "${meter.name}" already`);
  }
  const target = deviceTarget(sql);
  const insert = sql.prepare(
    'INSERT INTO meter (line_id, name, enabled, settings, secrets, template) VALUES (?, ?, ?, ?, ?, ?)',
  );
  const { enabled = true, template = null } = meter;
  const settings = JSON.stringify(meter.settings);
  const lineId = lineOf(sql, meter.link);
  const row = insert.run(lineId, meter.name, Number(enabled), settings, Buffer.alloc(0), template);
  const id = Number(row.lastInsertRowid);
  // The id is part of what the secrets are sealed for, and is known only now.
  const sealed = sealSecrets(database.sealing(), id, meter.secrets);
  sql.prepare('UPDATE meter SET secrets = ? WHERE id = ?').run(sealed, id);
  noteCounter(database, id, meter);
  storeGroups(sql, id, meter.groups);
  storeProfiles(sql, id, meter.profiles ?? []);
  if (target !== undefined && meter.token === undefined) {
    fail('INVALID_VALUE', `in device mode each meter needs a token of its own: "${meter.name}" has none`, {
      hint: 'give --token with the access token of the ThingsBoard device',
    });
  }
  refuseNeedlessToken(target, meter.token);
  if (target !== undefined && meter.token !== undefined) addConnection(database, target, id, meter.token);
  return id;
}

/**
 * Makes a stored meter what is wanted; what was learned of it stays. Without `token` and `enabled` those stay too.
 * Tells whether anything changed. Throws as `addMeter` does, and NOT_FOUND.
 */
export function changeMeter(database: Database, meter: NewMeter): boolean {
  return inTransaction(database, () => {
    const changed = replaceMeter(database, meter);
    if (changed) bumpRevision(database.sql);
    return changed;
  });
}

/** The same within the transaction of the caller, who bumps the revision. */
export function replaceMeter(database: Database, meter: NewMeter): boolean {
  const { sql } = database;
  validateMeter(meter);
  const { id, lineId } = existingMeter(sql, meter.name);
  const before = storedMeter(database, id);
  const { enabled = before.enabled, template = null, token } = meter;
  const wanted = { link: meter.link, enabled, template, settings: { ...DEFAULT_METER_SETTINGS, ...meter.settings } };
  const secretsDiffer = secretsText(before.secrets) !== secretsText(meter.secrets);
  let changed = secretsDiffer || !isDeepStrictEqual(before.rest, wanted);
  if (changed) {
    // A run of failures with what was wrong counts no more.
    const update = sql.prepare(
      `UPDATE meter SET line_id = ?, enabled = ?, settings = ?, template = ?, resumes = resumes + 1 WHERE id = ?`,
    );
    update.run(lineOf(sql, meter.link), Number(enabled), JSON.stringify(meter.settings), template, id);
    dropLineWithoutMeters(sql, lineId);
  }
  if (secretsDiffer) {
    const sealed = sealSecrets(database.sealing(), id, meter.secrets);
    sql.prepare('UPDATE meter SET secrets = ? WHERE id = ?').run(sealed, id);
  }
  if (changed) noteCounter(database, id, meter);
  if (storeGroups(sql, id, meter.groups)) changed = true;
  if (storeProfiles(sql, id, meter.profiles ?? [])) changed = true;
  const target = deviceTarget(sql);
  refuseNeedlessToken(target, token);
  if (target !== undefined && token !== undefined && setMeterToken(database, target, id, token)) changed = true;
  return changed;
}

/** Removes a meter; what it said and is not delivered yet still will be. Throws NOT_FOUND. */
export function removeMeter(database: Database, name: string): void {
  const { sql } = database;
  inTransaction(database, () => {
    deleteMeter(sql, name);
    bumpRevision(sql);
  });
}

/** The same within the transaction of the caller, who bumps the revision. */
export function deleteMeter(sql: BetterSqlite3.Database, name: string): void {
  const { id, lineId } = existingMeter(sql, name);
  retireConnections(sql, id);
  dropDeleted(sql, name);
  sql.prepare('DELETE FROM meter WHERE id = ?').run(id);
  dropLineWithoutMeters(sql, lineId);
}

function dropLineWithoutMeters(sql: BetterSqlite3.Database, lineId: number): void {
  sql.prepare('DELETE FROM line WHERE id = ? AND NOT EXISTS (SELECT 1 FROM meter WHERE line_id = line.id)').run(lineId);
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

/**
 * Ends a suspension, the operator's and the breaker's: the meter is tried at once. A device that was deleted in
 * ThingsBoard is made anew by what was kept back. Throws NOT_FOUND.
 */
export function resumeMeter(database: Database, name: string): void {
  const { sql } = database;
  inTransaction(database, () => {
    const { id } = existingMeter(sql, name);
    sql.prepare('UPDATE meter SET suspended = 0, deleted_from = NULL, resumes = resumes + 1 WHERE id = ?').run(id);
    releaseDeleted(sql, name);
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
  const select = `SELECT id, url, mode FROM target WHERE ${IS_WANTED}`;
  const targets = sql.prepare<[], { id: number; url: string; mode: string }>(select).all();
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

interface StoredMeter {
  readonly enabled: boolean;
  readonly secrets: MeterSecrets;
  readonly rest: Readonly<Record<'link' | 'enabled' | 'template' | 'settings', unknown>>;
}

function storedMeter({ sql, sealing }: Database, id: number): StoredMeter {
  const select = `SELECT line.link, meter.enabled, meter.settings, meter.secrets, meter.template
    FROM meter JOIN line ON line.id = meter.line_id WHERE meter.id = ?`;
  const row = sql
    .prepare<[number], { link: string; enabled: number; settings: string; secrets: Buffer; template: string | null }>(
      select,
    )
    .get(id);
  if (row === undefined) return fail('INTERNAL', `no meter ${id}`, { layer: 'store' });
  const enabled = row.enabled === 1;
  const settings = { ...DEFAULT_METER_SETTINGS, ...(JSON.parse(row.settings) as Partial<MeterSettings>) };
  const rest = { link: row.link, enabled, template: row.template, settings };
  return { enabled, secrets: openSecrets(sealing(), id, row.secrets), rest };
}

function secretsText(secrets: MeterSecrets): string {
  const hex = Object.entries(secrets).map(([name, value]) => [name, value === null ? null : toHex(value)]);
  return JSON.stringify(hex.sort());
}

function refuseNeedlessToken(target: object | undefined, token: string | undefined): void {
  if (target === undefined && token !== undefined) {
    fail('INVALID_VALUE', 'in gateway mode all meters use the token of the gateway: a meter takes none', {
      hint: 'leave out --token',
    });
  }
}
