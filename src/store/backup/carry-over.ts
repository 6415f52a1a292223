/**
 * What the database that is replaced knows better than the backup: which invocation counters were used, what waits for
 * delivery, what was pushed, and how far the revision is. Everything goes into the restored database in one transaction,
 * before that is in use.
 */
import type BetterSqlite3 from 'better-sqlite3';
import { type Database, inTransaction } from '../database.ts';
import { PUSH_COUNTERS, PUSH_SEEN } from '../fleet/learned.ts';
import { bumpRevision } from '../fleet/revision.ts';
import { type CarriedCounters, carryCounters } from './carry-counters.ts';
import { type CarriedOutbox, carryOutbox } from './carry-outbox.ts';
import type { CounterRecord } from './counter-record.ts';
import { lastHeardIn } from './last-heard.ts';
import { type Predecessor, predecessorOf } from './predecessor.ts';
import { allOrNull } from './salvage.ts';

export interface CarriedOver {
  /** When the backup last heard of anything, milliseconds UTC; null when it does not say. */
  readonly takenAt: number | null;
  readonly counters: CarriedCounters;
  readonly outbox: CarriedOutbox;
}

/**
 * `present`: null where nothing can be read; `record`: of counters; `now`: milliseconds UTC. Throws DATABASE_*,
 * SEALING_KEY_*.
 */
export function carryOver(
  restored: Database,
  present: BetterSqlite3.Database | null,
  record: CounterRecord | null,
  now: number,
): CarriedOver {
  return inTransaction(restored, () => {
    const { sql } = restored;
    const takenAt = lastHeardIn(sql);
    const predecessor = present === null ? null : predecessorOf(sql, present, takenAt);
    const counters = carryCounters(restored, { predecessor, record, takenAt, now });
    const outbox = carryOutbox(restored, predecessor);
    if (predecessor?.continues === true) carryPushMemory(sql, predecessor.sql);
    carryRevision(sql, predecessor);
    // Whoever asked is gone, and it may have been done since.
    sql.prepare("UPDATE command SET state = 'cancelled', ended_at = ? WHERE state = 'queued'").run(now);
    return { takenAt, counters, outbox };
  });
}

/** What was pushed since the backup must not count twice, or be replayed. */
function carryPushMemory(sql: BetterSqlite3.Database, present: BetterSqlite3.Database): void {
  const select = `SELECT meter_id AS meterId, kind, json FROM learned WHERE kind IN ('${PUSH_COUNTERS}', '${PUSH_SEEN}')`;
  const keep = sql.prepare(
    `INSERT INTO learned (meter_id, kind, json) SELECT id, ?, ? FROM meter WHERE id = ?
     ON CONFLICT (meter_id, kind) DO UPDATE SET json = excluded.json`,
  );
  const facts = allOrNull<{ meterId: number; kind: string; json: string }>(present, select) ?? [];
  for (const { meterId, kind, json } of facts) keep.run(kind, json, meterId);
}

/** Whoever remembers a revision of either database sees that this is another. */
function carryRevision(sql: BetterSqlite3.Database, predecessor: Predecessor | null): void {
  const select = 'SELECT revision FROM fleet_state';
  const known = predecessor === null ? null : allOrNull<{ revision: number }>(predecessor.sql, select);
  sql.prepare('UPDATE fleet_state SET revision = max(revision, ?)').run(known?.[0]?.revision ?? 0);
  bumpRevision(sql);
}
