/** What happened to a profile between two readings (corner case 105). */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cosemDateTimeOf } from '../../src/dlms/axdr/date-time.ts';
import { type CaptureObject, DEFAULT_CLOCK } from '../../src/dlms/cosem/profile-generic.ts';
import {
  inOrderOfCapture,
  markAfter,
  type ProfileMark,
  type ProfileReading,
  profileEvents,
} from '../../src/dlms/cosem/profile-watch.ts';

const IMPORT: CaptureObject = { classId: 3, obis: '1.0.1.8.0.255', attribute: 2, dataIndex: 0 };
const EXPORT: CaptureObject = { ...IMPORT, obis: '1.0.2.8.0.255' };
const QUARTER = 900_000;
const START = Date.UTC(2026, 5, 15, 10);
const at = (index: number): number => START + index * QUARTER;

const mark = (cursor: number | null, captureObjects = [DEFAULT_CLOCK, IMPORT]): ProfileMark => ({
  captureObjects,
  cursor,
});

function reading(times: readonly (number | null)[], more: Partial<ProfileReading> = {}): ProfileReading {
  return {
    captureObjects: [DEFAULT_CLOCK, IMPORT],
    capturePeriod: 900,
    entriesInUse: 1000,
    profileEntries: 1000,
    rows: times.map((time) => ({ at: time, clock: time === null ? null : cosemDateTimeOf(time, -120, 0x80) })),
    meterTime: null,
    ...more,
  };
}

describe('rows that follow', () => {
  test('nothing happened', () => {
    expect(profileEvents(mark(at(0)), reading([at(0), at(1), at(2)]))).toEqual([]);
    expect(profileEvents(mark(at(0)), reading([at(1), at(2)]))).toEqual([]);
    expect(profileEvents(null, reading([at(5), at(6)]))).toEqual([]);
    expect(profileEvents(mark(at(0)), reading([]))).toEqual([]);
  });

  test('rows that were not captured, behind the cursor and between rows', () => {
    expect(profileEvents(mark(at(0)), reading([at(0), at(3), at(4), at(6)]))).toEqual([
      { kind: 'gap', from: at(0), to: at(3), missing: 2 },
      { kind: 'gap', from: at(4), to: at(6), missing: 1 },
    ]);
    // The cursor's row was not asked for, but older rows are still there.
    expect(profileEvents(mark(at(0)), reading([at(3)]))).toEqual([{ kind: 'gap', from: at(0), to: at(3), missing: 2 }]);
  });

  test('rows without time are passed over', () => {
    expect(profileEvents(mark(at(0)), reading([at(1), null, at(2)]))).toEqual([]);
  });
});

describe('a buffer that lost rows before they were read', () => {
  test('all that it has is later than the cursor', () => {
    const wrapped = { kind: 'wrapped', from: at(0), to: at(10), missing: 9 };
    expect(profileEvents(mark(at(0)), reading([at(10), at(11)], { entriesInUse: 2 }))).toEqual([wrapped]);
    expect(profileEvents(mark(at(0)), reading([at(10), at(11)], { entriesInUse: null, profileEntries: 2 }))).toEqual([
      wrapped,
    ]);
  });

  test('unless nothing is missing', () => {
    expect(profileEvents(mark(at(0)), reading([at(1), at(2)], { entriesInUse: 2 }))).toEqual([]);
  });

  test('of a log nobody knows how many', () => {
    const log = { capturePeriod: 0, entriesInUse: 2 };
    expect(profileEvents(mark(at(0)), reading([at(10), at(11)], log))).toEqual([
      { kind: 'wrapped', from: at(0), to: at(10), missing: null },
    ]);
    expect(profileEvents(mark(at(0)), reading([at(0), at(11)], log))).toEqual([]);
    expect(profileEvents(mark(at(0)), reading([at(11)], log))).toEqual([]);
  });
});

