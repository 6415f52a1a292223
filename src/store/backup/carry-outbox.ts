/** Rows that wait in the database that is replaced, put into the restored one: those that are not there, or are otherwise. */
import type BetterSqlite3 from 'better-sqlite3';
import { asBridgeError } from '../../core/errors.ts';
import type { Database } from '../database.ts';
import { addConnection } from '../fleet/connections.ts';
import { openToken } from '../fleet/sealed.ts';
import { decodeReadings } from '../local/readings.ts';
import type { Predecessor } from './predecessor.ts';
import { allOrNull, readableRows } from './salvage.ts';

export interface CarriedOutbox {
  /** Rows of the backup. */
  readonly restored: number;
  /** Of these, rows that were delivered or dropped since: they went. 0 where that is not known for certain. */
  readonly settled: number;
  /** Rows that came from the database that was replaced. */
  readonly salvaged: number;
  /** Rows of it that could not be read; null where nobody knows how many there were. */
  readonly unreadable: number | null;
  /** Rows of it for targets that the backup does not have. */
  readonly unplaced: number;
}

interface Row {
  readonly id: number;
  readonly connectionId: number;
  readonly device: string;
  readonly cycleId: string;
  readonly createdAt: number;
  readonly lane: string;
  readonly readings: string;
  readonly quarantined: number;
  readonly reason: string | null;
}

const COLUMNS = `id, connection_id AS connectionId, device, cycle_id AS cycleId, created_at AS createdAt, lane, readings,
  quarantined, reason`;
/** Where nobody tells how far the ids go. */
const HIGHEST_ID = Number.MAX_SAFE_INTEGER;

/** Within a transaction. A row is told by its cycle, since ids may have been given anew after an earlier restore. */
export function carryOutbox(restored: Database, predecessor: Predecessor | null): CarriedOutbox {
  const { sql } = restored;
  const before = Number(sql.prepare('SELECT count(*) FROM outbox').pluck().get());
  if (predecessor === null) return { restored: before, settled: 0, salvaged: 0, unreadable: null, unplaced: 0 };
  const place = placesOf(restored, predecessor);
  const last = Number(sql.prepare('SELECT coalesce(max(id), 0) FROM outbox').pluck().get());
  // Cycles are looked up row by row, in an outbox that may be long.
  sql.exec('CREATE INDEX outbox_salvage ON outbox (cycle_id)');
  const put = createPut(sql);
  const lastKnown = lastId(predecessor.sql);
  const readable = readableRows<Row>(predecessor.sql, 'outbox', COLUMNS, lastKnown ?? HIGHEST_ID);
  const waiting = new Set<number>();
  let [salvaged, read, unplaced] = [0, 0, 0];
  for (const row of readable.rows()) {
    if (!isWhole(row)) continue;
    read += 1;
    const connectionId = place(row.connectionId);
    if (connectionId === null) unplaced += 1;
    else {
      const { id, isNew } = put({ ...row, connectionId });
      waiting.add(id);
      if (isNew) salvaged += 1;
    }
  }
  sql.exec('DROP INDEX outbox_salvage');
  const depth = 'SELECT coalesce(sum(pending + quarantined), 0) AS rows FROM outbox_depth';
  const counted = allOrNull<{ rows: number }>(predecessor.sql, depth)?.[0]?.rows ?? null;
  const atMost = lastKnown === null && readable.unreadableIds > 0 ? null : readable.unreadableIds;
  const unreadable = counted === null ? atMost : Math.max(0, counted - read);
  const knowsAll = predecessor.continues && readable.unreadableIds === 0 && counted === read;
  const settled = knowsAll ? removeSettled(sql, last, waiting) : 0;
  return { restored: before, settled, salvaged, unreadable, unplaced };
}

/** What waited when the backup was made and waits no more was delivered since, or dropped; it counts as delivered. */
function removeSettled(sql: BetterSqlite3.Database, last: number, waiting: ReadonlySet<number>): number {
  const ids = sql.prepare<[number], number>('SELECT id FROM outbox WHERE id <= ?').pluck().all(last);
  const gone = ids.filter((id) => !waiting.has(id));
  const remove = sql.prepare('DELETE FROM outbox WHERE id = ?');
  for (const id of gone) remove.run(id);
  sql
    .prepare(
      `INSERT INTO counter (name, value) VALUES ('delivered', ?)
       ON CONFLICT (name) DO UPDATE SET value = value + excluded.value`,
    )
    .run(gone.length);
  return gone.length;
}

