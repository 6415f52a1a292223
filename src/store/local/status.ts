/** What the daemon says of itself, for `status`, `health` and the dashboard. */
import type { Database } from '../database.ts';
import { mapped } from '../errors.ts';

export interface StoredStatus {
  readonly json: string;
  /** Milliseconds UTC. */
  readonly updatedAt: number;
}

/** Totals since the database was made. `rows` = `delivered` + `dropped` + rows in the outbox, quarantined ones included. */
export interface Totals {
  /** Cycles that committed at least one reading for somebody. */
  readonly cycles: number;
  /** Readings of these cycles, each counted once whoever wants it. */
  readonly readings: number;
  /** Outbox rows made. */
  readonly rows: number;
  /** Outbox rows acknowledged. */
  readonly delivered: number;
  /** Outbox rows that an operator or the outbox's policy took away. */
  readonly dropped: number;
}

export const NO_TOTALS: Totals = { cycles: 0, readings: 0, rows: 0, delivered: 0, dropped: 0 };

/** By subject: `daemon`, `meter:3`, `line:1`, `connection:2` ... A subject may outlive what it speaks of. */
export function loadStatus({ sql, path }: Database): Map<string, StoredStatus> {
  type Row = StoredStatus & { readonly subject: string };
  const rows = mapped(path, () =>
    sql.prepare<[], Row>('SELECT subject, json, updated_at AS updatedAt FROM status ORDER BY subject').all(),
  );
  return new Map(rows.map(({ subject, json, updatedAt }) => [subject, { json, updatedAt }]));
}

export function loadTotals({ sql, path }: Database): Totals {
  const rows = mapped(path, () =>
    sql.prepare<[], { name: string; value: number }>('SELECT name, value FROM counter').all(),
  );
  return { ...NO_TOTALS, ...Object.fromEntries(rows.map(({ name, value }) => [name, value])) };
}
