import fc from 'fast-check';
import { expect, test } from 'vitest';
import { groupsDueAt, nextDue, nextDueOfAny, phaseOf } from '../../src/polling/schedule.ts';

const NOON = Date.UTC(2026, 5, 1, 12, 0, 0);

test('a quarter-hourly group falls on the quarter hour, moved by its phase', () => {
  expect(nextDue(900_000, 0, NOON)).toBe(NOON + 900_000);
  expect(nextDue(900_000, 7_000, NOON)).toBe(NOON + 7_000);
  expect(nextDue(900_000, 7_000, NOON + 7_000)).toBe(NOON + 907_000);
});

test('the next due is after now, at most an interval away, on the grid', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 100, max: 90_000_000 }),
      fc.nat(60_000),
      fc.integer({ min: 0, max: 4e12 }),
      (interval, phase, now) => {
        const due = nextDue(interval, phase, now);
        expect(due).toBeGreaterThan(now);
        expect(due - now).toBeLessThanOrEqual(interval);
        expect(Math.abs((due - phase) % interval)).toBe(0);
      },
    ),
  );
});

test('groups whose dues coincide are due together', () => {
  const groups = [
    { groupId: 1, intervalMs: 10_000 },
    { groupId: 2, intervalMs: 900_000 },
  ];
  const phase = phaseOf(5, 10_000);
  const quarter = nextDue(900_000, phase, NOON);
  expect(groupsDueAt(groups, phase, quarter).map(({ groupId }) => groupId)).toEqual([1, 2]);
  expect(groupsDueAt(groups, phase, quarter + 10_000).map(({ groupId }) => groupId)).toEqual([1]);
  expect(nextDueOfAny(groups, phase, NOON)).toBe(nextDue(10_000, phase, NOON));
});

test('a thousand meters are spread over their interval', () => {
  const buckets = new Array<number>(10).fill(0);
  for (let id = 1; id <= 1000; id += 1) buckets[Math.floor(phaseOf(id, 10_000) / 1000)]! += 1;
  for (const count of buckets) {
    expect(count).toBeGreaterThan(80);
    expect(count).toBeLessThan(120);
  }
});

test('long intervals are spread over a minute at most', () => {
  for (let id = 1; id <= 1000; id += 1) expect(phaseOf(id, 900_000)).toBeLessThan(60_000);
});
