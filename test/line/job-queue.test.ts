import fc from 'fast-check';
import { expect, test } from 'vitest';
import { JobQueue, PRIORITY, type Priority } from '../../src/line/job-queue.ts';

const job = fc.record({ priority: fc.constantFrom<Priority>('command', 'poll', 'backfill'), due: fc.nat(5) });

test('jobs come out by priority, then due time, then arrival', () => {
  fc.assert(
    fc.property(fc.array(job), (jobs) => {
      const queue = new JobQueue<(typeof jobs)[number] & { readonly arrival: number }>();
      const arrived = jobs.map((entry, arrival) => ({ ...entry, arrival }));
      for (const entry of arrived) queue.push(entry);
      const out = arrived.map(() => queue.pop()!);
      const sorted = arrived.toSorted(
        (a, b) => PRIORITY[a.priority] - PRIORITY[b.priority] || a.due - b.due || a.arrival - b.arrival,
      );
      expect(out).toEqual(sorted);
      expect(queue.pop()).toBeUndefined();
      expect(queue.length).toBe(0);
    }),
  );
});

test('clear empties it', () => {
  const queue = new JobQueue();
  queue.push({ priority: 'poll', due: 1 });
  expect(queue.clear()).toHaveLength(1);
  expect(queue.length).toBe(0);
});
