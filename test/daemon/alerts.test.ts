/** The alert desk over a real database, and what is observed of the daemon's figures. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Observed } from '../../src/alert/evaluate.ts';
import type { AlertCode } from '../../src/alert/rules.ts';
import { BridgeError } from '../../src/core/errors.ts';
import { AlertDesk, type AlertNotice } from '../../src/daemon/alerts/alert-desk.ts';
import { type Figures, forgetGone, observations } from '../../src/daemon/alerts/alert-watch.ts';
import { PublishRate } from '../../src/daemon/status/publish-rate.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { type Database, initDatabase } from '../../src/store/database.ts';
import { DEFAULT_BRIDGE_SETTINGS } from '../../src/store/fleet/bridge-settings.ts';
import { DEFAULT_TARGET_SETTINGS, type TargetSettings } from '../../src/store/fleet/target-settings.ts';
import type { Fleet } from '../../src/store/fleet/types.ts';
import { acknowledgeAlerts, loadAlerts } from '../../src/store/local/alerts.ts';
import type { ConnectionDepth } from '../../src/store/local/types.ts';
import { openWriter } from '../../src/store/local/writer.ts';

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;

interface DeskBench {
  readonly clock: VirtualClock;
  readonly database: Database;
  readonly notices: AlertNotice[];
  /** A desk as a process has it that starts now. */
  desk(): AlertDesk;
}

async function deskBench(): Promise<DeskBench> {
  const directory = mkdtempSync(join(tmpdir(), 'dlms-alerts-'));
  const path = join(directory, 'dlms.db');
  const database = initDatabase(path);
  const clock = new VirtualClock();
  const writer = await openWriter(path, { thread: false, clock });
  onTestFinished(async () => {
    await writer.close();
    database.close();
    rmSync(directory, { recursive: true });
  });
  const notices: AlertNotice[] = [];
  return {
    clock,
    database,
    notices,
    desk: () =>
      new AlertDesk({
        writer,
        clock,
        hostTime: clock,
        log: silentLogger,
        earlier: loadAlerts(database),
        onNotice: (notice) => notices.push(notice),
      }),
  };
}

const conflict = (value: boolean) =>
  ({ code: 'TOKEN_CONFLICT', subject: 'cloud', value, detail: () => 'rc=7' }) as const;

test('an alert is raised once, kept, and cleared once with its time', async () => {
  const { clock, database, notices, desk: newDesk } = await deskBench();
  const desk = newDesk();
  for (let time = 0; time < 3; time += 1) desk.observe(conflict(true));
  await desk.written();
  expect(loadAlerts(database)).toMatchObject([
    { code: 'TOKEN_CONFLICT', subject: 'cloud', cleared: null, detail: 'rc=7' },
  ]);
  await clock.advance(5000);
  for (let time = 0; time < 3; time += 1) desk.observe(conflict(false));
  await desk.written();
  const [alert] = loadAlerts(database);
  expect((alert?.cleared ?? 0) - (alert?.since ?? 0)).toBe(5000);
  expect(notices.map(({ change, active }) => [change, active])).toEqual([
    ['raised', 1],
    ['cleared', 0],
  ]);
});

test('two that change in the same moment are told with times of their own', async () => {
  const { notices, desk: newDesk } = await deskBench();
  const desk = newDesk();
  desk.observe(conflict(true));
  desk.observe({ code: 'DISK_LOW', subject: 'daemon', value: 0, detail: () => 'full' });
  expect(new Set(notices.map(({ at }) => at)).size).toBe(2);
});

test('a clock that was set far ahead by mistake, and back, leaves alerts the right time', async () => {
  const { clock, notices, desk: newDesk } = await deskBench();
  const desk = newDesk();
  clock.stepWall(365 * DAY);
  desk.observe(conflict(true));
  clock.stepWall(-365 * DAY);
  desk.observe(conflict(false));
  expect(notices.map(({ at }) => at - clock.now())).toEqual([365 * DAY, 0]);
});

