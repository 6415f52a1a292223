/** Shared attributes become changes of the fleet: bounded, once, and answered. */
import { expect, onTestFinished, test } from 'vitest';
import { BridgeError } from '../../src/core/errors.ts';
import { SharedSettings } from '../../src/daemon/attributes/shared-settings.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { EventBus } from '../../src/runtime/events.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { changeBridgeSettings, loadBridgeSettings } from '../../src/store/fleet/bridge-settings.ts';
import { loadFleet } from '../../src/store/fleet/load.ts';
import { addMeter, removeMeter } from '../../src/store/fleet/meters.ts';
import { revision } from '../../src/store/fleet/revision.ts';
import { addTarget } from '../../src/store/fleet/targets.ts';
import type { TargetMode } from '../../src/store/fleet/types.ts';
import { openWriter } from '../../src/store/local/writer.ts';
import type { ThingsBoardEvents } from '../../src/thingsboard/events.ts';
import { newFleet, newMeter, newTarget } from '../store/support.ts';
import { until } from '../support/until.ts';

async function bench(mode: TargetMode = 'gateway') {
  const database = newFleet(mode);
  if (mode === 'gateway') addTarget(database, newTarget('gateway', { name: 'second', token: 'SECOND' }));
  for (const name of ['house1', 'house2']) {
    addMeter(database, newMeter(name, mode === 'device' ? { token: `T-${name}` } : {}));
  }
  const clock = new VirtualClock();
  const writer = await openWriter(database.path, { thread: false, clock });
  onTestFinished(() => writer.close());
  const thingsboard = new EventBus<ThingsBoardEvents>((error) => {
    throw error;
  });
  const answered: number[] = [];
  let isFull = false;
  const begin = () => {
    const shared = new SharedSettings({
      database,
      thingsboard,
      clock,
      log: silentLogger,
      signal: new AbortController().signal,
      writer: {
        followShared: async (change) => {
          if (isFull) throw new BridgeError('DATABASE_FULL', 'full');
          return writer.followShared(change);
        },
      },
      changed: async () => shared.apply(loadFleet(database)),
      answered: (ids) => void answered.push(...ids),
    });
    shared.apply(loadFleet(database));
    return shared;
  };
  const shared = begin();
  const intervals = () => loadFleet(database).groups.map(({ intervalMs }) => intervalMs);
  /** Tells, and waits until everything is done. */
  const told = async (...all: Partial<ThingsBoardEvents['shared']>[]) => {
    const count = answered.length;
    for (const one of all) {
      thingsboard.emit('shared', { connectionId: 1, device: '', values: {}, deleted: [], ...one });
    }
    await until('it is answered', () => answered.length > count, { clock, stepMs: 250 });
  };
  return {
    ...{ database, clock, shared, begin, told, answered, intervals, thingsboard },
    fill: (full: boolean) => {
      isFull = full;
    },
  };
}

test('settings of the bridge, and intervals of its meters', async () => {
  const { database, shared, told, answered, intervals } = await bench();
  await told(
    { values: { logLevel: 'debug', alertOutboxAgeSeconds: 5, address: 'Main Street 1' } },
    { device: 'house2', values: { pollInterval: 30 } },
    { device: 'nobody', values: { pollInterval: 30 } },
  );
  expect(answered).toEqual([0, 2]);
  expect(loadBridgeSettings(database)).toMatchObject({ logLevel: 'debug', alertOutboxAgeSeconds: 600 });
  expect(intervals()).toEqual([5000, 30_000]);
  expect(shared.answers(0)).toEqual({
    settingsRefused: 'alertOutboxAgeSeconds takes 10 to 2592000 s, not 5',
  });
  expect(shared.answers(2)).toEqual({ settingsRefused: 'none' });
  expect(shared.answers(1)).toEqual({});
  // It is mended.
  await told({ values: { alertOutboxAgeSeconds: 50 } });
  expect(shared.answers(0)).toEqual({ settingsRefused: 'none' });
  await told({ deleted: ['logLevel'] });
  expect(loadBridgeSettings(database)).toMatchObject({ logLevel: null, alertOutboxAgeSeconds: 50 });
});

