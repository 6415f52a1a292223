/**
 * What the profiles of a virtual meter hold at a moment. Nothing is stored: a periodic profile computes the row of any
 * capture from the household, so that there is always a year of it; the event log lists what happened.
 */
import { fail } from '../../core/errors.ts';
import type { Data } from '../../dlms/axdr/data.ts';
import { statusOf } from './event-log.ts';
import { INSTALLED } from './household.ts';
import { EVENT } from './meter-state.ts';
import { DEVIATION, dateTimeData, type MeterContext, type ObjectDefinition } from './object-model.ts';

/** One capture, its columns not yet computed. */
export interface Capture {
  /** Milliseconds UTC. */
  readonly at: number;
  /** Status of a periodic capture, or code of an event. */
  readonly code: number;
  /** The meter as it was then. */
  readonly context: () => MeterContext;
}

export interface Column {
  readonly classId: number;
  readonly obis: string;
  readonly attribute: number;
  /** Power of ten; null where it is no register. */
  readonly scaler: number | null;
  readonly value: (capture: Capture) => Data;
}

export interface Profile {
  readonly obis: string;
  readonly columns: readonly Column[];
  /** Seconds; 0 captures by event. */
  readonly capturePeriod: number;
  /** How many rows there is room for. */
  readonly entries: number;
}

/** Rows, the oldest first. */
export interface History {
  readonly count: number;
  capture(index: number): Capture;
}

export function clockColumn(obis: string): Column {
  return { classId: 8, obis, attribute: 2, scaler: null, value: ({ at }) => dateTimeData(at) };
}

/** The status or event code of the capture. */
export function codeColumn(obis: string): Column {
  return { classId: 1, obis, attribute: 2, scaler: null, value: ({ code }) => ({ type: 'unsigned', value: code }) };
}

/** The value of a register. Throws INTERNAL when the object has none: a mistake in the tree. */
export function registerColumn({ classId, obis, attributes, scaler }: ObjectDefinition): Column {
  const value = attributes[1];
  if (value === undefined || value === null) return fail('INTERNAL', `${obis} has no value to capture`);
  return { classId, obis, attribute: 2, scaler, value: ({ context }) => value(context()) };
}

export function historyOf(profile: Profile, context: MeterContext): History {
  return profile.capturePeriod === 0 ? eventHistory(profile, context) : periodicHistory(profile, context);
}

function periodicHistory(
  { obis, capturePeriod, entries }: Profile,
  { at, state, events, when }: MeterContext,
): History {
  const period = capturePeriod * 1000;
  const happened = events();
  const newest = captureBefore(at, period);
  // The first capture after the profile was cleared, or after the meter was installed.
  const first = captureBefore(Math.max(INSTALLED, state.clearedAt(obis)), period) + period;
  const count = Math.min(entries, Math.max(0, (newest - first) / period + 1));
  return {
    count,
    capture(index) {
      const moment = newest - (count - 1 - index) * period;
      return { at: moment, code: statusOf(happened, moment - period, moment), context: () => when(moment) };
    },
  };
}

/** Captures stand at whole periods of local time. */
function captureBefore(at: number, period: number): number {
  const local = at - DEVIATION * 60_000;
  return Math.floor(local / period) * period + DEVIATION * 60_000;
}

/** A log that was cleared begins with the event that says so. */
function eventHistory({ entries }: Profile, { events, when }: MeterContext): History {
  const happened = events();
  const cleared = happened.findLastIndex(({ code }) => code === EVENT.logCleared);
  const kept = happened.slice(Math.max(0, cleared)).slice(-entries);
  return {
    count: kept.length,
    capture(index) {
      const { at, code } = kept[index] ?? { at: 0, code: 0 };
      return { at, code, context: () => when(at) };
    },
  };
}

/** Indices of the rows in a range of time, both ends included, as [first, end). */
export function indicesIn(history: History, from: number, to: number): readonly [number, number] {
  const firstNotBefore = (moment: number): number => {
    let [low, high] = [0, history.count];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (history.capture(middle).at < moment) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const first = firstNotBefore(from);
  // Date-times have hundredths of a second: what shows as the same is the same.
  return [first, Math.max(first, firstNotBefore(to + 10))];
}
