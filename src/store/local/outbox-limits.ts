/**
 * The limits of what may wait for a connection, kept as rows are committed: at a limit either no row is taken (the poll
 * waits, as with a full disk), or the eldest rows go and a gap record tells of them. Each call stands within a
 * transaction of the caller.
 */
import type BetterSqlite3 from 'better-sqlite3';
import { fail } from '../../core/errors.ts';
import { type TargetSettings, targetSettingsOf } from '../fleet/target-settings.ts';
import { type OutboxDepth, OWN_DEVICE } from './types.ts';

/** Rows that go at a time, so that room is made for more than one. */
const DROPPED_AT_ONCE = 100;
/** What tells a gap record from other rows of the bridge's own device. */
const GAP = 'gap-';
/** Drops of one hour share a record, as long as it waits. */
const GAP_MS = 3_600_000;
/** After so long without a drop the next one begins another run. */
export const DROP_RUN_MS = 3_600_000;

export interface OutboxLimits {
  /** To be asked before a row is added; `now`: milliseconds UTC. Returns how many rows went. Throws OUTBOX_FULL. */
  makeRoom(connectionId: number, now: number): number;
}

interface Eldest {
  readonly id: number;
  readonly createdAt: number;
}

/** Whether what waits for a connection is at a limit, so that the policy holds for the next row. `now`: milliseconds UTC. */
export function isAtLimit(
  settings: TargetSettings,
  { bytes, oldest }: Pick<OutboxDepth, 'bytes' | 'oldest'>,
  now: number,
): boolean {
  return isTooBig(settings, bytes) || (oldest !== null && isTooOld(settings, oldest, now));
}

function isTooBig({ outboxMaxBytes }: TargetSettings, bytes: number): boolean {
  return outboxMaxBytes !== null && bytes >= outboxMaxBytes;
}

function isTooOld({ outboxMaxAgeMs }: TargetSettings, createdAt: number, now: number): boolean {
  return outboxMaxAgeMs !== null && now - createdAt > outboxMaxAgeMs;
}

interface Gap {
  readonly rows: number;
  readonly from: number;
  readonly to: number;
}

export function createOutboxLimits(sql: BetterSqlite3.Database): OutboxLimits {
  const settingsOf = sql.prepare<[number], { settings: string; target: string }>(
    `SELECT settings, name AS target FROM target JOIN connection ON target.id = target_id WHERE connection.id = ?`,
  );
  const depth = sql.prepare<[number], { bytes: number }>('SELECT bytes FROM outbox_depth WHERE connection_id = ?');
  const eldest = sql.prepare<[number, number], Eldest>(
    `SELECT id, created_at AS createdAt FROM outbox
     WHERE connection_id = ? AND quarantined = 0 AND cycle_id NOT LIKE '${GAP}%' ORDER BY id LIMIT ?`,
  );
  const remove = sql.prepare('DELETE FROM outbox WHERE id = ?');
  const gapOf = sql.prepare<[number, string], { id: number; readings: string }>(
    'SELECT id, readings FROM outbox WHERE connection_id = ? AND quarantined = 0 AND cycle_id = ?',
  );
  const insertGap = sql.prepare(
    'INSERT INTO outbox (connection_id, device, cycle_id, created_at, readings) VALUES (?, ?, ?, ?, ?)',
  );
  const count = sql.prepare(
    `INSERT INTO counter (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value`,
  );
  const note = sql.prepare<[{ readonly rows: number; readonly now: number; readonly connectionId: number }]>(
    `UPDATE outbox_depth SET
       dropped = CASE WHEN dropped_at >= @now - ${DROP_RUN_MS} THEN dropped ELSE 0 END + @rows,
       dropped_since = CASE WHEN dropped_at >= @now - ${DROP_RUN_MS} THEN dropped_since ELSE @now END,
       dropped_at = @now
     WHERE connection_id = @connectionId`,
  );

  /** Takes rows away and writes the record of it. */
  function drop(connectionId: number, rows: readonly Eldest[], now: number): void {
    for (const { id } of rows) remove.run(id);
    const times = rows.map(({ createdAt }) => createdAt);
    const cycleId = `${GAP}${Math.floor(now / GAP_MS)}`;
    const known = gapOf.get(connectionId, cycleId);
    const before = known === undefined ? null : gapIn(known.readings);
    const gap = {
      rows: (before?.rows ?? 0) + rows.length,
      from: Math.min(before?.from ?? Number.POSITIVE_INFINITY, ...times),
      to: Math.max(before?.to ?? 0, ...times),
    };
    // A record of its own each time: the one before may be on its way, and two of one time would overwrite each other.
    if (known !== undefined) remove.run(known.id);
    insertGap.run(connectionId, OWN_DEVICE, cycleId, now, gapReadings(gap, now));
    count.run('dropped', rows.length + (known === undefined ? 0 : 1));
    count.run('rows', 1);
    note.run({ rows: rows.length, now, connectionId });
  }

  return {
    makeRoom(connectionId, now) {
      const found = settingsOf.get(connectionId);
      if (found === undefined || found.settings === '{}') return 0;
      const settings = targetSettingsOf(found.settings);
      const { outboxPolicy, outboxMaxBytes, outboxMaxAgeMs } = settings;
      const isFull = (): boolean => isTooBig(settings, depth.get(connectionId)?.bytes ?? 0);
      const isOld = ({ createdAt }: Eldest): boolean => isTooOld(settings, createdAt, now);
      const first = outboxMaxBytes === null && outboxMaxAgeMs === null ? undefined : eldest.get(connectionId, 1);
      if (first === undefined || !(isFull() || isOld(first))) return 0;
      if (outboxPolicy === 'refuse-polls') {
        return fail('OUTBOX_FULL', `what waits for the target "${found.target}" is at the limit that was set for it`);
      }
      let dropped = 0;
      for (;;) {
        const rows = eldest.all(connectionId, DROPPED_AT_ONCE);
        const going = isFull() ? rows : rows.filter(isOld);
        if (going.length === 0) return dropped;
        drop(connectionId, going, now);
        dropped += going.length;
      }
    },
  };
}

/** As `encodeReadings` packs them. */
function gapReadings({ rows, from, to }: Gap, now: number): string {
  return JSON.stringify([
    ['outboxDropped', now, 'n', String(rows)],
    ['outboxDroppedFrom', now, 's', new Date(from).toISOString()],
    ['outboxDroppedTo', now, 's', new Date(to).toISOString()],
  ]);
}

function gapIn(readings: string): Gap {
  const [rows, from, to] = (JSON.parse(readings) as readonly (readonly [string, number, string, string])[]).map(
    ([, , , text]) => text,
  );
  return { rows: Number(rows), from: Date.parse(from ?? ''), to: Date.parse(to ?? '') };
}
