/** What became of rows is written down in groups, until it is. */
import { expect, test } from 'vitest';
import { BridgeError } from '../../src/core/errors.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { Settlement } from '../../src/thingsboard/delivery/settlement.ts';
import { FakeOutbox } from '../support/fake-outbox.ts';

function setUp() {
  const outbox = new FakeOutbox();
  const clock = new VirtualClock();
  const abort = new AbortController();
  const told: string[] = [];
  const settlement = new Settlement(
    outbox,
    clock,
    silentLogger,
    {
      isAwaited: () => false,
      delivered: ({ id }) => told.push(`delivered ${id}`),
      setAside: ({ id }, reason) => told.push(`set aside ${id}: ${reason}`),
    },
    abort.signal,
  );
  const rows = Array.from({ length: 5 }, () => outbox.add([]));
  return { outbox, clock, abort, told, settlement, rows };
}

test('rows of one turn share a write; what comes meanwhile shares the next', async () => {
  const { outbox, settlement, rows, told } = setUp();
  const [first, second, third, fourth, fifth] = rows;
  for (const row of [first, second]) if (row !== undefined) settlement.deliver(row);
  await Promise.resolve();
  await Promise.resolve();
  for (const row of [third, fourth]) if (row !== undefined) settlement.deliver(row);
  if (fifth !== undefined) settlement.quarantine(fifth, 'no good');
  expect(settlement.has(1)).toBe(true);
  await settlement.finished();
  expect(outbox.acknowledged).toEqual([
    [1, 2],
    [3, 4],
  ]);
  expect(told).toEqual(['delivered 1', 'delivered 2', 'delivered 3', 'delivered 4', 'set aside 5: no good']);
  expect(settlement.has(1)).toBe(false);
});

test('a write that fails is repeated, and nobody is told before it is done', async () => {
  const { outbox, clock, settlement, rows, told } = setUp();
  outbox.writeFailure = new BridgeError('DATABASE_FULL', 'full');
  for (const row of rows) settlement.deliver(row);
  await clock.advance(5_000);
  expect(told).toEqual([]);
  expect(settlement.has(3)).toBe(true);
  outbox.writeFailure = null;
  await clock.advance(30_000);
  expect(told.length).toBe(5);
  expect(outbox.rows.size).toBe(0);
});

test('at the end one last try is made', async () => {
  const { outbox, abort, settlement, rows, told } = setUp();
  outbox.writeFailure = new BridgeError('DATABASE_FULL', 'full');
  for (const row of rows) settlement.deliver(row);
  abort.abort();
  await settlement.finished();
  expect(told).toEqual([]);
  expect(outbox.rows.size).toBe(5);
});
