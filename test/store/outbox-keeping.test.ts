/** What an operator does with the outbox's rows: what is refused goes again or goes away, what is in doubt only by its id. */
import { expect, test } from 'vitest';
import type { Database } from '../../src/store/database.ts';
import { STRANGER_REASON } from '../../src/store/fleet/identity.ts';
import { doubtReason } from '../../src/store/local/doubts.ts';
import { dropFromOutbox, listOutbox, replayOutbox } from '../../src/store/local/outbox-keeping.ts';
import { createOutboxReader } from '../../src/store/local/outbox-reader.ts';
import { loadTotals } from '../../src/store/local/status.ts';
import { openWriter } from '../../src/store/local/writer.ts';
import { codeOf, cycle, newFleet } from './support.ts';

/** Row 1 waits; 2 and 5 were refused, 3 is a stranger's, 4 of a doubtful clock. */
async function filled(): Promise<Database> {
  const database = newFleet();
  const writer = await openWriter(database.path, { thread: false });
  for (let id = 1; id <= 5; id += 1) await writer.commitCycle(cycle(`c${id}`, { device: `m${id}`, createdAt: id }));
  await writer.quarantine([2, 5], 'PUBACK code 0x99');
  await writer.quarantine([3], `${STRANGER_REASON}said by another meter`);
  await writer.quarantine([4], doubtReason('process.1'));
  await writer.close();
  return database;
}

const idsOf = (database: Database, quarantined: boolean): number[] =>
  listOutbox(database, { quarantined, limit: 10 }).map(({ id }) => id);

test('they are listed with why they are set aside', async () => {
  const database = await filled();
  expect(listOutbox(database, { quarantined: false, limit: 10 }).map(({ id, setAside }) => [id, setAside])).toEqual([
    [1, null],
    [2, 'refused'],
    [3, 'stranger'],
    [4, 'clock'],
    [5, 'refused'],
  ]);
  expect(idsOf(database, true)).toEqual([2, 3, 4, 5]);
  expect(listOutbox(database, { quarantined: true, limit: 1 })[0]).toMatchObject({
    id: 2,
    target: 'main',
    device: 'm2',
    createdAt: 2,
    readings: 1,
    reason: 'PUBACK code 0x99',
  });
});

test('all that was refused goes again, what is in doubt only by its id', async () => {
  const database = await filled();
  const outbox = createOutboxReader(database);
  expect(replayOutbox(database, null)).toBe(2);
  expect(idsOf(database, true)).toEqual([3, 4]);
  expect(outbox.depth()).toMatchObject({ rows: 3, quarantined: 2 });
  expect(replayOutbox(database, 3)).toBe(1);
  expect(outbox.pending(1, 0, 10).map(({ id }) => id)).toEqual([1, 2, 3, 5]);
  expect(codeOf(() => replayOutbox(database, 1))).toBe('NOT_FOUND');
});

test('dropped rows are gone and counted', async () => {
  const database = await filled();
  expect(dropFromOutbox(database, null)).toBe(2);
  expect(idsOf(database, false)).toEqual([1, 3, 4]);
  expect(dropFromOutbox(database, 1)).toBe(1);
  expect(codeOf(() => dropFromOutbox(database, 99))).toBe('NOT_FOUND');
  expect(createOutboxReader(database).depth()).toMatchObject({ rows: 0, quarantined: 2 });
  expect(loadTotals(database)).toMatchObject({ rows: 5, delivered: 0, dropped: 3 });
});
