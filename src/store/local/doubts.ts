/** Rows that were stamped by a host clock which was not believed: set aside, and put right when it is. */
import type BetterSqlite3 from 'better-sqlite3';
import { fail } from '../../core/errors.ts';

/** What the reason of such rows begins with. */
export const CLOCK_REASON = 'clock: ';
/** Earlier than this nothing was measured. */
const EARLIEST = Date.UTC(2024, 0, 1);
const UNSYNCHRONISED = 'u';

/** Rows that are set aside, found by their index: the rest of an outbox may be millions of rows. */
export const SET_ASIDE =
  'quarantined = 1 AND connection_id IN (SELECT connection_id FROM outbox_depth WHERE outbox_depth.quarantined > 0)';

export function doubtReason(doubt: string): string {
  return CLOCK_REASON + doubt;
}

/** As `encodeReadings` packs them. */
type Packed = [key: string, ts: number, type: string, text: string, letters?: string];

export interface Doubts {
  /** Puts the rows of a doubt right, at most `limit` of them, and lets them go. Gives how many. */
  settle(doubt: string, correctionMs: number, limit: number): number;
  /** Lets rows go that other processes left behind, as they are and marked, if their time can be. Gives how many. */
  releaseOthers(process: string): number;
}

export function createDoubts(sql: BetterSqlite3.Database): Doubts {
  const select = sql.prepare<[string, number], { id: number; readings: string }>(
    `SELECT id, readings FROM outbox WHERE ${SET_ASIDE} AND reason = ? LIMIT ?`,
  );
  const put = sql.prepare(
    `UPDATE outbox SET readings = ?, created_at = created_at + ?, quarantined = 0, reason = NULL WHERE id = ?`,
  );
  const others = sql.prepare<[string, number], { id: number; readings: string }>(
    `SELECT id, readings FROM outbox
     WHERE ${SET_ASIDE} AND reason LIKE '${CLOCK_REASON}%' AND reason NOT LIKE ? AND created_at >= ?`,
  );
  return {
    settle(doubt, correctionMs, limit) {
      const rows = select.all(doubtReason(doubt), limit);
      for (const { id, readings } of rows) {
        const right = changed(readings, (reading) => [settled(reading, correctionMs)]);
        put.run(right, correctionMs, id);
      }
      return rows.length;
    },
    releaseOthers(process) {
      const rows = others.all(`${CLOCK_REASON}${process}.%`, EARLIEST);
      for (const { id, readings } of rows) put.run(changed(readings, marked), 0, id);
      return rows.length;
    },
  };
}

function changed(text: string, change: (reading: Packed) => readonly (readonly unknown[])[]): string {
  try {
    const readings = JSON.parse(text) as readonly Packed[];
    return JSON.stringify(readings.flatMap(change));
  } catch (cause) {
    return fail('DATABASE_CORRUPT', 'an outbox row holds no readings', { cause });
  }
}

/** The reading as it is, and its quality beside it, under the key that a quality has. */
function marked(reading: Packed): readonly (readonly unknown[])[] {
  const [key, ts, , , letters = ''] = reading;
  return letters === UNSYNCHRONISED ? [reading, [`${key}Quality`, ts, 's', 'unsynchronised']] : [reading];
}

function settled(reading: Packed, correctionMs: number): readonly unknown[] {
  const [key, ts, type, text, letters = ''] = reading;
  if (!letters.startsWith(UNSYNCHRONISED)) return reading;
  const left = letters.slice(1);
  return [key, ts + correctionMs, type, text, ...(left === '' ? [] : [left])];
}
