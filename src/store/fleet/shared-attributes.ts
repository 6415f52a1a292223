/**
 * What ThingsBoard wants by shared attributes, as a change of the fleet: settings of the bridge, or intervals of a
 * meter's point groups; and what was seen of it, so that the same wish, told at each connect, is followed once.
 */
import type { Database } from '../database.ts';
import { mapped } from '../errors.ts';
import { replaceBridgeSettings } from './bridge-settings.ts';
import { bumpRevision } from './revision.ts';

export interface SharedChange {
  readonly connectionId: number;
  /** null: the bridge. */
  readonly meterId: number | null;
  /** By key: the value as JSON, null for one that was deleted. */
  readonly seen: Readonly<Record<string, string | null>>;
  /** Of the bridge; a value may be of any origin. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly intervals: readonly { readonly groupId: number; readonly intervalMs: number }[];
}

/** By key, as JSON. Throws DATABASE_*. */
export function seenShared({ sql, path }: Database, connectionId: number, meterId: number | null): Map<string, string> {
  const select = sql.prepare<[number, number], { key: string; value: string }>(
    'SELECT key, value FROM shared_attribute WHERE connection_id = ? AND coalesce(meter_id, 0) = ?',
  );
  return new Map(mapped(path, () => select.all(connectionId, meterId ?? 0)).map(({ key, value }) => [key, value]));
}

/**
 * Within a transaction of the caller. Returns how many settings and intervals are others now; what is about a connection
 * or a meter that is gone is passed over. Throws INVALID_VALUE; then nothing of it was done.
 */
export function followShared(
  database: Database,
  { connectionId, meterId, seen, settings, intervals }: SharedChange,
): number {
  const { sql } = database;
  const remember = sql.prepare(
    `INSERT OR REPLACE INTO shared_attribute (connection_id, meter_id, key, value)
     SELECT id, ?, ?, ? FROM connection WHERE id = ? AND (? IS NULL OR EXISTS (SELECT 1 FROM meter WHERE id = ?))`,
  );
  const forget = sql.prepare(
    'DELETE FROM shared_attribute WHERE connection_id = ? AND coalesce(meter_id, 0) = ? AND key = ?',
  );
  for (const [key, value] of Object.entries(seen)) {
    if (value === null) forget.run(connectionId, meterId ?? 0, key);
    else remember.run(meterId, key, value, connectionId, meterId, meterId);
  }
  const setInterval = sql.prepare('UPDATE point_group SET interval_ms = ? WHERE id = ? AND interval_ms <> ?');
  const isOfBridge = Object.keys(settings).length > 0;
  const changed =
    (isOfBridge ? replaceBridgeSettings(database, settings).length : 0) +
    intervals.reduce(
      (sum, { groupId, intervalMs }) => sum + setInterval.run(intervalMs, groupId, intervalMs).changes,
      0,
    );
  if (changed > 0) bumpRevision(sql);
  return changed;
}
