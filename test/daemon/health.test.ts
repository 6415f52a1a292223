import { describe, expect, test } from 'vitest';
import { BridgeError } from '../../src/core/errors.ts';
import { assessHealth, unreadableHealth } from '../../src/daemon/status/health.ts';
import type { HealthFacts, HealthStatus } from '../../src/daemon/status/health-checks.ts';

const NOW = Date.UTC(2026, 0, 1, 12);
const MINUTE = 60_000;

const STATUS = {
  pid: 7,
  startedAt: NOW - 10 * MINUTE,
  updatedAt: NOW - 1000,
  cycles: 100,
  readings: 1000,
  messages: 100,
  publishRate: 1,
  late: 0,
  errors: 0,
  lastError: null,
  avgPollMs: 12,
  p50PollMs: 11,
  p95PollMs: 20,
  p99PollMs: 30,
} as unknown as NonNullable<HealthFacts['daemon']>;

const CONNECTED = { state: 'connected', conflict: false, lastError: null };
type Connection = NonNullable<ReturnType<HealthFacts['connections']['get']>>;
type Meter = NonNullable<ReturnType<HealthFacts['meters']['get']>>;

const connection = (changes: object) => new Map([[1, { ...CONNECTED, ...changes } as unknown as Connection]]);
const UNREACHABLE = { state: 'waiting', lastError: new BridgeError('MQTT_UNREACHABLE', 'refused').report() };
const meter = (changes: object) =>
  ({ state: 'connected', lastReadingAt: NOW - 1000, error: null, ...changes }) as unknown as Meter;

const WELL: HealthFacts = {
  now: NOW,
  running: true,
  daemon: STATUS,
  fleet: {
    revision: 1,
    targets: [{ id: 1, name: 'tb', url: 'mqtt://tb:1883', protocol: '5', mode: 'gateway', caFile: null }],
    connections: [{ id: 1, targetId: 1, meterId: null, retired: false }],
    lines: [{ id: 1, link: 'tcp://m:4059' }],
    meters: [1, 2].map((id) => ({
      id,
      lineId: 1,
      name: `m${id}`,
      enabled: true,
      suspended: false,
      intervalMs: 10_000,
    })),
  },
  meters: new Map([1, 2].map((id) => [id, meter({})])),
  lines: new Map(),
  connections: connection({}),
  outbox: { rows: 0, oldest: null, bytes: 0, quarantined: 0 },
  disk: { free: 10 * 2 ** 30, total: 20 * 2 ** 30 },
  backupAt: NOW - 60 * MINUTE,
  repaired: null,
  rivals: new Map(),
};

const waiting = (minutes: number) => ({
  outbox: { rows: 3, oldest: NOW - minutes * MINUTE, bytes: 9, quarantined: 0 },
});
const inTrouble = (...ids: number[]) => ({
  meters: new Map([1, 2].map((id) => [id, meter(ids.includes(id) ? { state: 'error' } : {})])),
});

