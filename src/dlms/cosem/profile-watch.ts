/**
 * What happened to a profile between two readings of it (corner case 105), as a pure function: rows were lost, columns
 * changed, the clock was set. Nothing of it keeps the rows from being used; it is published beside them.
 *
 * To follow a profile: keep `ProfileMark` (plain JSON). Read the rows from the mark's `cursor` on, both ends included, give
 * them to `profileEvents` in the order of capture (`inOrderOfCapture`), use the rows later than the cursor, and keep what
 * `markAfter` gives once those are stored.
 */
import type { CosemDateTime } from '../axdr/date-time.ts';
import { utcOf } from '../axdr/date-time.ts';
import type { ProfileRow } from './profile-buffer.ts';
import type { CaptureObject, SortMethod } from './profile-generic.ts';

/** What is known of a profile from the reading before. */
export interface ProfileMark {
  readonly captureObjects: readonly CaptureObject[];
  /** Milliseconds UTC of the last row taken; null before the first. */
  readonly cursor: number | null;
}

/** What a reading found. */
export interface ProfileReading {
  readonly captureObjects: readonly CaptureObject[];
  /** Seconds; 0 for rows captured on an occasion. */
  readonly capturePeriod: number;
  /** Rows that the meter had, and those that it has room for; null when it does not tell. */
  readonly entriesInUse: number | null;
  readonly profileEntries: number | null;
  /** All rows from the cursor on, in the order of capture. */
  readonly rows: readonly Pick<ProfileRow, 'at' | 'clock'>[];
  /** Milliseconds UTC by the meter's clock; null when it does not tell. */
  readonly meterTime: number | null;
}

export type ProfileEvent =
  /** The rows are of another shape; what stands in a column may be another quantity. Many meters clear the buffer as well. */
  | {
      readonly kind: 'columns-changed';
      readonly added: readonly CaptureObject[];
      readonly removed: readonly CaptureObject[];
    }
  /** Rows were overwritten, or cleared, before they were read: all that the meter has is later. `missing` is null where rows have no period. */
  | { readonly kind: 'wrapped'; readonly from: number; readonly to: number; readonly missing: number | null }
  /** No rows between two moments, both of which have one: the meter captured nothing, or lost it. */
  | { readonly kind: 'gap'; readonly from: number; readonly to: number; readonly missing: number }
  /** The row at `at` does not follow from the one before: the clock was set ahead (positive) or back. */
  | { readonly kind: 'clock-changed'; readonly at: number; readonly byMs: number };

const SECOND_MS = 1000;
const MINUTE_MS = 60_000;
/** From here on a period is days or months, and their length changes with summer time and the calendar. */
const CALENDAR_PERIOD_MS = 86_400_000;

/** What happened since `before`, in the order of time; without it, what the rows tell among themselves. */
export function profileEvents(before: ProfileMark | null, now: ProfileReading): readonly ProfileEvent[] {
  const cursor = before?.cursor ?? null;
  const rows = now.rows.filter(({ at }) => at !== null) as readonly TimedRow[];
  return [
    ...(before === null ? [] : columnsChanged(before.captureObjects, now.captureObjects)),
    ...(cursor === null ? [] : setBack(cursor, now)),
    ...(cursor === null ? [] : sinceCursor(cursor, now, rows)),
    ...rows.slice(1).flatMap((row, index) => stepEvents(rows[index]!, row, now.capturePeriod)),
  ];
}

/** The mark for the next reading. A meter whose clock was set back is followed from the time that it has now. */
export function markAfter(before: ProfileMark | null, now: ProfileReading): ProfileMark {
  const { captureObjects, meterTime } = now;
  const last = now.rows.findLast(({ at }) => at !== null)?.at ?? before?.cursor ?? null;
  const cursor = last !== null && meterTime !== null ? Math.min(last, meterTime) : last;
  return { captureObjects, cursor };
}

