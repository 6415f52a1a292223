/** Rows that nobody will get: counted, so that the totals add up. */
import type BetterSqlite3 from 'better-sqlite3';

/** Within a transaction of the caller. */
export function countDropped(sql: BetterSqlite3.Database, rows: number): void {
  if (rows === 0) return;
  sql
    .prepare(
      `INSERT INTO counter (name, value) VALUES ('dropped', ?)
       ON CONFLICT (name) DO UPDATE SET value = value + excluded.value`,
    )
    .run(rows);
}
