/** The revision: moves with every change of the fleet, in the same transaction, so that the daemon sees each of them. */
import type BetterSqlite3 from 'better-sqlite3';
import type { Database } from '../database.ts';
import { mapped } from '../errors.ts';

export function revision({ sql, path }: Database): number {
  return mapped(
    path,
    () => sql.prepare<[], { revision: number }>('SELECT revision FROM fleet_state WHERE id = 1').get()?.revision ?? 0,
  );
}

/** Within the transaction that changes the fleet. */
export function bumpRevision(sql: BetterSqlite3.Database): void {
  sql.prepare('UPDATE fleet_state SET revision = revision + 1 WHERE id = 1').run();
}
