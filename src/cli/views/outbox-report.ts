/** What the outbox holds and what went of it, in figures: for `outbox` and `status`. */
import type { Database } from '../../store/database.ts';
import { droppedRows } from '../../store/local/outbox-keeping.ts';
import { createOutboxReader } from '../../store/local/outbox-reader.ts';

export interface OutboxReport {
  readonly rows: number;
  /** ISO 8601, as all times here. */
  readonly oldest: string | null;
  readonly bytes: number;
  readonly quarantined: number;
  /** What the limits of the outbox took away, by target, the latest run of drops of each. */
  readonly dropped: readonly {
    readonly target: string;
    readonly rows: number;
    readonly since: string;
    readonly last: string;
  }[];
}

export function outboxReport(database: Database) {
  const { rows, oldest, bytes, quarantined } = createOutboxReader(database).depth();
  const dropped = droppedRows(database).map(({ target, rows: gone, since, last }) => ({
    ...{ target, rows: gone },
    ...{ since: new Date(since).toISOString(), last: new Date(last).toISOString() },
  }));
  return { rows, oldest: oldest === null ? null : new Date(oldest).toISOString(), bytes, quarantined, dropped };
}

export function outboxText({ rows, oldest, bytes, quarantined, dropped }: OutboxReport): string {
  const waiting = rows === 0 ? 'Outbox empty' : `Outbox: ${rows} rows, ${bytes} octets, oldest of ${oldest}`;
  const setAside = quarantined === 0 ? `${waiting}.` : `${waiting}; ${quarantined} rows quarantined.`;
  const gone = dropped.map((one) => `Dropped for ${one.target}: ${one.rows} rows from ${one.since} to ${one.last}.`);
  return [setAside, ...gone].join('\n');
}
