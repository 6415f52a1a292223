/** A target that was removed: no row is made for it any more, none that it has is lost, and it goes with the last. */
import { expect, test } from 'vitest';
import { applyFleet } from '../../src/store/fleet/apply.ts';
import { connectionsOfMeter, loadFleet, wantedTargets } from '../../src/store/fleet/load.ts';
import { addMeter } from '../../src/store/fleet/meters.ts';
import { addTarget, removeTarget } from '../../src/store/fleet/targets.ts';
import { droppedRows } from '../../src/store/local/outbox-keeping.ts';
import { openWriter } from '../../src/store/local/writer.ts';
import { codeOf, cycle, GATEWAY_TOKEN, newFleet, newMeter, newTarget } from './support.ts';

const CLOUD = newTarget('gateway', { name: 'cloud', url: 'mqtt://cloud:1883', token: 'CLOUD' });
/** The connections of `main` and of `cloud`. */
const BOTH = [1, 2];

test('what waits for it is delivered, then it is gone', async () => {
  const database = newFleet();
  addTarget(database, CLOUD);
  const meter = addMeter(database, newMeter('house1'));
  const writer = await openWriter(database.path, { thread: false });
  const [, waiting] = await writer.commitCycle(cycle('c1', { connectionIds: BOTH }));
  const before = loadFleet(database).revision;
  expect(removeTarget(database, 'cloud', { drop: false })).toBe(1);
  const fleet = loadFleet(database);
  expect(fleet.revision).toBe(before + 1);
  expect(wantedTargets(fleet).map(({ name }) => name)).toEqual(['main']);
  expect(fleet.targets.map(({ name }) => name)).toEqual(['main', 'cloud']);
  expect(connectionsOfMeter(fleet, meter).map(({ id }) => id)).toEqual([1]);
  await writer.acknowledge([waiting ?? 0]);
  expect(loadFleet(database)).toMatchObject({ targets: [{ name: 'main' }], connections: [{ id: 1 }] });
  await writer.close();
});

test('a cycle that was under way is stored for the others', async () => {
  const database = newFleet();
  addTarget(database, CLOUD);
  addMeter(database, newMeter('house1'));
  const writer = await openWriter(database.path, { thread: false });
  removeTarget(database, 'cloud', { drop: false });
  expect(await writer.commitCycle(cycle('c1', { connectionIds: BOTH }))).toHaveLength(1);
  await expect(writer.commitCycle(cycle('c2', { connectionIds: [2] }))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await writer.close();
  const rows = database.sql.prepare('SELECT cycle_id AS cycle, connection_id AS connection FROM outbox').all();
  expect(rows).toEqual([{ cycle: 'c1', connection: 1 }]);
});

test('with drop it goes at once, and what is given up is counted', async () => {
  const database = newFleet();
  addTarget(database, CLOUD);
  addMeter(database, newMeter('house1'));
  const writer = await openWriter(database.path, { thread: false });
  await writer.commitCycle(cycle('c1', { connectionIds: BOTH }));
  const [, refused] = await writer.commitCycle(cycle('c2', { connectionIds: BOTH }));
  await writer.quarantine([refused ?? 0], 'refused');
  expect(removeTarget(database, 'cloud', { drop: true })).toBe(0);
  expect(loadFleet(database)).toMatchObject({ targets: [{ name: 'main' }], connections: [{ id: 1 }] });
  expect(database.sql.prepare("SELECT value FROM counter WHERE name = 'dropped'").pluck().get()).toBe(2);
  expect(database.sql.prepare('SELECT count(*) FROM outbox').pluck().get()).toBe(2);
  expect(droppedRows(database)).toEqual([]);
  await writer.close();
});

test('the only one stays, and one that nobody knows is told', () => {
  const database = newFleet();
  expect(codeOf(() => removeTarget(database, 'cloud', { drop: true }))).toBe('NOT_FOUND');
  expect(codeOf(() => removeTarget(database, 'main', { drop: true }))).toBe('INVALID_VALUE');
  expect(loadFleet(database)).toMatchObject({ revision: 1, targets: [{ name: 'main' }] });
});

test('while rows are left it is not there for what comes', async () => {
  const database = newFleet('device');
  addTarget(database, CLOUD);
  addMeter(database, newMeter('house1', { token: 'T1' }));
  const writer = await openWriter(database.path, { thread: false });
  await writer.commitCycle(cycle('c1', { connectionIds: [1, 3] }));
  await writer.close();
  expect(removeTarget(database, 'main', { drop: false })).toBe(2);
  // Gateway mode from now on.
  expect(codeOf(() => addMeter(database, newMeter('house2', { token: 'T2' })))).toBe('INVALID_VALUE');
  const house2 = addMeter(database, newMeter('house2'));
  expect(connectionsOfMeter(loadFleet(database), house2).map(({ token }) => token)).toEqual(['CLOUD']);
  expect(codeOf(() => removeTarget(database, 'cloud', { drop: false }))).toBe('INVALID_VALUE');
  expect(codeOf(() => addTarget(database, newTarget()))).toBe('ALREADY_EXISTS');
  const imported = { settings: {}, lines: [], meters: [], targets: [newTarget('device')] };
  const refused = (_: unknown, error: Error): never => {
    throw error;
  };
  const options = { replace: false, dryRun: false };
  expect(codeOf(() => applyFleet(database, { ...imported, refused }, options))).toBe('INVALID_VALUE');
});

test('under another name with the same token it takes over what waits', async () => {
  const database = newFleet();
  addTarget(database, CLOUD);
  const writer = await openWriter(database.path, { thread: false });
  await writer.commitCycle(cycle('c1', { connectionIds: [1] }));
  await writer.close();
  removeTarget(database, 'main', { drop: false });
  addTarget(database, newTarget('gateway', { name: 'renamed' }));
  const { targets, connections } = loadFleet(database);
  expect(targets.map(({ name }) => name)).toEqual(['cloud', 'renamed']);
  const renamed = targets.find(({ name }) => name === 'renamed');
  expect(connections[0]).toMatchObject({ id: 1, targetId: renamed?.id, token: GATEWAY_TOKEN, retired: false });
});