test('it survives a restart: neither raised twice nor forgotten', async () => {
  const { database, notices, desk: newDesk } = await deskBench();
  const before = newDesk();
  before.observe(conflict(true));
  before.nameRival('cloud', { pid: 77, uid: 0, command: 'bridge.py', unit: 'old.service' });
  await before.written();
  const after = newDesk();
  expect(after.active()).toBe(1);
  after.observe(conflict(true));
  await after.written();
  expect(loadAlerts(database)).toHaveLength(1);
  expect(loadAlerts(database)[0]?.rival).toEqual({ pid: 77, uid: 0, command: 'bridge.py', unit: 'old.service' });
  expect(notices).toHaveLength(1);
  after.observe(conflict(false));
  await after.written();
  expect(loadAlerts(database)[0]?.cleared).not.toBeNull();
});

test('what happened is told once, and stays until its observation says that it is over', async () => {
  const { database, notices, desk: newDesk } = await deskBench();
  const desk = newDesk();
  const observed = (value: boolean) =>
    ({ code: 'DATABASE_REPAIRED', subject: 'daemon', value, detail: () => '' }) as const;
  desk.announce('DATABASE_REPAIRED', 'daemon', 'from a backup');
  desk.observe(observed(true));
  await desk.written();
  expect(loadAlerts(database)).toMatchObject([{ code: 'DATABASE_REPAIRED', detail: 'from a backup', cleared: null }]);
  expect(notices).toMatchObject([{ change: 'raised', detail: 'from a backup', active: 1 }]);
  desk.observe(observed(false));
  await desk.written();
  expect(loadAlerts(database)[0]?.cleared).not.toBeNull();
});

test('taking note changes nothing but that; what is not active cannot be taken note of', async () => {
  const { database, desk: newDesk } = await deskBench();
  const desk = newDesk();
  desk.observe(conflict(true));
  await desk.written();
  expect(acknowledgeAlerts(database, 'TOKEN_CONFLICT', null, 42)).toBe(1);
  expect(loadAlerts(database)[0]).toMatchObject({ acknowledged: 42, cleared: null });
  expect(() => acknowledgeAlerts(database, 'TOKEN_CONFLICT', 'other', 42)).toThrow(
    /no alert TOKEN_CONFLICT of "other"/,
  );
  expect(() => acknowledgeAlerts(database, 'DISK_LOW', null, 42)).toThrow(/no alert DISK_LOW is active/);
});

test('a database that cannot be written does not keep an alert from being told', async () => {
  const notices: AlertNotice[] = [];
  const writer = { changeAlert: () => Promise.reject(new BridgeError('DATABASE_FULL', 'full')) };
  const clock = new VirtualClock();
  const desk = new AlertDesk({
    writer,
    clock,
    hostTime: clock,
    log: silentLogger,
    earlier: [],
    onNotice: (notice) => notices.push(notice),
  });
  desk.observe(conflict(true));
  await desk.written();
  expect(notices).toHaveLength(1);
});

const FLEET = {
  settings: DEFAULT_BRIDGE_SETTINGS,
  connections: [{ id: 1, targetId: 1, meterId: null, retired: false }],
  targets: [{ id: 1, name: 'cloud' }],
  lines: [{ id: 1, link: 'tcp://h:1' }],
  meters: [{ id: 1, name: 'house1', enabled: true, deletedFrom: null }],
  groups: [{ meterId: 1, intervalMs: 5000 }],
} as unknown as Fleet;

const CONNECTION = { state: 'connected', conflict: false, clientId: 'me', lastError: null, certificateExpires: null };
const WELL = {
  now: 10 * MINUTE,
  startedAt: 0,
  fleet: FLEET,
  connections: new Map([[1, CONNECTION]]),
  meter: (id: number) =>
    new Map([[1, { state: 'connected', lastReadingAt: 10 * MINUTE - 5000, error: null, connection: null }]]).get(id),
  line: () => ({ status: 'idle' }),
  outbox: [],
  countersLeft: new Map(),
  hostClockDoubt: null,
  publishRate: 1,
  freeDisk: 1e9,
} as unknown as Figures;

