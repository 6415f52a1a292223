/** Looking into the outbox, from a read-only handle beside the writer. */
import type { Database } from '../database.ts';
import { mapped } from '../errors.ts';
import { decodeReadings } from './readings.ts';
import type { OutboxDepth, OutboxReader, OutboxRow } from './types.ts';

type StoredRow = Omit<OutboxRow, 'readings'> & { readonly readings: string };

const PENDING = `
  SELECT id, connection_id AS connectionId, device, cycle_id AS cycleId, created_at AS createdAt, readings
  FROM outbox WHERE connection_id = ? AND quarantined = 0 AND id > ? ORDER BY id LIMIT ?`;

/** The oldest is the first row of some connection: one step down the index for each. */
const DEPTH = `
  SELECT coalesce(sum(pending), 0) AS rows, coalesce(sum(bytes), 0) AS bytes,
    coalesce(sum(quarantined), 0) AS quarantined,
    min((SELECT created_at FROM outbox WHERE connection_id = depth.connection_id AND quarantined = 0
         ORDER BY id LIMIT 1)) AS oldest
  FROM outbox_depth AS depth`;

/** Statements are prepared once; each call sees the outbox as of the last commit. */
export function createOutboxReader({ sql, path }: Database): OutboxReader {
  const pending = sql.prepare<[number, number, number], StoredRow>(PENDING);
  const newest = sql.prepare<[number], { id: number }>(
    'SELECT id FROM outbox WHERE connection_id = ? AND quarantined = 0 ORDER BY id DESC LIMIT 1',
  );
  const depth = sql.prepare<[], OutboxDepth>(DEPTH);
  const depthOf = sql.prepare<[number], { pending: number }>(
    'SELECT pending FROM outbox_depth WHERE connection_id = ?',
  );
  return {
    pending: (connectionId, afterId, limit) =>
      mapped(path, () =>
        pending.all(connectionId, afterId, limit).map((row) => ({ ...row, readings: decodeReadings(row.readings) })),
      ),
    newest: (connectionId) => mapped(path, () => newest.get(connectionId)?.id ?? 0),
    depth: () => mapped(path, () => depth.get() ?? { rows: 0, oldest: null, bytes: 0, quarantined: 0 }),
    depthOf: (connectionId) => mapped(path, () => depthOf.get(connectionId)?.pending ?? 0),
  };
}
