/** Carries out one request of the writer; the caller holds the transaction. */
import BetterSqlite3 from 'better-sqlite3';
import { fail } from '../../core/errors.ts';
import type { Database } from '../database.ts';
import { DELETED_REASON_TEXT, renameMeter, suspendDeleted } from '../fleet/devices.ts';
import { followShared } from '../fleet/shared-attributes.ts';
import { createAlertJournal } from './alerts.ts';
import { createCommandJournal } from './commands.ts';
import { createCounters } from './counters.ts';
import { createDoubts } from './doubts.ts';
import { createOutboxLimits } from './outbox-limits.ts';
import type { CommitRequest, WriterRequest } from './requests.ts';
import type { Totals } from './status.ts';
import { OWN_DEVICE } from './types.ts';

/**
 * Returns the ids of the outbox rows that a commit made, the first counter of a reservation, how many commands changed, and
 * how many rows a deleted device set aside or settings changed, and nothing for the others.
 * Throws NOT_FOUND when all connections of a commit or a meter are gone, ALREADY_EXISTS, INVALID_VALUE, OUTBOX_FULL, COUNTER_EXHAUSTED, or a SqliteError.
 */
export type Execute = (request: WriterRequest) => readonly number[];

export function createExecute(database: Database): Execute {
  const { sql } = database;
  const insertRow = sql.prepare(
    'INSERT INTO outbox (connection_id, device, cycle_id, created_at, readings) VALUES (?, ?, ?, ?, ?)',
  );
  // A meter that was removed while its cycle ran leaves nobody to have learned something.
  const learn = sql.prepare(
    `INSERT INTO learned (meter_id, kind, json) SELECT id, ?, ? FROM meter WHERE id = ?
     ON CONFLICT (meter_id, kind) DO UPDATE SET json = excluded.json`,
  );
  // One statement for all rows: SQLite keeps a copy of what each statement changes, to undo it alone.
  const remove = sql.prepare('DELETE FROM outbox WHERE id IN (SELECT value FROM json_each(?))');
  const setAside = sql.prepare('UPDATE outbox SET quarantined = 1, reason = ? WHERE id = ?');
  // It may have been renamed, or its device deleted, while its cycle ran.
  const meterNow = sql.prepare<[number], { name: string; deletedFrom: number | null }>(
    'SELECT name, deleted_from AS deletedFrom FROM meter WHERE id = ?',
  );
  const isKnown = sql.prepare('SELECT 1 FROM learned WHERE meter_id = ? AND kind = ? AND json = ?');
  const saveStatus = sql.prepare(
    `INSERT INTO status (subject, json, updated_at) VALUES (?, ?, ?)
     ON CONFLICT (subject) DO UPDATE SET json = excluded.json, updated_at = excluded.updated_at`,
  );
  const addToCounter = sql.prepare(
    `INSERT INTO counter (name, value) VALUES (?, ?)
     ON CONFLICT (name) DO UPDATE SET value = value + excluded.value`,
  );

  const counters = createCounters(sql);
  const limits = createOutboxLimits(sql);
  const doubts = createDoubts(sql);
  const commands = createCommandJournal(sql);
  const changeAlert = createAlertJournal(sql);

  const count = (totals: Partial<Totals>): void => {
    for (const [name, value] of Object.entries(totals)) addToCounter.run(name, value);
  };

  function commit(cycle: CommitRequest): readonly number[] {
    for (const { kind, json } of cycle.learned) learn.run(kind, json, cycle.meterId);
    if (cycle.readingCount === 0 || cycle.connectionIds.length === 0) return [];
    // What the bridge says of itself is little, and tells of the very trouble.
    if (cycle.device !== OWN_DEVICE) for (const id of cycle.connectionIds) limits.makeRoom(id, cycle.createdAt);
    const meter = meterNow.get(cycle.meterId);
    const named = meter === undefined ? cycle : { ...cycle, device: meter.name };
    const rows = cycle.connectionIds.flatMap((connectionId) => {
      const id = insertOutboxRow(connectionId, named);
      return id === null ? [] : [{ id, connectionId }];
    });
    if (rows.length === 0) fail('NOT_FOUND', 'the connections for this cycle were removed', { layer: 'store' });
    const rowIds = rows.map(({ id }) => id);
    withhold(rowIds, cycle);
    const ofDeleted = rows.filter(({ connectionId }) => connectionId === meter?.deletedFrom);
    for (const { id } of ofDeleted) setAside.run(DELETED_REASON_TEXT, id);
    count({ rows: rowIds.length });
    // What the bridge says by itself is no cycle.
    if (cycle.device !== OWN_DEVICE && cycle.isCycle !== false) count({ cycles: 1, readings: cycle.readingCount });
    return rowIds;
  }

  function withhold(rowIds: readonly number[], { withheld = null, meterId }: CommitRequest): void {
    if (withheld === null) return;
    const { reason, unless } = withheld;
    if (unless !== undefined && isKnown.get(meterId, unless.kind, unless.json) !== undefined) return;
    for (const id of rowIds) setAside.run(reason, id);
  }

  /** null: the connection was removed while the cycle ran, and the others are not to suffer from it. */
  function insertOutboxRow(
    connectionId: number,
    { device, cycleId, createdAt, readings }: CommitRequest,
  ): number | null {
    try {
      return Number(insertRow.run(connectionId, device, cycleId, createdAt, readings).lastInsertRowid);
    } catch (cause) {
      if (!(cause instanceof BetterSqlite3.SqliteError) || cause.code !== 'SQLITE_CONSTRAINT_FOREIGNKEY') throw cause;
      return null;
    }
  }

  return (request) => {
    switch (request.kind) {
      case 'commit':
        return commit(request);
      case 'settle-doubt':
        return [doubts.settle(request.doubt, request.correctionMs, request.limit)];
      case 'release-doubts':
        return [doubts.releaseOthers(request.process)];
      case 'acknowledge': {
        const delivered = remove.run(JSON.stringify(request.rowIds)).changes;
        if (delivered > 0) count({ delivered });
        return [];
      }
      case 'quarantine':
        for (const id of request.rowIds) setAside.run(request.reason, id);
        return [];
      case 'status':
        for (const { subject, json } of request.entries) saveStatus.run(subject, json, request.updatedAt);
        return [];
      case 'reserve-counters':
        return [counters.reserve(request.keyId, request.count)];
      case 'raise-counter':
        counters.raise(request.keyId, request.atLeast);
        return [];
      case 'change-command':
        return [Number(commands.change(request.change))];
      case 'command-part':
        commands.addPart(request.part);
        return [];
      case 'prune-commands':
        commands.prune(request.pruning);
        return [];
      case 'change-alert':
        changeAlert(request.change);
        return [];
      case 'rename-meter':
        renameMeter(sql, request.from, request.to);
        return [];
      case 'follow-shared':
        return [followShared(database, request)];
      case 'suspend-deleted':
        return [suspendDeleted(sql, request.device, request.connectionId)];
    }
  };
}
