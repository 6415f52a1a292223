/** A line is written again when something about it is new, and only then. */
import { expect, test } from 'vitest';
import { LineNews } from '../../src/daemon/status/line-news.ts';
import type { LineSnapshot } from '../../src/line/worker-types.ts';

const SNAPSHOT: LineSnapshot = {
  state: 'connected',
  suspendedBy: null,
  connections: 1,
  reconnections: 0,
  errors: 0,
  averageUptimeMs: 1000,
  lastSeen: 5000,
  line: 'tcp 127.0.0.1:4059',
  status: 'idle',
  queued: 0,
  completed: 4,
  failed: 0,
  avgMs: 5,
  nextAttemptAt: null,
};

test('what is new is told once, in whole', () => {
  const news = new LineNews();
  const says = (changes: Readonly<Record<number, Partial<LineSnapshot>>>): unknown[] =>
    news
      .take(
        new Map(
          Object.entries(changes).map(([id, one]) => [Number(id), { snapshot: () => ({ ...SNAPSHOT, ...one }) }]),
        ),
      )
      .map(({ subject, json }) => [subject, JSON.parse(json)]);
  expect(says({ 1: {}, 2: {} })).toEqual([
    ['line:1', SNAPSHOT],
    ['line:2', SNAPSHOT],
  ]);
  expect(says({ 1: {}, 2: {} })).toEqual([]);
  expect(says({ 1: { averageUptimeMs: 3000 }, 2: { averageUptimeMs: 3000, completed: 5 } })).toEqual([
    ['line:2', { ...SNAPSHOT, averageUptimeMs: 3000, completed: 5 }],
  ]);
  // A line that went and came back is told anew.
  expect(says({ 1: {} })).toEqual([]);
  expect(says({ 1: {}, 2: { completed: 5 } })).toEqual([['line:2', { ...SNAPSHOT, completed: 5 }]]);
});