const depthOf = (connectionId: number): ConnectionDepth => ({
  ...{ connectionId, rows: 0, oldest: null, bytes: 0, quarantined: 0, drops: null },
});

/** A fleet whose one target has these settings. */
const fleetWith = (settings: Partial<TargetSettings>): Fleet => ({
  ...FLEET,
  targets: FLEET.targets.map((target) => ({ ...target, settings: { ...DEFAULT_TARGET_SETTINGS, ...settings } })),
});

/** The value that is observed of an alert, among figures that are well otherwise. */
function observed(code: AlertCode, figures: Partial<Record<keyof Figures, unknown>>): Observed | undefined {
  return [...observations({ ...WELL, ...figures } as Figures)].find((one) => one.code === code)?.value;
}

/** What is true of these figures, in the way of states. */
function troubles(figures: Partial<Record<keyof Figures, unknown>>): string[] {
  return [...observations({ ...WELL, ...figures } as Figures)]
    .filter(({ value }) => value === true)
    .map(({ code, subject }) => `${code} ${subject}`);
}

test('nothing is observed where all is well', () => {
  expect(troubles({})).toEqual([]);
});

test.each<[string, Partial<Record<keyof Figures, unknown>>, string[]]>([
  [
    'a rival',
    { connections: new Map([[1, { ...CONNECTION, state: 'waiting', conflict: true }]]) },
    ['TOKEN_CONFLICT cloud'],
  ],
  [
    'a token that is refused',
    { connections: new Map([[1, { ...CONNECTION, state: 'waiting', lastError: { code: 'MQTT_CREDENTIALS' } }]]) },
    ['CREDENTIALS_REFUSED cloud'],
  ],
  [
    'a server that is away',
    { connections: new Map([[1, { ...CONNECTION, state: 'waiting', lastError: { code: 'MQTT_UNREACHABLE' } }]]) },
    ['TARGET_UNREACHABLE cloud'],
  ],
  [
    'a meter that is dead',
    {
      meter: () => ({ state: 'error', lastReadingAt: 0, error: { code: 'METER_TIMEOUT' }, connection: null }),
    },
    ['METER_OFFLINE house1', 'DATA_STALE house1'],
  ],
  [
    'a meter that an operator left alone',
    {
      meter: () => ({ state: 'suspended', lastReadingAt: 0, error: null, connection: { suspendedBy: 'operator' } }),
    },
    [],
  ],
  [
    'a disk that is full',
    {
      meter: () => ({ state: 'error', lastReadingAt: 10 * MINUTE, error: { code: 'DATABASE_FULL' }, connection: null }),
    },
    ['DATABASE_REFUSES house1'],
  ],
  [
    'a meter that is another one, and whose clock is off',
    {
      meter: () => ({
        ...{ state: 'connected', lastReadingAt: 10 * MINUTE, error: null, connection: null },
        identity: { pinned: null, stranger: { logicalDeviceName: 'ABC2', serialNumber: '2' } },
        clockDrift: { seconds: 75, isOff: true },
      }),
    },
    ['METER_STRANGER house1', 'METER_CLOCK_OFF house1'],
  ],
  [
    'a meter whose device was deleted',
    { fleet: { ...FLEET, meters: [{ ...FLEET.meters[0], deletedFrom: 1 }] as Fleet['meters'] } },
    ['DEVICE_DELETED house1'],
  ],
  ['a clock of the host that stepped', { hostClockDoubt: 'it stepped by 60 s' }, ['HOST_CLOCK_DOUBTED daemon']],
  [
    'an outbox that is full, where polls wait for it',
    {
      fleet: fleetWith({ outboxMaxBytes: 1000 }),
      outbox: [{ ...depthOf(1), rows: 1, oldest: 9 * MINUTE, bytes: 1000 }],
    },
    ['OUTBOX_FULL cloud'],
  ],
  [
    'an outbox with rows that are too old, where the eldest go',
    {
      fleet: fleetWith({ outboxMaxAgeMs: MINUTE, outboxPolicy: 'drop-oldest' }),
      outbox: [{ ...depthOf(1), rows: 1, oldest: 0, bytes: 1000 }],
    },
    [],
  ],
  ['a line that is down', { line: () => ({ status: 'down' }) }, ['LINE_DOWN tcp://h:1']],
])('%s', (_, figures, expected) => {
  expect(troubles(figures)).toEqual(expected);
});

