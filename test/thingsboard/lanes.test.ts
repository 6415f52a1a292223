/** Order of rows: live first, then backlog, by id for each device within them; what is taken or held is passed over. */
import { expect, test } from 'vitest';
import { Lanes } from '../../src/thingsboard/delivery/lanes.ts';
import { FakeOutbox } from '../support/fake-outbox.ts';
import { range } from '../support/publisher-bench.ts';

const FREE = { isTaken: () => false, isHeld: () => false, isPausing: () => false };

function drain(lanes: Lanes): number[] {
  const ids: number[] = [];
  for (let row = lanes.next(); row !== null; row = lanes.next()) ids.push(row.id);
  return ids;
}

test('live rows go before the backlog', () => {
  const outbox = new FakeOutbox();
  for (let count = 0; count < 3; count += 1) outbox.add([]);
  const lanes = new Lanes(outbox, 1, FREE);
  expect(lanes.next()?.id).toBe(1);
  outbox.add([]);
  outbox.add([]);
  lanes.refresh();
  expect(drain(lanes)).toEqual([4, 5, 2, 3]);
});

test('many pages, another connection in between', () => {
  const outbox = new FakeOutbox();
  for (let id = 1; id <= 300; id += 1) outbox.add([], { id, connectionId: id % 3 === 0 ? 2 : 1 });
  const lanes = new Lanes(outbox, 1, FREE);
  for (let id = 301; id <= 500; id += 1) outbox.add([], { id });
  const ids = Array.from({ length: 500 }, (_, index) => index + 1).filter((id) => id > 300 || id % 3 !== 0);
  expect(drain(lanes)).toEqual([...ids.filter((id) => id > 300), ...ids.filter((id) => id <= 300)]);
});

test('an exhausted outbox is not read again until it is told to', () => {
  const outbox = new FakeOutbox();
  const lanes = new Lanes(outbox, 1, FREE);
  drain(lanes);
  const { reads } = outbox;
  drain(lanes);
  expect(outbox.reads).toBe(reads);
  outbox.add([]);
  expect(drain(lanes)).toEqual([]);
  lanes.refresh();
  expect(drain(lanes)).toEqual([1]);
});

test('held devices and taken rows are passed over, and come back with a restart', () => {
  const outbox = new FakeOutbox();
  for (const device of ['a', 'b', 'a', 'c']) outbox.add([], { device });
  const held = new Set(['a']);
  const taken = new Set([4]);
  const lanes = new Lanes(outbox, 1, {
    ...FREE,
    isTaken: (id) => taken.has(id),
    isHeld: (device) => held.has(device),
  });
  expect(drain(lanes)).toEqual([2]);
  outbox.rows.delete(2);
  held.clear();
  taken.clear();
  expect(drain(lanes)).toEqual([]);
  lanes.restart();
  expect(drain(lanes)).toEqual([1, 3, 4]);
});

test('rows of a device that pauses keep their place, so many of them at most', () => {
  const outbox = new FakeOutbox();
  for (let id = 1; id <= 10_000; id += 1) outbox.add([], { id, device: id === 3000 || id === 9000 ? 'b' : 'a' });
  const pausing = new Set(['a']);
  const lanes = new Lanes(outbox, 1, { ...FREE, isPausing: (device) => pausing.has(device) });
  // What is behind very many rows that wait is not looked for.
  expect(drain(lanes)).toEqual([3000]);
  const { reads } = outbox;
  expect(drain(lanes)).toEqual([]);
  expect(outbox.reads).toBe(reads);
  pausing.clear();
  const ids = drain(lanes);
  expect(ids.filter((id) => id !== 9000)).toEqual(range(1, 10_000).filter((id) => id !== 3000 && id !== 9000));
  expect(ids).toContain(9000);
});

test('a row that is settled after its page was read is not sent again', () => {
  const outbox = new FakeOutbox();
  for (let count = 0; count < 3; count += 1) outbox.add([]);
  const taken = new Set([2]);
  const lanes = new Lanes(outbox, 1, { ...FREE, isTaken: (id) => taken.has(id) });
  expect(lanes.next()?.id).toBe(1);
  outbox.rows.delete(2);
  taken.clear();
  expect(drain(lanes)).toEqual([3]);
});

test('companions: rows of the same device behind a row, as long as they are wanted, and nothing is lost or doubled', () => {
  const outbox = new FakeOutbox();
  for (const device of ['a', 'b', 'a', 'a', 'c', 'a']) outbox.add([], { device });
  const lanes = new Lanes(outbox, 1, FREE);
  const first = lanes.next();
  expect(first?.id).toBe(1);
  if (first === null) return;
  expect(lanes.companions(first, ({ id }) => id < 5).map(({ id }) => id)).toEqual([3, 4]);
  expect(lanes.companions(first, () => false)).toEqual([]);
  expect(drain(lanes).sort()).toEqual([2, 5, 6]);
});