/** Rows in the order in which they were captured; those that tell no time, and ties, keep theirs. */
export function inOrderOfCapture<Row extends Pick<ProfileRow, 'at'>>(
  rows: readonly Row[],
  sortMethod: SortMethod,
): readonly Row[] {
  if (sortMethod === 'fifo') return rows;
  if (sortMethod === 'lifo') return [...rows].reverse();
  return rows.every(({ at }) => at !== null) ? [...rows].sort((a, b) => (a.at ?? 0) - (b.at ?? 0)) : rows;
}

interface TimedRow {
  readonly at: number;
  readonly clock: CosemDateTime | null;
}

function columnsChanged(before: readonly CaptureObject[], now: readonly CaptureObject[]): readonly ProfileEvent[] {
  const [old, fresh] = [before.map(nameOf), now.map(nameOf)];
  if (old.length === fresh.length && old.every((name, index) => name === fresh[index])) return [];
  return [
    {
      kind: 'columns-changed',
      added: now.filter((column) => !old.includes(nameOf(column))),
      removed: before.filter((column) => !fresh.includes(nameOf(column))),
    },
  ];
}

function nameOf({ classId, obis, attribute, dataIndex }: CaptureObject): string {
  return `${classId}:${obis}:${attribute}:${dataIndex}`;
}

/** A clock that is behind the last row taken: what it captures from now on is no later than that. */
function setBack(cursor: number, { meterTime }: ProfileReading): readonly ProfileEvent[] {
  if (meterTime === null || meterTime >= cursor) return [];
  return [{ kind: 'clock-changed', at: meterTime, byMs: meterTime - cursor }];
}

function sinceCursor(cursor: number, now: ProfileReading, rows: readonly TimedRow[]): readonly ProfileEvent[] {
  const { capturePeriod, entriesInUse, profileEntries } = now;
  const [first] = rows;
  if (first === undefined || first.at <= cursor) return [];
  const steps = stepsBetween(cursor, first.at, capturePeriod);
  // All that the meter has is later than the cursor: the row that was taken last is gone, and what came after it may be.
  const isAll = now.rows.length >= (entriesInUse ?? profileEntries ?? Number.POSITIVE_INFINITY);
  if (isAll && capturePeriod === 0) return [{ kind: 'wrapped', from: cursor, to: first.at, missing: null }];
  if (isAll && steps > 1) return [{ kind: 'wrapped', from: cursor, to: first.at, missing: steps - 1 }];
  return stepEvents({ at: cursor, clock: null }, first, capturePeriod);
}

/** What lies between two rows that follow one another. */
function stepEvents(before: TimedRow, row: TimedRow, capturePeriod: number): readonly ProfileEvent[] {
  const period = capturePeriod * SECOND_MS;
  const step = row.at - before.at;
  if (step <= 0) return [{ kind: 'clock-changed', at: row.at, byMs: step - period }];
  if (period === 0) return [];
  const steps = stepsBetween(before.at, row.at, capturePeriod);
  const off = step - steps * period;
  const events: ProfileEvent[] = [];
  if (steps > 1) events.push({ kind: 'gap', from: before.at, to: row.at, missing: steps - 1 });
  if (off !== 0 && period < CALENDAR_PERIOD_MS && !isSameLocalStep(before, row, period)) {
    events.push({ kind: 'clock-changed', at: row.at, byMs: off });
  }
  return events;
}

function stepsBetween(from: number, to: number, capturePeriod: number): number {
  return capturePeriod === 0 ? 1 : Math.max(1, Math.round((to - from) / (capturePeriod * SECOND_MS)));
}

/** Periods that stand at whole periods of local time change their distance in UTC with it: every six hours, say. */
function isSameLocalStep(before: TimedRow, row: TimedRow, period: number): boolean {
  if (before.clock === null || row.clock === null) return false;
  const [earlier, later] = [localOf(before.clock), localOf(row.clock)];
  return (
    earlier !== null && later !== null && (later - earlier) % period === 0 && (row.at - before.at) % MINUTE_MS === 0
  );
}

function localOf(clock: CosemDateTime): number | null {
  return utcOf({ ...clock, deviation: 0 });
}