test('figures become values of their alerts', () => {
  const values = Object.fromEntries(
    [
      ...observations({
        ...WELL,
        outbox: [
          { ...depthOf(1), rows: 2, oldest: 9.5 * MINUTE },
          { ...depthOf(2), rows: 1, oldest: 9 * MINUTE, quarantined: 2 },
        ],
        publishRate: 0.3,
        freeDisk: 5,
      }),
    ].map(({ code, value }) => [code, value]),
  );
  expect(values).toMatchObject({
    OUTBOX_GROWING: 60,
    READINGS_QUARANTINED: 2,
    PUBLISH_RATE_LOW: 0.3,
    DISK_LOW: 5,
  });
});

test('rows that were dropped count until an hour has passed without a drop', () => {
  const outbox = (last: number) => [{ ...depthOf(1), drops: { rows: 7, since: 0, last } }];
  expect(observed('OUTBOX_DROPPED', { outbox: [depthOf(1)] })).toBe(0);
  expect(observed('OUTBOX_DROPPED', { now: 120 * MINUTE, outbox: outbox(60 * MINUTE) })).toBe(7);
  expect(observed('OUTBOX_DROPPED', { now: 120 * MINUTE, outbox: outbox(60 * MINUTE - 1) })).toBe(0);
});

test('days that are left of a certificate: unknown until a session has told', () => {
  const connection = (state: string, certificateExpires: string | null) => ({
    connections: new Map([[1, { ...CONNECTION, state, certificateExpires }]]),
  });
  const inTenDays = new Date(10 * MINUTE + 10 * DAY).toISOString();
  expect(observed('CERTIFICATE_EXPIRING', connection('connected', inTenDays))).toBe(10);
  expect(observed('CERTIFICATE_EXPIRING', connection('waiting', null))).toBeNull();
  expect(observed('CERTIFICATE_EXPIRING', connection('connected', null))).toBe(Number.POSITIVE_INFINITY);
});

test('alerts about what is configured no more are over', async () => {
  const { database, desk: newDesk } = await deskBench();
  const desk = newDesk();
  desk.observe({ code: 'METER_OFFLINE', subject: 'house1', value: true, detail: () => '' });
  desk.observe({ ...conflict(true) });
  forgetGone(desk, { ...FLEET, connections: [], meters: [] });
  await desk.written();
  expect(loadAlerts(database).filter(({ cleared }) => cleared === null)).toEqual([]);
});

test('an alert follows its meter to another name, also over a restart', async () => {
  const { database, notices, desk: newDesk } = await deskBench();
  const desk = newDesk();
  const off = (subject: string) =>
    desk.observe({ code: 'DEVICE_DELETED', subject, value: true, detail: () => 'it is gone' });
  off('house1');
  await desk.written();
  desk.rename('house1', 'flat 7');
  off('flat 7');
  await desk.written();
  expect(notices.map(({ change, subject }) => `${change} ${subject}`)).toEqual(['raised house1']);
  expect(loadAlerts(database)).toHaveLength(1);
});

test('the recent rate falls within a minute of the cause, and is not judged by a handful of cycles', () => {
  const rate = new PublishRate();
  let fellAt = 0;
  for (let second = 0; second < 200; second += 1) {
    const now = second * 1000;
    rate.committedCycle(String(second), 1, now);
    // From the 100th second on nothing is delivered.
    if (second < 100) rate.deliveredRow(String(second));
    const recent = rate.recent(now, 10);
    if (second < 25) expect(recent === null || recent === 1).toBe(true);
    if (fellAt === 0 && recent !== null && recent < 0.5) fellAt = second;
  }
  expect(fellAt - 100).toBeGreaterThan(0);
  expect(fellAt - 100).toBeLessThan(60);
  expect(new PublishRate().recent(1e6, 1)).toBeNull();
});
