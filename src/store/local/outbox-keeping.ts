/** What an operator does with rows of the outbox: look at them, let quarantined ones go again, take them away. */
import { fail } from '../../core/errors.ts';
import { type Database, inTransaction } from '../database.ts';
import { mapped } from '../errors.ts';
import { dropDrainedConnections } from '../fleet/connections.ts';
import { DELETED_REASON } from '../fleet/devices.ts';
import { STRANGER_REASON } from '../fleet/identity.ts';
import { bumpRevision } from '../fleet/revision.ts';
import { CLOCK_REASON } from './doubts.ts';
import { countDropped } from './dropped.ts';
import type { Drops } from './types.ts';

export interface ListedRow {
  readonly id: number;
  readonly target: string;
  readonly device: string;
  /** Milliseconds UTC. */
  readonly createdAt: number;
  readonly readings: number;
  readonly bytes: number;
  /** null: it waits for delivery. */
  readonly setAside: SetAside | null;
  readonly reason: string | null;
}

/**
 * Why a row is set aside: ThingsBoard would not have it, another meter said it, the host's clock was not believed, its
 * device was deleted in ThingsBoard.
 */
export type SetAside = 'refused' | 'stranger' | 'clock' | 'deleted';

export interface ListOptions {
  /** Only those that are set aside. */
  readonly quarantined: boolean;
  readonly limit: number;
}

/** The oldest first. */
export function listOutbox({ sql, path }: Database, { quarantined, limit }: ListOptions): readonly ListedRow[] {
  type Row = Omit<ListedRow, 'setAside'> & { readonly quarantined: number };
  const select = `
    SELECT outbox.id, target.name AS target, device, created_at AS createdAt, json_array_length(readings) AS readings,
      octet_length(readings) AS bytes, quarantined, reason
    FROM outbox JOIN connection ON connection.id = connection_id JOIN target ON target.id = target_id
    WHERE quarantined >= ? ORDER BY outbox.id LIMIT ?`;
  const rows = mapped(path, () => sql.prepare<[number, number], Row>(select).all(quarantined ? 1 : 0, limit));
  return rows.map(({ quarantined: isSetAside, ...row }) => ({
    ...row,
    setAside: isSetAside === 1 ? setAsideOf(row.reason ?? '') : null,
  }));
}

function setAsideOf(reason: string): SetAside {
  return KEPT_BACK.find(({ prefix }) => reason.startsWith(prefix))?.setAside ?? 'refused';
}

/** Rows that ThingsBoard did not refuse stay until somebody has decided: they move only when they are named. */
const KEPT_BACK = [
  { prefix: CLOCK_REASON, setAside: 'clock' },
  { prefix: STRANGER_REASON, setAside: 'stranger' },
  { prefix: DELETED_REASON, setAside: 'deleted' },
] as const;
const REFUSED = `quarantined = 1${KEPT_BACK.map(({ prefix }) => ` AND coalesce(reason, '') NOT LIKE '${prefix}%'`).join('')}`;

/** What the limits took away of the rows of each target, in the latest run of drops. */
export function droppedRows({ sql, path }: Database): readonly (Drops & { readonly target: string })[] {
  const select = `
    SELECT target.name AS target, sum(dropped) AS rows, min(dropped_since) AS since, max(dropped_at) AS last
    FROM outbox_depth JOIN connection ON connection.id = connection_id JOIN target ON target.id = target_id
    WHERE dropped_at IS NOT NULL GROUP BY target.id ORDER BY target.name`;
  return mapped(path, () => sql.prepare<[], Drops & { readonly target: string }>(select).all());
}

/** Lets a row that was set aside go again, or (null) all that ThingsBoard refused. Returns how many. Throws NOT_FOUND. */
export function replayOutbox(database: Database, id: number | null): number {
  const { sql } = database;
  return inTransaction(database, () => {
    const release = 'UPDATE outbox SET quarantined = 0, reason = NULL WHERE';
    if (id === null) return sql.prepare(`${release} ${REFUSED}`).run().changes;
    const { changes } = sql.prepare(`${release} quarantined = 1 AND id = ?`).run(id);
    return changes > 0
      ? changes
      : fail('NOT_FOUND', `there is no quarantined row ${id}`, { hint: 'look with `outbox list`' });
  });
}

/** Takes one row away, or (null) all that ThingsBoard refused; their readings are gone. Returns how many. Throws NOT_FOUND. */
export function dropFromOutbox(database: Database, id: number | null): number {
  const { sql } = database;
  return inTransaction(database, () => {
    const dropped =
      id === null
        ? sql.prepare(`DELETE FROM outbox WHERE ${REFUSED}`).run().changes
        : sql.prepare('DELETE FROM outbox WHERE id = ?').run(id).changes;
    if (id !== null && dropped === 0) fail('NOT_FOUND', `there is no row ${id}`, { hint: 'look with `outbox list`' });
    countDropped(sql, dropped);
    if (dropDrainedConnections(sql)) bumpRevision(sql);
    return dropped;
  });
}