describe('columns', () => {
  test('that came, went, or moved', () => {
    const now = reading([at(1)], { captureObjects: [DEFAULT_CLOCK, EXPORT] });
    expect(profileEvents(mark(at(0)), now)).toEqual([{ kind: 'columns-changed', added: [EXPORT], removed: [IMPORT] }]);
    const moved = reading([at(1)], { captureObjects: [IMPORT, DEFAULT_CLOCK] });
    expect(profileEvents(mark(at(0)), moved)).toEqual([{ kind: 'columns-changed', added: [], removed: [] }]);
  });
});

describe('a clock that was set', () => {
  test.each([
    ['ahead within a period', [at(0), at(1) + 60_000], [{ kind: 'clock-changed', at: at(1) + 60_000, byMs: 60_000 }]],
    ['back within a period', [at(0), at(1) - 60_000], [{ kind: 'clock-changed', at: at(1) - 60_000, byMs: -60_000 }]],
    ['back over rows', [at(4), at(2)], [{ kind: 'clock-changed', at: at(2), byMs: -3 * QUARTER }]],
    ['back to the same row', [at(4), at(4)], [{ kind: 'clock-changed', at: at(4), byMs: -QUARTER }]],
  ])('%s', (_, times, events) => {
    expect(profileEvents(null, reading(times))).toEqual(events);
  });

  test('back behind the cursor: what it captures now would not be asked for', () => {
    const now = reading([], { meterTime: at(-8) });
    expect(profileEvents(mark(at(0)), now)).toEqual([{ kind: 'clock-changed', at: at(-8), byMs: -8 * QUARTER }]);
    expect(markAfter(mark(at(0)), now).cursor).toBe(at(-8));
  });

  test('summer time is none: days of 23 and 25 hours, periods of local time', () => {
    const days = [24, 25, 26].map((day) => Date.UTC(2026, 9, day) + (day > 25 ? -1 : -2) * 3_600_000);
    expect(profileEvents(null, reading(days, { capturePeriod: 86_400 }))).toEqual([]);
    // Every six hours of local time: 22:00Z, then 05:00Z, seven hours on.
    const [before, after] = [Date.UTC(2026, 9, 24, 22), Date.UTC(2026, 9, 25, 5)];
    const rows = [
      { at: before, clock: cosemDateTimeOf(before, -120, 0x80) },
      { at: after, clock: cosemDateTimeOf(after, -60) },
    ];
    expect(profileEvents(null, reading([], { capturePeriod: 21_600, rows }))).toEqual([]);
  });
});

test('the mark goes on with the last row; without rows it stays', () => {
  expect(markAfter(null, reading([at(1), at(2), null])).cursor).toBe(at(2));
  expect(markAfter(mark(at(7)), reading([])).cursor).toBe(at(7));
  expect(markAfter(null, reading([])).cursor).toBeNull();
  expect(markAfter(mark(0), reading([at(1)], { captureObjects: [EXPORT] })).captureObjects).toEqual([EXPORT]);
});

test('the order of capture', () => {
  const rows = [at(2), at(3), at(1)].map((time) => ({ at: time }));
  expect(inOrderOfCapture(rows, 'fifo')).toEqual(rows);
  expect(inOrderOfCapture(rows, 'lifo')).toEqual([...rows].reverse());
  expect(inOrderOfCapture(rows, 'largest').map((row) => row.at)).toEqual([at(1), at(2), at(3)]);
  expect(inOrderOfCapture([{ at: at(2) }, { at: null }], 'largest')).toEqual([{ at: at(2) }, { at: null }]);
});

test('whatever rows are left out, they are counted', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 200 }), { minLength: 1 }), (indices) => {
      const kept = [...indices].sort((a, b) => a - b);
      const events = profileEvents(mark(at(0)), reading(kept.map(at)));
      const missing = events.reduce((sum, event) => sum + ('missing' in event ? (event.missing ?? 0) : 0), 0);
      expect(missing).toBe(kept.at(-1)! - kept.length);
    }),
  );
});
