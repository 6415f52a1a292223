/** The limits of what may wait: polls are refused, or the eldest rows go and a record tells of them. */
import { describe, expect, test } from 'vitest';
import type { Database } from '../../src/store/database.ts';
import { DEFAULT_TARGET_SETTINGS, type TargetSettings } from '../../src/store/fleet/target-settings.ts';
import { addTarget } from '../../src/store/fleet/targets.ts';
import { droppedRows } from '../../src/store/local/outbox-keeping.ts';
import { createOutboxReader } from '../../src/store/local/outbox-reader.ts';
import { loadTotals } from '../../src/store/local/status.ts';
import { OWN_DEVICE, type Writer } from '../../src/store/local/types.ts';
import { openWriter } from '../../src/store/local/writer.ts';
import { codeOf, cycle, newDatabase, newTarget, reading } from './support.ts';

const MINUTE = 60_000;
/** Two rows of this size are more than the least limit of 64 KiB. */
const BIG = [reading('text', { value: 'x'.repeat(40_000) })];

async function bench(settings: Partial<TargetSettings>): Promise<{ database: Database; writer: Writer }> {
  const database = newDatabase();
  addTarget(database, newTarget('gateway', { settings: { ...DEFAULT_TARGET_SETTINGS, ...settings } }));
  return { database, writer: await openWriter(database.path, { thread: false }) };
}

const commit = (writer: Writer, number: number, createdAt: number, readings = BIG): Promise<readonly number[]> =>
  writer.commitCycle(cycle(`c${number}`, { createdAt, readings }));

const codeOfPromise = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => '',
    (error: { code: string }) => error.code,
  );

describe('refuse-polls', () => {
  test('a full outbox takes nothing more until rows were delivered', async () => {
    const { database, writer } = await bench({ outboxMaxBytes: 65_536 });
    await commit(writer, 1, 1000);
    await commit(writer, 2, 2000);
    expect(await codeOfPromise(commit(writer, 3, 3000))).toBe('OUTBOX_FULL');
    expect(createOutboxReader(database).depth().rows).toBe(2);
    await writer.acknowledge([1]);
    await commit(writer, 3, 3000);
    await writer.close();
  });

  test('rows that are too old are kept, and nothing is added', async () => {
    const { writer } = await bench({ outboxMaxAgeMs: MINUTE });
    await commit(writer, 1, 0);
    await commit(writer, 2, MINUTE);
    expect(await codeOfPromise(commit(writer, 3, MINUTE + 1))).toBe('OUTBOX_FULL');
    // What the bridge says of itself, alerts among them, is small and goes in.
    await writer.commitCycle(cycle('own', { device: OWN_DEVICE, createdAt: MINUTE + 1 }));
    await writer.close();
  });
});

describe('drop-oldest', () => {
  test('the eldest rows go; what went is counted, and told by the bridge itself', async () => {
    const { database, writer } = await bench({ outboxPolicy: 'drop-oldest', outboxMaxAgeMs: MINUTE });
    const small = [reading('k')];
    for (let number = 0; number < 5; number += 1) await commit(writer, number, number * 20_000, small);
    await commit(writer, 5, 100_000, small);
    const rows = createOutboxReader(database).pending(1, 0, 10);
    const gap = rows.filter(({ device }) => device === OWN_DEVICE);
    expect(rows.filter(({ device }) => device !== OWN_DEVICE).map(({ cycleId }) => cycleId)).toEqual([
      'c2',
      'c3',
      'c4',
      'c5',
    ]);
    expect(gap.flatMap(({ readings }) => readings.map(({ key, text }) => [key, text]))).toEqual([
      ['outboxDropped', '2'],
      ['outboxDroppedFrom', '1970-01-01T00:00:00.000Z'],
      ['outboxDroppedTo', '1970-01-01T00:00:20.000Z'],
    ]);
    const { rows: made, delivered, dropped } = loadTotals(database);
    expect(made).toBe(delivered + dropped + rows.length);
    expect(droppedRows(database)).toEqual([{ target: 'main', rows: 2, since: 80_000, last: 100_000 }]);
    await writer.close();
  });

  test('a run of drops goes on until an hour has passed without one', async () => {
    const { database, writer } = await bench({ outboxPolicy: 'drop-oldest', outboxMaxAgeMs: MINUTE });
    const small = [reading('k')];
    const HOUR = 60 * MINUTE;
    for (const at of [0, HOUR, 2 * HOUR]) await commit(writer, at, at, small);
    const drops = () => createOutboxReader(database).depths()[0]?.drops;
    expect(drops()).toEqual({ rows: 2, since: HOUR, last: 2 * HOUR });
    await commit(writer, 9, 3 * HOUR + 1, small);
    expect(drops()).toEqual({ rows: 1, since: 3 * HOUR + 1, last: 3 * HOUR + 1 });
    await writer.close();
  });

  test('by size, however long it goes on: the limit holds, and each hour has one record', async () => {
    const { database, writer } = await bench({ outboxPolicy: 'drop-oldest', outboxMaxBytes: 200_000 });
    const outbox = createOutboxReader(database);
    for (let number = 0; number < 40; number += 1) {
      await commit(writer, number, number * 10 * MINUTE);
      expect(outbox.depth().bytes).toBeLessThan(200_000 + 45_000);
    }
    const rows = outbox.pending(1, 0, 100);
    const gaps = rows.filter(({ device }) => device === OWN_DEVICE);
    expect(gaps.length).toBeLessThanOrEqual(7);
    const told = gaps.reduce((sum, { readings }) => sum + Number(readings[0]?.text), 0);
    expect(told + rows.length - gaps.length).toBe(40);
    const { rows: made, delivered, dropped } = loadTotals(database);
    expect(made).toBe(delivered + dropped + rows.length);
    await writer.close();
  });
});

test('limits that make no sense are refused', () => {
  const database = newDatabase();
  const settings = { ...DEFAULT_TARGET_SETTINGS, outboxMaxBytes: 5 };
  expect(codeOf(() => addTarget(database, newTarget('gateway', { settings })))).toBe('INVALID_VALUE');
});
