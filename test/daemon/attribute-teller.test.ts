/** What the bridge says of devices: few attributes, when they change, and not again after a restart. */
import { expect, test } from 'vitest';
import { decimal, scaledText } from '../../src/core/decimal.ts';
import { AttributeTeller } from '../../src/daemon/attributes/attribute-teller.ts';
import { type Attributes, bridgeAttributes, meterAttributes } from '../../src/daemon/attributes/device-attributes.ts';
import type { MeterStatus } from '../../src/daemon/status/status-board.ts';
import { DEFAULT_POINT_OPTIONS } from '../../src/reading/point-options.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { DEFAULT_BRIDGE_SETTINGS } from '../../src/store/fleet/bridge-settings.ts';
import { loadFleet } from '../../src/store/fleet/load.ts';
import { addMeter, setMeterEnabled } from '../../src/store/fleet/meters.ts';
import { addTarget } from '../../src/store/fleet/targets.ts';
import { createOutboxReader } from '../../src/store/local/outbox-reader.ts';
import { loadTotals } from '../../src/store/local/status.ts';
import { openWriter } from '../../src/store/local/writer.ts';
import { newFleet, newMeter, newTarget } from '../store/support.ts';

type Described = Pick<MeterStatus, 'state' | 'identity' | 'error'>;
const CONNECTED: Described = {
  state: 'connected',
  identity: { pinned: { logicalDeviceName: 'ISK1030771234567', serialNumber: '0012345' }, stranger: null },
  error: null,
};

test('a meter as it is known', () => {
  const groups = [
    { name: 'instantaneous', intervalMs: 500 },
    { name: 'energy', intervalMs: 900_000 },
  ];
  const known = {
    meter: { enabled: true, template: 'idis@1' },
    groups,
    firmware: new Map([['1.0.0.2.0.255', '1.07']]),
  };
  const attributes = Object.entries(meterAttributes({ ...known, status: CONNECTED }));
  const texts = attributes.map(([key, value]) => [key, typeof value === 'object' ? scaledText(value) : value]);
  expect(Object.fromEntries(texts)).toEqual({
    logicalDeviceName: 'ISK1030771234567',
    serialNumber: '0012345',
    manufacturer: 'ISK',
    firmwareVersion: '1.07',
    template: 'idis@1',
    state: 'connected',
    pollInterval: '0.5',
    'pollInterval.energy': '900',
  });
});

test.each([
  ['nothing is known', { state: 'disconnected' }, true, {}],
  ['on its way', { state: 'connecting' }, true, {}],
  [
    'it fails',
    { state: 'error', error: { code: 'METER_TIMEOUT' } },
    true,
    { state: 'error', lastError: 'METER_TIMEOUT' },
  ],
  ['disabled', { state: 'disconnected' }, false, { state: 'disabled' }],
  [
    'a name in hex',
    { state: 'disconnected', identity: { pinned: { logicalDeviceName: '00ff', serialNumber: null } } },
    true,
    { logicalDeviceName: '00ff' },
  ],
])('%s', (_name, status, enabled, expected) => {
  const meter = { enabled, template: null };
  const known = { identity: null, error: null, ...status } as Described;
  expect(meterAttributes({ meter, groups: [], status: known, firmware: new Map() })).toEqual(expected);
});

test('the bridge', () => {
  const about = { version: '1.2.3', hostname: 'pi', restartRequired: true };
  const attributes = bridgeAttributes({ ...about, meters: 3, settings: DEFAULT_BRIDGE_SETTINGS });
  expect(attributes).toMatchObject({ ...about, meters: decimal(3), logLevel: 'as-started', connecting: decimal(200) });
  expect(Object.keys(attributes)).not.toContain('alertWebhook');
});

async function bench() {
  const database = newFleet();
  addMeter(database, newMeter('house1'));
  const clock = new VirtualClock();
  const writer = await openWriter(database.path, { thread: false, clock });
  const outbox = createOutboxReader(database);
  let status: Described | undefined = CONNECTED;
  let after = 0;
  const answers = new Map<number, Attributes>();
  const begin = () => {
    const teller = new AttributeTeller({
      database,
      writer,
      clock,
      log: silentLogger,
      about: { version: '1', hostname: 'pi' },
      statusOf: () => status as MeterStatus | undefined,
      firmwareOf: () => new Map(),
      stored: () => {},
      answersOf: (id) => answers.get(id) ?? {},
      restartRequired: () => false,
    });
    teller.apply(loadFleet(database));
    return teller;
  };
  return {
    ...{ database, clock, writer, begin, answers },
    is: (now: Described | undefined) => {
      status = now;
    },
    /** What rows came since the last call: of which device, with which attributes. */
    told: (connectionId = 1) => {
      const rows = outbox.pending(connectionId, after, 100);
      after = rows.at(-1)?.id ?? after;
      expect(rows.flatMap(({ readings }) => readings).every(({ kind }) => kind === 'attribute')).toBe(true);
      return rows.map(({ device, readings }) => [
        device,
        Object.fromEntries(readings.map(({ key, text }) => [key, text])),
      ]);
    },
  };
}

const MINUTE = 60_000;

