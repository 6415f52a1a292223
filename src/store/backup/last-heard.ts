/**
 * Of which installation a database is, and until when it knows what happened: the daemon writes its status every few
 * seconds, a backup says when it was made, a restored database when that was done. A file tells it whatever became of
 * its name and times.
 */
import type BetterSqlite3 from 'better-sqlite3';
import { allOrNull } from './salvage.ts';

/** Milliseconds UTC; null when it does not say, or cannot be read. */
export function lastHeardIn(sql: BetterSqlite3.Database): number | null {
  return allOrNull<{ at: number | null }>(sql, 'SELECT max(updated_at) AS at FROM status')?.[0]?.at ?? null;
}

/** The system title of the installation in hex: databases that come from one another have the same. null: not readable. */
export function titleIn(sql: BetterSqlite3.Database): string | null {
  return allOrNull<{ title: string }>(sql, 'SELECT hex(system_title) AS title FROM installation')?.[0]?.title ?? null;
}

/** From now on the database says that it knows all until this time. */
export function noteTime(sql: BetterSqlite3.Database, subject: string, at: number): void {
  sql
    .prepare('INSERT OR REPLACE INTO status (subject, json, updated_at) VALUES (?, ?, ?)')
    .run(subject, JSON.stringify({ at }), at);
}
