/** `outbox` through the program: rows that were refused are listed, sent again, and never taken away without a yes. */
import { expect, test } from 'vitest';
import { decimal } from '../../src/core/decimal.ts';
import { openWriter } from '../../src/store/local/writer.ts';
import { type Bench, newBench } from '../support/cli.ts';

/** A database with two rows that were refused and one that waits. */
async function filled(bench: Bench): Promise<void> {
  await bench.json(['init', '--url', 'mqtt://127.0.0.1:1', '--token', 'TOKEN', '--yes']);
  const writer = await openWriter(bench.db, { thread: false });
  const value = { key: 'k', ts: 5, value: decimal(1n), unit: null, obis: '1.0.1.8.0.255', quality: 'good' } as const;
  const shared = { meterId: 1, device: 'house1', createdAt: 5, connectionIds: [1], readings: [value] };
  for (const cycleId of ['a', 'b', 'c']) await writer.commitCycle({ ...shared, cycleId });
  await writer.quarantine([1, 2], 'PUBACK code 0x99');
  await writer.close();
}

test.concurrent('list, replay and drop', async ({ onTestFinished }) => {
  const bench = newBench(onTestFinished);
  await filled(bench);
  expect(await bench.json(['outbox', 'list', '--quarantined'])).toMatchObject([
    { id: 1, target: 'thingsboard', device: 'house1', readings: 1, setAside: 'refused', reason: 'PUBACK code 0x99' },
    { id: 2 },
  ]);
  expect(await bench.json(['outbox', 'replay', '1'])).toEqual({ rows: 1, result: 'replayed' });
  expect(await bench.json(['outbox'])).toMatchObject({ rows: 2, quarantined: 1 });
  expect(await bench.failure(['outbox', 'drop', '--quarantined'])).toMatchObject({ status: 2, code: 'USAGE' });
  expect(await bench.json(['outbox'])).toMatchObject({ rows: 2, quarantined: 1 });
  expect(await bench.json(['outbox', 'drop', '--quarantined', '--yes'])).toEqual({ rows: 1, result: 'dropped' });
  expect(await bench.json(['outbox'])).toMatchObject({ rows: 2, quarantined: 0 });
});

test.concurrent.for([
  ['outbox', 'replay'],
  ['outbox', 'replay', '1', '--all'],
  ['outbox', 'replay', '99'],
  ['outbox', 'drop', '--yes'],
  ['outbox', 'drop', 'x', '--yes'],
])('refused: %s', async (args, { onTestFinished }) => {
  const bench = newBench(onTestFinished);
  await filled(bench);
  expect((await bench.failure(args)).status).toBe(2);
});
