/** A meter whose device was renamed or deleted in ThingsBoard. */
import { expect, test } from 'vitest';
import { loadFleet, loadLearned } from '../../src/store/fleet/load.ts';
import { addMeter, removeMeter, resumeMeter } from '../../src/store/fleet/meters.ts';
import { revision } from '../../src/store/fleet/revision.ts';
import { addTarget } from '../../src/store/fleet/targets.ts';
import { loadAlerts } from '../../src/store/local/alerts.ts';
import { dropFromOutbox, listOutbox, replayOutbox } from '../../src/store/local/outbox-keeping.ts';
import { loadTotals } from '../../src/store/local/status.ts';
import { openWriter } from '../../src/store/local/writer.ts';
import { cycle, newFleet, newMeter, newTarget } from './support.ts';

async function bench() {
  const database = newFleet();
  addTarget(database, newTarget('gateway', { name: 'second', token: 'SECOND' }));
  for (const name of ['house1', 'house2']) addMeter(database, newMeter(name));
  const writer = await openWriter(database.path, { thread: false });
  const rows = () => listOutbox(database, { quarantined: false, limit: 100 });
  return { database, writer, rows };
}

const NOW = 1_767_225_600_000;

test('a renamed meter has everything under its new name', async () => {
  const { database, writer, rows } = await bench();
  const learned = [{ kind: 'firmware:1.0.0.2.0.255', json: '"1.2"' }];
  await writer.commitCycle(cycle('a', { connectionIds: [1, 2], learned }));
  await writer.changeAlert({ kind: 'raise', code: 'METER_OFFLINE', subject: 'house1', at: NOW, detail: 'it is off' });
  await writer.changeAlert({ kind: 'raise', code: 'TARGET_UNREACHABLE', subject: 'house1', at: NOW, detail: '' });
  const before = revision(database);
  await writer.renameMeter('house1', 'flat 7');
  expect(revision(database)).toBe(before + 1);
  // A cycle that was read under the old name.
  await writer.commitCycle(cycle('b'));
  expect(rows().map(({ device }) => device)).toEqual(['flat 7', 'flat 7', 'flat 7']);
  expect(loadFleet(database).meters.map(({ id, name }) => [id, name])).toEqual([
    [1, 'flat 7'],
    [2, 'house2'],
  ]);
  expect(loadLearned(database, 1).get('firmware:1.0.0.2.0.255')).toBe('"1.2"');
  expect(loadAlerts(database).map(({ code, subject }) => [code, subject])).toEqual([
    ['TARGET_UNREACHABLE', 'house1'],
    ['METER_OFFLINE', 'flat 7'],
  ]);
  await writer.close();
});

test.each([
  ['nobody', 'flat 7', 'NOT_FOUND'],
  ['house1', 'house2', 'ALREADY_EXISTS'],
  ['house1', 'tcp://host:1', 'INVALID_VALUE'],
  ['house1', ' ', 'INVALID_VALUE'],
])('from "%s" to "%s": %s, and nothing is another', async (from, to, code) => {
  const { database, writer, rows } = await bench();
  await writer.commitCycle(cycle('a'));
  const before = revision(database);
  await expect(writer.renameMeter(from, to)).rejects.toMatchObject({ code });
  expect(revision(database)).toBe(before);
  expect(loadFleet(database).meters.map(({ name }) => name)).toEqual(['house1', 'house2']);
  expect(rows().map(({ device }) => device)).toEqual(['house1']);
  await writer.close();
});

test('a deleted device: its meter is suspended, and what would make it anew is kept back until it is resumed', async () => {
  const { database, writer, rows } = await bench();
  await writer.commitCycle(cycle('a', { connectionIds: [1, 2] }));
  await writer.commitCycle(cycle('other', { meterId: 2, device: 'house2' }));
  expect(await writer.suspendDeleted('house1', 1)).toBe(1);
  // A cycle that was under way.
  await writer.commitCycle(cycle('b', { connectionIds: [1, 2] }));
  const state = () => rows().map(({ target, device, setAside }) => `${target} ${device} ${setAside ?? 'waits'}`);
  expect(state()).toEqual([
    'main house1 deleted',
    'second house1 waits',
    'main house2 waits',
    'main house1 deleted',
    'second house1 waits',
  ]);
  expect(loadFleet(database).meters[0]).toMatchObject({ suspended: true, deletedFrom: 1 });
  // What is meant for rows that ThingsBoard refused leaves them alone.
  expect(replayOutbox(database, null)).toBe(0);
  expect(dropFromOutbox(database, null)).toBe(0);
  resumeMeter(database, 'house1');
  expect(state().every((line) => line.endsWith('waits'))).toBe(true);
  expect(loadFleet(database).meters[0]).toMatchObject({ suspended: false, deletedFrom: null });
  await expect(writer.suspendDeleted('nobody', 1)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await writer.close();
});

test('a meter that is removed after its device takes with it what was kept back, and is counted', async () => {
  const { database, writer, rows } = await bench();
  await writer.commitCycle(cycle('a', { connectionIds: [1, 2] }));
  await writer.suspendDeleted('house1', 1);
  removeMeter(database, 'house1');
  expect(rows().map(({ target }) => target)).toEqual(['second']);
  expect(loadTotals(database)).toMatchObject({ rows: 2, dropped: 1 });
  await writer.close();
});
