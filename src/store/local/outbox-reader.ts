/** Looking into the outbox, from a read-only handle beside the writer. */
import type { Database } from '../database.ts';
import { mapped } from '../errors.ts';
import { decodeReadings } from './readings.ts';
import type { ConnectionDepth, OutboxDepth, OutboxReader, OutboxRow } from './types.ts';

type StoredRow = Omit<OutboxRow, 'readings'> & { readonly readings: string };

const PENDING = `
  SELECT id, connection_id AS connectionId, device, cycle_id AS cycleId, created_at AS createdAt, readings
  FROM outbox WHERE connection_id = ? AND quarantined = 0 AND id > ? ORDER BY id LIMIT ?`;

/** The oldest is a connection's first row: one step down the index for each. */
const DEPTHS = `
  SELECT connection_id AS connectionId, pending AS rows, bytes, quarantined,
    (SELECT created_at FROM outbox WHERE connection_id = depth.connection_id AND quarantined = 0
     ORDER BY id LIMIT 1) AS oldest,
    dropped, dropped_since AS since, dropped_at AS last
  FROM outbox_depth AS depth`;

interface DepthRow extends Omit<ConnectionDepth, 'drops'> {
  readonly dropped: number;
  readonly since: number | null;
  readonly last: number | null;
}

/** Statements are prepared once; each call sees the outbox as of the last commit. */
export function createOutboxReader({ sql, path }: Database): OutboxReader {
  const pending = sql.prepare<[number, number, number], StoredRow>(PENDING);
  const newest = sql.prepare<[number], { id: number }>(
    'SELECT id FROM outbox WHERE connection_id = ? AND quarantined = 0 ORDER BY id DESC LIMIT 1',
  );
  const selectDepths = sql.prepare<[], DepthRow>(DEPTHS);
  const depths = (): readonly ConnectionDepth[] => mapped(path, () => selectDepths.all().map(depthIn));
  const depthOf = sql.prepare<[number], { pending: number }>(
    'SELECT pending FROM outbox_depth WHERE connection_id = ?',
  );
  return {
    pending: (connectionId, afterId, limit) =>
      mapped(path, () =>
        pending.all(connectionId, afterId, limit).map((row) => ({ ...row, readings: decodeReadings(row.readings) })),
      ),
    newest: (connectionId) => mapped(path, () => newest.get(connectionId)?.id ?? 0),
    depth: () => totalOf(depths()),
    depths,
    depthOf: (connectionId) => mapped(path, () => depthOf.get(connectionId)?.pending ?? 0),
  };
}

function depthIn({ dropped: rows, since, last, ...depth }: DepthRow): ConnectionDepth {
  return { ...depth, drops: since === null || last === null ? null : { rows, since, last } };
}

/** Of all connections together. */
export function totalOf(depths: readonly OutboxDepth[]): OutboxDepth {
  const sumOf = (name: 'rows' | 'bytes' | 'quarantined'): number => depths.reduce((sum, depth) => sum + depth[name], 0);
  const oldest = depths.reduce<number | null>(
    (eldest, depth) => (depth.oldest === null ? eldest : Math.min(eldest ?? depth.oldest, depth.oldest)),
    null,
  );
  return { rows: sumOf('rows'), oldest, bytes: sumOf('bytes'), quarantined: sumOf('quarantined') };
}
