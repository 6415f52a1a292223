/**
 * What became of a meter's device in ThingsBoard, where a gateway's devices are known by their names: it was renamed, and
 * everything of the meter follows; it was deleted, and what would make it anew is kept back until an operator has decided.
 * Each function stands within a transaction of the caller.
 */
import type BetterSqlite3 from 'better-sqlite3';
import { METER_ALERTS } from '../../alert/rules.ts';
import { fail } from '../../core/errors.ts';
import { SET_ASIDE } from '../local/doubts.ts';
import { countDropped } from '../local/dropped.ts';
import { bumpRevision } from './revision.ts';
import { validMeterName } from './validate.ts';

/** What the reason of rows begins with whose device was deleted. */
export const DELETED_REASON = 'deleted: ';
export const DELETED_REASON_TEXT = `${DELETED_REASON}the device was deleted in ThingsBoard`;
const KEPT_BACK = `${SET_ASIDE} AND device = ? AND reason LIKE '${DELETED_REASON}%'`;

/**
 * The meter has another name: rows that wait, alerts and commands have it too. Throws NOT_FOUND (no meter of the old
 * name), ALREADY_EXISTS (one of the new), INVALID_VALUE (no name for a meter).
 */
export function renameMeter(sql: BetterSqlite3.Database, from: string, to: string): void {
  const name = validMeterName(to);
  const id = idOf(sql, from) ?? fail('NOT_FOUND', `there is no meter "${from}"`);
  if (idOf(sql, name) !== undefined) fail('ALREADY_EXISTS', `there is a meter "${name}" already`);
  sql.prepare('UPDATE meter SET name = ? WHERE id = ?').run(name, id);
  sql.prepare('UPDATE outbox SET device = ? WHERE device = ?').run(name, from);
  sql.prepare('UPDATE command SET meter = ? WHERE meter = ?').run(name, from);
  const renameAlert = sql.prepare('UPDATE OR IGNORE alert SET subject = ? WHERE subject = ? AND code = ?');
  for (const code of METER_ALERTS) renameAlert.run(name, from, code);
  bumpRevision(sql);
}

/**
 * Suspends the meter whose device was deleted behind a connection, and sets aside what waits there for it. Returns how
 * many rows. Throws NOT_FOUND.
 */
export function suspendDeleted(sql: BetterSqlite3.Database, device: string, connectionId: number): number {
  const id = idOf(sql, device) ?? fail('NOT_FOUND', `there is no meter "${device}"`);
  sql.prepare('UPDATE meter SET suspended = 1, deleted_from = ? WHERE id = ?').run(connectionId, id);
  bumpRevision(sql);
  const setAside = sql.prepare(
    'UPDATE outbox SET quarantined = 1, reason = ? WHERE device = ? AND connection_id = ? AND quarantined = 0',
  );
  return setAside.run(DELETED_REASON_TEXT, device, connectionId).changes;
}

/** The device may be made anew: what was kept back goes. */
export function releaseDeleted(sql: BetterSqlite3.Database, device: string): void {
  sql.prepare(`UPDATE outbox SET quarantined = 0, reason = NULL WHERE ${KEPT_BACK}`).run(device);
}

/** Neither the device nor the meter is any more: nobody wants what was kept back. */
export function dropDeleted(sql: BetterSqlite3.Database, device: string): void {
  countDropped(sql, sql.prepare(`DELETE FROM outbox WHERE ${KEPT_BACK}`).run(device).changes);
}

function idOf(sql: BetterSqlite3.Database, name: string): number | undefined {
  return sql.prepare<[string], { id: number }>('SELECT id FROM meter WHERE name = ?').get(name)?.id;
}