describe('the verdict and the check that makes it', () => {
  test.each<[string, Partial<HealthFacts>, HealthStatus, string | readonly string[] | null]>([
    ['all is well', {}, 'healthy', null],
    ['no daemon', { running: false }, 'unhealthy', 'daemon'],
    ['it never ran', { running: false, daemon: null }, 'unhealthy', 'daemon'],
    ['a daemon that is silent', { daemon: { ...STATUS, updatedAt: NOW - MINUTE } }, 'unhealthy', 'daemon'],
    [
      'a daemon that has just started, and connects',
      { daemon: { ...STATUS, startedAt: NOW - 3000 }, connections: connection({ state: 'connecting' }) },
      'healthy',
      null,
    ],
    ['the broker away', { connections: connection({ state: 'waiting' }) }, 'degraded', 'target tb'],
    ['a rival', { connections: connection({ conflict: true }) }, 'degraded', 'target tb'],
    [
      'the broker away after a conflict',
      { connections: connection({ ...UNREACHABLE, conflict: true }) },
      'degraded',
      'target tb',
    ],
    ['one meter in error', inTrouble(1), 'degraded', 'meters'],
    ['all meters in error', inTrouble(1, 2), 'unhealthy', 'meters'],
    [
      'a meter that is late',
      {
        meters: new Map([
          [1, meter({ lastReadingAt: NOW - 2 * MINUTE })],
          [2, meter({})],
        ]),
      },
      'degraded',
      'meters',
    ],
    [
      'the broker away, so that nothing is delivered',
      { daemon: { ...STATUS, publishRate: 0 }, connections: connection(UNREACHABLE) },
      'degraded',
      ['target tb', 'publish rate'],
    ],
    [
      'little delivered over sessions that come and go',
      { daemon: { ...STATUS, publishRate: 0.1 }, connections: connection({ state: 'waiting' }) },
      'unhealthy',
      ['target tb', 'publish rate'],
    ],
    ['90 % delivered', { daemon: { ...STATUS, publishRate: 0.9 } }, 'degraded', 'publish rate'],
    ['40 % delivered', { daemon: { ...STATUS, publishRate: 0.4 } }, 'unhealthy', 'publish rate'],
    ['rows that wait for a minute', waiting(1), 'healthy', null],
    ['rows that wait for ten', waiting(10), 'degraded', 'outbox'],
    ['rows that wait for two hours', waiting(120), 'unhealthy', 'outbox'],
    ['rows set aside', { outbox: { ...WELL.outbox, quarantined: 1 } }, 'degraded', 'outbox'],
    ['little room', { disk: { free: 100 * 2 ** 20, total: 2 ** 40 } }, 'degraded', 'disk'],
    ['no room', { disk: { free: 2 ** 20, total: 2 ** 40 } }, 'unhealthy', 'disk'],
    ['a backup of three days ago', { backupAt: NOW - 72 * 60 * MINUTE }, 'degraded', 'backup'],
    ['no backup at all', { backupAt: null }, 'healthy', null],
    ['a repair that nobody noted', { repaired: 'it was damaged' }, 'degraded', 'database'],
    ['a clock that stepped back', { daemon: { ...STATUS, updatedAt: NOW + 5 * MINUTE } }, 'degraded', 'clock'],
  ])('%s', (_, changes, status, culprit) => {
    const report = assessHealth({ ...WELL, ...changes });
    const bad = report.checks.filter((one) => one.status === 'degraded' || one.status === 'unhealthy');
    expect({ status: report.status, bad: bad.map(({ name }) => name) }).toEqual({
      status,
      bad: culprit === null ? [] : [culprit].flat(),
    });
    for (const { hint } of bad) expect(hint).not.toBe('');
  });
});

test('suspended and disabled meters are nobody to wait for', () => {
  const meters = WELL.fleet.meters.map((one) => ({ ...one, enabled: one.id === 1, suspended: true }));
  expect(assessHealth({ ...WELL, fleet: { ...WELL.fleet, meters }, meters: new Map() }).status).toBe('healthy');
});

test('who else is at the broker is named', () => {
  const facts = {
    ...WELL,
    connections: connection({ conflict: true }),
    rivals: new Map([[1, ['python3 old.py (pid 4)']]]),
  };
  expect(assessHealth(facts).checks.find(({ name }) => name === 'target tb')?.detail).toContain(
    'python3 old.py (pid 4)',
  );
});

test('checks of others count, those that saw nothing do not', () => {
  const bad = { name: 'unit', status: 'degraded', detail: 'd', hint: 'h' } as const;
  expect(assessHealth(WELL, [{ ...bad, status: 'unknown' }]).status).toBe('healthy');
  expect(assessHealth(WELL, [bad]).status).toBe('degraded');
});

test('a database that cannot be read is unhealthy, one that may not be read is unknown', () => {
  const of = (code: 'DATABASE_CORRUPT' | 'DATABASE_DENIED') => unreadableHealth(new BridgeError(code, 'x').report());
  expect(of('DATABASE_CORRUPT').status).toBe('unhealthy');
  expect(of('DATABASE_DENIED')).toMatchObject({ status: 'degraded', checks: [{ status: 'unknown' }] });
});

test('figures: readings a minute, errors for each cycle tried', () => {
  const report = assessHealth({ ...WELL, daemon: { ...STATUS, errors: 25 } });
  expect(report.performance.readingsPerMinute).toBe(100);
  expect(report.errors.rate).toBe(0.2);
  expect(report.system.uptimeSeconds).toBe(600);
});
