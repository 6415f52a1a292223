/**
 * Invocation counters for sending (Green Book 9.2.3.3.7.3). The same key, system title and counter twice breaks GCM, so
 * they are only ever taken here: in a transaction that is durable before the counter is used. What is taken and not used
 * is lost, which costs nothing. All processes on a database share its rows; SQLite lets one in at a time.
 */
import type BetterSqlite3 from 'better-sqlite3';
import { fail } from '../../core/errors.ts';
import { type Database, inTransaction } from '../database.ts';
import { mapped } from '../errors.ts';

/** Counters of a key: 0 to 2^32 - 1. */
export const COUNTERS = 2 ** 32;

/** The counters of one open handle; each call stands within a transaction of the caller. */
export interface Counters {
  /** As `reserveCounters`. */
  reserve(keyId: Uint8Array, count: number): number;
  /** As `raiseCounter`. */
  raise(keyId: Uint8Array, atLeast: number): void;
}

export interface StoredCounter {
  readonly keyId: Uint8Array;
  /** The next counter that will be given; 2^32 when there is none. */
  readonly next: number;
  /** The meter that was stored last with this key; null when it was removed, or for a key of no stored meter. */
  readonly meterId: number | null;
}

/**
 * Under which name the counters of a key are kept: 32 octets that tell nothing of the key. `systemTitle`: ours, 8 octets;
 * it is part of the initialization vector, so each title has counters of its own. Throws SEALING_KEY_*.
 */
export function counterKeyId(database: Database, blockCipherKey: Uint8Array, systemTitle: Uint8Array): Uint8Array {
  return database.sealing().counterKeyId(blockCipherKey, systemTitle);
}

/**
 * Takes `count` counters of a key and returns the first, once that is durable; none of them is ever given again.
 * For commands; the daemon has `Writer.reserveCounters`. Throws COUNTER_EXHAUSTED when fewer are left, DATABASE_*.
 */
export function reserveCounters(database: Database, keyId: Uint8Array, count: number): number {
  return inTransaction(database, () => createCounters(database.sql).reserve(keyId, count));
}

/**
 * The next counter of the key is at least this, 0 to 2^32 (no counter left); never lowers. For commands; the daemon has
 * `Writer.raiseCounter`. Throws INVALID_VALUE, DATABASE_*.
 */
export function raiseCounter(database: Database, keyId: Uint8Array, atLeast: number): void {
  inTransaction(database, () => createCounters(database.sql).raise(keyId, atLeast));
}

/** Those of which at most `left` can still be given; all of them when it is left out. */
export function loadCounters({ sql, path }: Database, left = COUNTERS): readonly StoredCounter[] {
  const select = `SELECT key_id AS keyId, next, meter_id AS meterId FROM invocation_counter
    WHERE next >= ? ORDER BY meter_id, key_id`;
  return mapped(path, () => sql.prepare<[number], StoredCounter>(select).all(COUNTERS - left));
}

/** How many counters of a key can still be given. */
export function countersLeft({ next }: StoredCounter): number {
  return COUNTERS - next;
}

/** Notes whose key it is, for display. Within a transaction. */
export function noteMeterOfCounter(sql: BetterSqlite3.Database, keyId: Uint8Array, meterId: number): void {
  sql.prepare(BEGIN_COUNTER).run(keyId);
  sql.prepare('UPDATE invocation_counter SET meter_id = ? WHERE key_id = ?').run(meterId, keyId);
}

/** Of a key that is not known here; after a restore such a key may have been in use all the same. */
const BEGIN_COUNTER = `INSERT INTO invocation_counter (key_id, next) SELECT ?, counter_floor FROM installation
  WHERE true ON CONFLICT (key_id) DO NOTHING`;

export function createCounters(sql: BetterSqlite3.Database): Counters {
  const begin = sql.prepare(BEGIN_COUNTER);
  // Returns no row, and changes none, when not enough are left.
  const take = sql.prepare<[number, Uint8Array, number], { next: number }>(
    `UPDATE invocation_counter SET next = next + ? WHERE key_id = ? AND next + ? <= ${COUNTERS} RETURNING next`,
  );
  const lift = sql.prepare('UPDATE invocation_counter SET next = max(next, ?) WHERE key_id = ?');
  return {
    reserve(keyId, count) {
      // A count below 1 would give again what was given.
      if (!isWithin(count, 1)) fail('INTERNAL', `${count} counters were asked for`, { layer: 'store' });
      begin.run(keyId);
      const taken = take.get(count, keyId, count);
      if (taken === undefined) {
        return fail('COUNTER_EXHAUSTED', `fewer than ${count} invocation counters are left below 2^32`);
      }
      return taken.next - count;
    },
    raise(keyId, atLeast) {
      if (!isWithin(atLeast, 0)) {
        fail('INVALID_VALUE', `${atLeast} is no invocation counter`, { facts: { atLeast } });
      }
      begin.run(keyId);
      lift.run(atLeast, keyId);
    },
  };
}

function isWithin(value: number, least: number): boolean {
  return Number.isInteger(value) && value >= least && value <= COUNTERS;
}