function lastId(sql: BetterSqlite3.Database): number | null {
  const newest = allOrNull<{ id: number | null }>(sql, 'SELECT coalesce(max(id), 0) AS id FROM outbox');
  const given = "SELECT seq AS id FROM sqlite_sequence WHERE name = 'outbox'";
  return (newest ?? allOrNull<{ id: number }>(sql, given))?.[0]?.id ?? null;
}

/** A page that holds something else may pass for rows. */
function isWhole({ readings }: Row): boolean {
  try {
    return decodeReadings(readings).length > 0;
  } catch {
    return false;
  }
}

/** Adds a row that is not there; of one that is there otherwise the later state counts. */
function createPut(sql: BetterSqlite3.Database): (row: Row) => { readonly id: number; readonly isNew: boolean } {
  const find = sql.prepare<[string, number, string], Row>(
    `SELECT ${COLUMNS} FROM outbox WHERE cycle_id = ? AND connection_id = ? AND device = ?`,
  );
  const insert = sql.prepare(
    `INSERT INTO outbox (connection_id, device, cycle_id, created_at, lane, readings) VALUES (?, ?, ?, ?, ?, ?)`,
  );
  const change = sql.prepare('UPDATE outbox SET created_at = ?, quarantined = ?, reason = ? WHERE id = ?');
  const remove = sql.prepare('DELETE FROM outbox WHERE id = ?');
  const count = sql.prepare(
    `INSERT INTO counter (name, value) VALUES ('rows', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1`,
  );
  return ({ connectionId, device, cycleId, createdAt, lane, readings, quarantined, reason }) => {
    const known = find.get(cycleId, connectionId, device);
    if (known?.readings === readings) {
      change.run(createdAt, quarantined, reason, known.id);
      return { id: known.id, isNew: false };
    }
    if (known === undefined) count.run();
    else remove.run(known.id);
    const id = Number(insert.run(connectionId, device, cycleId, createdAt, lane, readings).lastInsertRowid);
    // The figures of the outbox are kept by triggers, which know a row that is set aside by its change.
    if (quarantined === 1) change.run(createdAt, quarantined, reason, id);
    return { id, isNew: known === undefined };
  };
}

interface ConnectionRow {
  readonly id: number;
  readonly token: Buffer;
  readonly fingerprint: Buffer;
  readonly url: string;
}

/**
 * Which connection of the restored database is which of the other: the one with the same token. One that came after the
 * backup lives on, retired, until its rows are delivered. null: there is no such target.
 */
function placesOf(restored: Database, { sql: present, foreign }: Predecessor): (connectionId: number) => number | null {
  const { sql } = restored;
  const select = `SELECT connection.id, token, token_fingerprint AS fingerprint, url
    FROM connection JOIN target ON target.id = target_id`;
  const rows = allOrNull<ConnectionRow>(present, select);
  const byFingerprint = sql.prepare<[Buffer], number>('SELECT id FROM connection WHERE token_fingerprint = ?').pluck();
  const byId = sql.prepare<[number], number>('SELECT id FROM connection WHERE id = ?').pluck();
  const targetOf = sql.prepare<[string], { id: number; url: string }>('SELECT id, url FROM target WHERE url = ?');
  const retire = sql.prepare('UPDATE connection SET retired = 1 WHERE id = ?');

  function adopted({ id, token, url }: ConnectionRow): number | null {
    const target = targetOf.get(url);
    if (target === undefined) return null;
    try {
      const adopted = addConnection(restored, target, null, openToken(restored.sealing(), id, token));
      retire.run(adopted);
      return adopted;
    } catch (thrown) {
      if (asBridgeError(thrown).code !== 'SEALING_KEY_WRONG') throw thrown;
      return null;
    }
  }

  const known = new Map<number, number | null>();
  return (connectionId) => {
    const found = known.get(connectionId);
    if (found !== undefined) return found;
    const row = rows?.find(({ id }) => id === connectionId);
    const place =
      row === undefined
        ? ((foreign ? undefined : byId.get(connectionId)) ?? null)
        : (byFingerprint.get(row.fingerprint) ?? adopted(row));
    known.set(connectionId, place);
    return place;
  };
}