test('what changes is told, at most once a minute, and counted as no cycle', async () => {
  const { database, clock, writer, begin, told, is } = await bench();
  const teller = begin();
  await teller.look();
  expect(told()).toMatchObject([
    ['', { version: '1', hostname: 'pi', meters: '1' }],
    ['house1', { serialNumber: '0012345', state: 'connected', pollInterval: '5' }],
  ]);
  is({ ...CONNECTED, state: 'error' });
  await teller.look();
  await clock.advance(MINUTE / 2);
  is({ ...CONNECTED, state: 'error', error: { code: 'METER_TIMEOUT' } as MeterStatus['error'] });
  await teller.look();
  expect(told()).toEqual([]);
  await clock.advance(MINUTE / 2);
  for (let look = 0; look < 3; look += 1) await teller.look();
  expect(told()).toEqual([['house1', { state: 'error', lastError: 'METER_TIMEOUT' }]]);
  expect(loadTotals(database)).toMatchObject({ cycles: 0, readings: 0, rows: 3 });
  await writer.close();
});

test('an answer is told at the next look', async () => {
  const { writer, begin, told, answers } = await bench();
  const teller = begin();
  await teller.look();
  told();
  answers.set(1, { settingsRefused: 'none' });
  await teller.look();
  expect(told()).toEqual([]);
  teller.answer([1]);
  await teller.look();
  expect(told()).toEqual([['house1', { settingsRefused: 'none' }]]);
  await writer.close();
});

test('a restart repeats nothing of a meter; a target that is new gets everything', async () => {
  const { database, clock, writer, begin, told } = await bench();
  await begin().look();
  told();
  await begin().look();
  expect(told()).toMatchObject([['', {}]]);
  addTarget(database, newTarget('gateway', { name: 'second', token: 'SECOND' }));
  await clock.advance(MINUTE);
  await begin().look();
  expect(told(2)).toMatchObject([
    ['', { hostname: 'pi' }],
    ['house1', { serialNumber: '0012345', state: 'connected' }],
  ]);
  await writer.close();
});

test('a device that was deleted is told nothing, and everything when it is made anew', async () => {
  const { database, writer, begin, told } = await bench();
  const teller = begin();
  await teller.look();
  told();
  await writer.suspendDeleted('house1', 1);
  teller.apply(loadFleet(database));
  await teller.look();
  expect(told()).toEqual([]);
  database.sql.prepare('UPDATE meter SET deleted_from = NULL').run();
  teller.apply(loadFleet(database));
  await teller.look();
  expect(told()).toMatchObject([['house1', { serialNumber: '0012345' }]]);
  await writer.close();
});

test('a device is not made before its meter was tried', async () => {
  const { writer, begin, told, is } = await bench();
  is({ ...CONNECTED, state: 'connecting' });
  const teller = begin();
  await teller.look();
  expect(told().map(([device]) => device)).toEqual(['']);
  is({ ...CONNECTED, state: 'error' });
  await teller.look();
  expect(told()).toMatchObject([['house1', { state: 'error' }]]);
  await writer.close();
});

test('a key of a point of the meter is the point; of a meter that never ran nothing is told', async () => {
  const { database, writer, begin, told, is } = await bench();
  const options = { ...DEFAULT_POINT_OPTIONS, kind: 'attribute' as const };
  const points = [{ classId: 1, obis: '0.0.96.1.0.255', attribute: 2, key: 'serialNumber', options }];
  addMeter(database, newMeter('house2', { groups: [{ name: 'default', intervalMs: 5000, points }] }));
  const teller = begin();
  await teller.look();
  const [, , [, attributes]] = told() as [unknown, unknown, [string, object]];
  expect(Object.keys(attributes)).not.toContain('serialNumber');
  addMeter(database, newMeter('house3', { enabled: false }));
  addMeter(database, newMeter('house4'));
  is(undefined);
  teller.apply(loadFleet(database));
  await teller.look();
  expect(told()).toEqual([]);
  is({ ...CONNECTED, state: 'disconnected' });
  setMeterEnabled(database, 'house4', false);
  teller.apply(loadFleet(database));
  await teller.look();
  expect(told()).toEqual([]);
  await writer.close();
});

test('of very many devices a part is looked at in one go, and each in its turn', async () => {
  const database = newFleet();
  addMeter(database, newMeter('house1'));
  const fleet = loadFleet(database);
  const meters = Array.from({ length: 2500 }, (_, id) => ({ ...fleet.meters[0]!, id: id + 1 }));
  const asked: number[] = [];
  const teller = new AttributeTeller({
    database,
    writer: { commitCycle: async () => [] },
    clock: new VirtualClock(),
    log: silentLogger,
    about: { version: '1', hostname: 'pi' },
    statusOf: (id) => {
      asked.push(id);
      return undefined;
    },
    firmwareOf: () => new Map(),
    stored: () => {},
    answersOf: () => ({}),
    restartRequired: () => false,
  });
  teller.apply({ ...fleet, meters });
  const counts = [];
  for (let look = 0; look < 4; look += 1) {
    await teller.look();
    counts.push(asked.length);
  }
  expect(counts).toEqual([999, 1999, 2500, 3499]);
  expect(new Set(asked).size).toBe(2500);
});
