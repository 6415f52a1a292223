/** Who waits for whom: groups, patience, hurry. Time is virtual, the backend counts its transactions. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { createGroupCommit } from '../../src/store/local/group-commit.ts';
import type { WriterRequest } from '../../src/store/local/requests.ts';

const request = (id: number): WriterRequest => ({ kind: 'acknowledge', rowIds: [id] });

function bench() {
  const clock = new VirtualClock();
  const groups: { readonly at: number; readonly ids: readonly number[] }[] = [];
  const group = createGroupCommit(
    {
      async apply(requests) {
        const ids = requests.flatMap((one) => (one.kind === 'acknowledge' ? one.rowIds : []));
        groups.push({ at: clock.monotonic(), ids });
        return requests.map(() => ({ ok: true, result: [] }));
      },
      async close() {},
    },
    clock,
  );
  return { clock, groups, group };
}

describe('a group', () => {
  test('begins at once for who cannot wait, and takes those along who could', async () => {
    const { clock, groups, group } = bench();
    void group.submit(request(1), 1000);
    await clock.advance(400);
    expect(groups).toEqual([]);
    void group.submit(request(2), 1000);
    void group.submit(request(3));
    await clock.advance(0);
    expect(groups).toEqual([{ at: 400, ids: [1, 2, 3] }]);
    expect(clock.pendingTimers).toBe(0);
  });

  test('begins when the first of those waiting must', async () => {
    const { clock, groups, group } = bench();
    void group.submit(request(1), 1000);
    await clock.advance(100);
    void group.submit(request(2), 200);
    void group.submit(request(3), 5000);
    await clock.advance(2000);
    expect(groups).toEqual([{ at: 300, ids: [1, 2, 3] }]);
  });

  test('begins when somebody hurries; what comes later may wait again', async () => {
    const { clock, groups, group } = bench();
    group.hurry();
    void group.submit(request(1), 1000);
    await clock.advance(10);
    group.hurry();
    await clock.advance(10);
    void group.submit(request(2), 1000);
    await clock.advance(500);
    expect(groups).toEqual([{ at: 10, ids: [1] }]);
    await clock.advance(500);
    expect(groups[1]).toEqual({ at: 1020, ids: [2] });
  });

  test('is carried out before the end, however long it could have waited', async () => {
    const { clock, groups, group } = bench();
    const written = group.submit(request(1), 60_000);
    await group.close();
    await written;
    expect(groups).toEqual([{ at: 0, ids: [1] }]);
    expect(clock.pendingTimers).toBe(0);
    await expect(group.submit(request(2))).rejects.toMatchObject({ code: 'STOPPING' });
  });
});

test('nobody waits longer than he said, and everybody is carried out once and in order', async () => {
  const steps = fc.array(fc.record({ after: fc.nat(300), within: fc.nat(1000), hurry: fc.boolean() }), {
    maxLength: 30,
  });
  await fc.assert(
    fc.asyncProperty(steps, async (given) => {
      const { clock, groups, group } = bench();
      const until: number[] = [];
      for (const [id, { after, within, hurry }] of given.entries()) {
        await clock.advance(after);
        until.push(clock.monotonic() + within);
        void group.submit(request(id), within);
        if (hurry) group.hurry();
      }
      await clock.advance(2000);
      expect(groups.flatMap(({ ids }) => ids)).toEqual(given.map((_, id) => id));
      for (const { at, ids } of groups) for (const id of ids) expect(at).toBeLessThanOrEqual(until[id] ?? 0);
    }),
    { numRuns: 50 },
  );
});