test('each device by its own connection', async () => {
  const { told, intervals, shared } = await bench('device');
  await told({ connectionId: 3, values: { pollInterval: 30 } });
  expect(intervals()).toEqual([5000, 30_000]);
  expect(shared.sharedKeys(1, '')).toContain('logLevel');
  expect(shared.sharedKeys(3, '')).toEqual(['pollInterval.default', 'pollInterval']);
});

test('what is told again at each connect is followed once, also over a restart; what an operator set stays', async () => {
  const { database, told, begin } = await bench();
  await told({ values: { logLevel: 'debug' } });
  changeBridgeSettings(database, { logLevel: 'warn' });
  const before = revision(database);
  await told({ values: { logLevel: 'debug' } });
  begin();
  await told({ values: { logLevel: 'debug' } });
  expect(loadBridgeSettings(database).logLevel).toBe('warn');
  expect(revision(database)).toBe(before);
  await told({ values: { logLevel: 'error' } });
  expect(loadBridgeSettings(database).logLevel).toBe('error');
});

test('where two targets disagree the last change is followed', async () => {
  const { database, told } = await bench();
  await told({ values: { logLevel: 'debug' } }, { connectionId: 2, values: { logLevel: 'warn' } });
  expect(loadBridgeSettings(database).logLevel).toBe('warn');
  await told({ values: { logLevel: 'error' } });
  expect(loadBridgeSettings(database).logLevel).toBe('error');
});

test('a flood is one change', async () => {
  const { database, told, intervals } = await bench();
  const before = revision(database);
  await told(...Array.from({ length: 5000 }, (_, at) => ({ device: 'house1', values: { pollInterval: at + 1 } })));
  expect(intervals()).toEqual([5_000_000, 5000]);
  expect(revision(database)).toBe(before + 1);
});

test('settings that are right by themselves and wrong together: those that may be are followed', async () => {
  const { database, shared, told } = await bench();
  await told({ values: { alertPublishRateBelow: 90, alertPublishRateAbove: 40, logLevel: 'debug' } });
  const { logLevel, alertPublishRateBelow, alertPublishRateAbove } = loadBridgeSettings(database);
  expect({ logLevel, alertPublishRateBelow, alertPublishRateAbove }).toEqual({
    ...{ logLevel: 'debug', alertPublishRateBelow: 50, alertPublishRateAbove: 80 },
  });
  expect(shared.answers(0).settingsRefused).toContain('is below alertPublishRateBelow');
  await told({ values: { alertPublishRateBelow: 30, alertPublishRateAbove: 41 } });
  expect(loadBridgeSettings(database)).toMatchObject({ alertPublishRateBelow: 30, alertPublishRateAbove: 41 });
  expect(shared.answers(0)).toEqual({ settingsRefused: 'none' });
});

test('a full disk holds it up, and it is followed when there is room', async () => {
  const { database, clock, told, fill, answered } = await bench();
  fill(true);
  const telling = told({ values: { logLevel: 'debug' } });
  await clock.advance(60_000);
  expect(answered).toEqual([]);
  fill(false);
  await telling;
  expect(loadBridgeSettings(database).logLevel).toBe('debug');
});

test('a meter that is gone by then is passed over', async () => {
  const { database, told, thingsboard, answered } = await bench();
  thingsboard.emit('shared', { connectionId: 1, device: 'house2', values: { pollInterval: 30 }, deleted: [] });
  removeMeter(database, 'house2');
  await told({ values: { logLevel: 'debug' } });
  expect(answered).toEqual([2, 0]);
  expect(loadBridgeSettings(database).logLevel).toBe('debug');
});
