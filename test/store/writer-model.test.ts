/** The writer and the outbox against a model that is a plain array. */
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { DAEMON_BUSY_MS, initDatabase } from '../../src/store/database.ts';
import { addTarget } from '../../src/store/fleet/targets.ts';
import { createOutboxReader } from '../../src/store/local/outbox-reader.ts';
import { loadTotals } from '../../src/store/local/status.ts';
import type { Writer } from '../../src/store/local/types.ts';
import { writerOn } from '../../src/store/local/writer.ts';
import { openWriterCore } from '../../src/store/local/writer-core.ts';
import { cycle, newTarget, reading, temporaryDirectory } from './support.ts';

interface ModelRow {
  readonly id: number;
  readonly connectionId: number;
  readonly cycleId: string;
  quarantined: boolean;
}

type Step =
  | { readonly do: 'commit'; readonly connections: readonly number[]; readonly readings: number }
  | { readonly do: 'acknowledge' | 'quarantine'; readonly picks: readonly number[] }
  | { readonly do: 'reopen' };

const picks = fc.array(fc.nat({ max: 40 }), { maxLength: 6 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('commit' as const),
      connections: fc.uniqueArray(fc.integer({ min: 1, max: 3 })),
      readings: fc.nat({ max: 3 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('acknowledge' as const), picks }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('quarantine' as const), picks }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reopen' as const) }) },
);
/** Steps of one round are asked for together, and so share a transaction. */
const rounds = fc.array(fc.array(step, { minLength: 1, maxLength: 6 }), { maxLength: 12 });

function openWriter(path: string): Writer {
  const core = openWriterCore(path, { busyTimeoutMs: DAEMON_BUSY_MS, ballastOctets: 4096 });
  return writerOn(
    { apply: async (requests) => core.apply(requests), close: async () => core.close() },
    new VirtualClock(),
  );
}

test('the outbox holds what was committed and neither acknowledged nor set aside, in order', async () => {
  const root = temporaryDirectory();
  let run = 0;
  await fc.assert(
    fc.asyncProperty(rounds, async (given) => {
      run += 1;
      const database = initDatabase(`${root}/${run}/dlms.db`);
      for (const name of ['a', 'b', 'c']) addTarget(database, newTarget('gateway', { name, token: name }));
      const outbox = createOutboxReader(database);
      let writer = openWriter(database.path);
      let model: ModelRow[] = [];
      let everMade = 0;
      let delivered = 0;

      async function commit(cycleId: string, connections: readonly number[], readings: number): Promise<void> {
        const list = Array.from({ length: readings }, (_, index) => reading(`key${index}`));
        const ids = await writer.commitCycle(cycle(cycleId, { connectionIds: connections, readings: list }));
        expect(ids).toHaveLength(readings === 0 ? 0 : connections.length);
        for (const [index, id] of ids.entries()) {
          expect(id).toBeGreaterThan(everMade);
          everMade = id;
          model.push({ id, connectionId: connections[index] ?? 0, cycleId, quarantined: false });
        }
      }

      for (const [number, steps] of given.entries()) {
        const asked: Promise<void>[] = [];
        // What is acknowledged in a round are rows of earlier rounds: nobody knows the others yet.
        const known = [...model];
        for (const [index, action] of steps.entries()) {
          if (action.do === 'commit') {
            asked.push(commit(`${number}.${index}`, action.connections, action.readings));
          } else if (action.do === 'reopen') {
            await Promise.all(asked);
            await writer.close();
            writer = openWriter(database.path);
          } else {
            const rows = action.picks.flatMap((pick) => known.slice(pick, pick + 1));
            const ids = rows.map(({ id }) => id);
            if (action.do === 'acknowledge') {
              asked.push(writer.acknowledge(ids));
              delivered += model.filter(({ id }) => ids.includes(id)).length;
              model = model.filter(({ id }) => !ids.includes(id));
            } else {
              asked.push(writer.quarantine(ids, 'refused'));
              for (const row of rows) row.quarantined = true;
            }
          }
        }
        await Promise.all(asked);

        const waiting = model.filter(({ quarantined }) => !quarantined);
        for (const connectionId of [1, 2, 3]) {
          const expected = waiting.filter((row) => row.connectionId === connectionId);
          const found = outbox.pending(connectionId, 0, 1000);
          expect(found.map(({ id, cycleId }) => ({ id, cycleId }))).toEqual(
            expected.map(({ id, cycleId }) => ({ id, cycleId })),
          );
          expect(outbox.depthOf(connectionId)).toBe(expected.length);
        }
        expect(outbox.depth()).toMatchObject({ rows: waiting.length, quarantined: model.length - waiting.length });
        expect(loadTotals(database)).toMatchObject({ rows: model.length + delivered, delivered });
      }
      await writer.close();
      database.close();
      rmSync(dirname(database.path), { recursive: true });
    }),
    { numRuns: 60 },
  );
}, 60_000);
