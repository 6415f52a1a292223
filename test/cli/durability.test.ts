/** What was committed survives: kill -9, meters that are removed, a database that is locked, a disk that is full. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import type { VirtualMeters } from '../../src/simulator/meter/fleet.ts';
import { compareWithTruth } from '../../src/simulator/meter/truth.ts';
import { type Bench, documentOf, newBench } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { type Relay, relayTo } from '../support/relay.ts';
import {
  addMeter,
  connectionOf,
  countersOf,
  DEFAULT_KEYS,
  type Double,
  eventualStatus,
  init,
  meterOf,
  outboxReadings,
  ownMeters,
  type ReceivedDocument,
  type RunReport,
  simulateThingsBoard,
  status,
  TOKEN,
  valuesOf,
} from '../support/scene.ts';
import { fillDisk, mountSmallDisk } from '../support/small-disk.ts';

interface Scene {
  readonly double: Double;
  /** Shut, ThingsBoard is away. */
  readonly relay: Relay;
  readonly virtual: VirtualMeters;
}

const METER_TOKENS = ['meterTokenOne', 'meterTokenTwo'];

/** Two meters, polled five times a second, and a ThingsBoard that can be taken away. */
async function prepare(bench: Bench, mode: 'gateway' | 'device' = 'gateway'): Promise<Scene> {
  const gateway = mode === 'gateway';
  const double = await simulateThingsBoard(bench, { gateway, tokens: gateway ? [TOKEN] : [TOKEN, ...METER_TOKENS] });
  const relay = await relayTo(bench, double.port);
  const { virtual, links } = await ownMeters(bench, { count: 2 });
  await init(bench, `mqtt://127.0.0.1:${relay.port}`, ['--mode', mode]);
  for (const [index, link] of links.entries()) {
    const token = gateway ? [] : ['--token', METER_TOKENS[index] ?? ''];
    await addMeter(bench, `house${index}`, link, ['--interval', '0.2', ...token]);
  }
  return { double, relay, virtual };
}

/** All that the database ever committed was delivered, as it was committed. */
async function everythingDelivered(bench: Bench, double: Double): Promise<ReceivedDocument> {
  const { rows, delivered, readings } = countersOf(bench);
  expect(delivered).toBe(rows);
  const received = await double.received();
  expect(received).toMatchObject({ changed: 0, failedLater: 0 });
  // What the bridge says of itself, such as an alert on a slow machine, is not counted.
  const ofMeters = Object.keys(received.devices).filter((device) => !['gateway-1', 'device-1'].includes(device));
  expect(ofMeters.flatMap((device) => valuesOf(received, device)).length).toBe(readings);
  return received;
}

function nothingLost({ virtual }: Scene, received: ReceivedDocument): void {
  for (const [index, { said }] of virtual.truth().entries()) {
    const { lost, wrong } = compareWithTruth(said, valuesOf(received, `house${index}`), DEFAULT_KEYS);
    expect({ lost, wrong }).toEqual({ lost: [], wrong: [] });
  }
}

describe.concurrent('durability', { timeout: 180_000 }, () => {
  // The two that take longest come first.
  test('ThingsBoard stays away: run --for ends after its bound with exit status 1 and keeps the rows', async ({
    onTestFinished,
  }) => {
    const bench = newBench(onTestFinished);
    const { relay } = await prepare(bench);
    relay.shut();
    const finished = await bench.run(['run', '--for', '2', '--json']);
    expect(finished.status).toBe(1);
    expect(documentOf<RunReport>(finished)).toMatchObject({ drained: false, messages: 0 });
    const { outbox, daemon } = await status(bench);
    expect(outbox.rows).toBe(countersOf(bench).rows);
    expect(outbox.rows).toBeGreaterThan(1);
    expect(daemon).toMatchObject({ running: false, messages: 0 });
  });

  test('SIGTERM while the database is locked: it ends all the same', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const scene = await prepare(bench);
    const daemon = bench.start(['run', '--json']);
    await eventually('rows are delivered', () => countersOf(bench).delivered > 4);
    const sql = new BetterSqlite3(bench.db);
    bench.atEnd(() => void sql.close());
    sql.exec('BEGIN IMMEDIATE');
    await eventually('the daemon says so', () => daemon.stderr.includes('"code":"DATABASE_LOCKED"'));
    // 1 if a delivered row could not be written off any more.
    expect([0, 1]).toContain((await daemon.stop()).status);
    sql.exec('COMMIT');
    expect(documentOf<RunReport>(await bench.run(['run', '--for', '1', '--json']))).toMatchObject({ drained: true });
    await everythingDelivered(bench, scene.double);
  });

  test('kill -9 while rows pile up: the next daemon delivers every one of them', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { double, relay } = await prepare(bench);
    relay.shut();
    const daemon = bench.start(['run']);
    await eventually('rows pile up', () => countersOf(bench).rows >= 20);
    await daemon.kill();
    const committed = outboxReadings(bench);
    expect(committed.length).toBe(countersOf(bench).readings);
    expect(await status(bench)).toMatchObject({ daemon: { running: false, pid: null } });
    relay.open();
    const next = await bench.run(['run', '--for', '1', '--json']);
    expect(documentOf<RunReport>(next)).toMatchObject({ drained: true });
    const received = await everythingDelivered(bench, double);
    const arrived = new Map(
      Object.keys(received.devices).flatMap((device) =>
        valuesOf(received, device).map(({ key, ts, value }) => [`${device}/${key}/${ts}`, Number(value)]),
      ),
    );
    const missing = committed.filter(
      ({ device, key, ts, value }) => arrived.get(`${device}/${key}/${ts}`) !== Number(value),
    );
    expect(missing).toEqual([]);
  });

  test('a second daemon on the same database is refused, the first goes on', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { double } = await prepare(bench);
    const first = bench.start(['run', '--json']);
    await eventually('the first delivers', () => countersOf(bench).delivered > 0);
    // As systemd starts it: what it is told by must not keep the process from ending.
    const env = { NOTIFY_SOCKET: join(bench.directory, 'notify') };
    const refused = await bench.failure(['run'], { env });
    expect(refused).toMatchObject({ status: 1, code: 'DAEMON_ALREADY_RUNNING', fault: 'config' });
    const { delivered } = countersOf(bench);
    await eventually('the first goes on', () => countersOf(bench).delivered > delivered + 5);
    const report = await eventualStatus(bench, 'it shows', (now) => connectionOf(now).state === 'connected');
    expect(report.daemon).toMatchObject({ running: true, pid: first.pid });
    expect(connectionOf(report)).toMatchObject({ conflict: false, error: null });
    expect(await first.stop()).toMatchObject({ status: 0 });
    await everythingDelivered(bench, double);
    // The lock is free again.
    expect(await bench.run(['run', '--for', '0.5'])).toMatchObject({ status: 0 });
  });

  test.for(['gateway', 'device'] as const)(
    '%s mode: a meter is removed while rows of it wait',
    async (mode, { onTestFinished }) => {
      const bench = newBench(onTestFinished);
      const scene = await prepare(bench, mode);
      scene.relay.shut();
      const daemon = bench.start(['run', '--json']);
      await eventualStatus(bench, 'rows pile up', ({ outbox }) => outbox.rows >= 10);
      await bench.json(['meter', 'remove', 'house0']);
      const removed = await status(bench);
      expect(removed.meters.map(({ name }) => name)).toEqual(['house1']);
      const retired = removed.targets[0]?.connections.filter((connection) => connection.retired) ?? [];
      expect(retired.length).toBe(mode === 'device' ? 1 : 0);
      scene.relay.open();
      await eventualStatus(bench, 'the outbox empties', ({ outbox }) => outbox.rows < 5);
      expect(documentOf<RunReport>(await daemon.stop())).toMatchObject({ drained: true });
      const received = await everythingDelivered(bench, scene.double);
      const [first, second] = mode === 'gateway' ? ['house0', 'house1'] : ['device-2', 'device-3'];
      const last = (device = ''): number => Math.max(...valuesOf(received, device).map(({ ts }) => ts));
      expect(valuesOf(received, first ?? '').length).toBeGreaterThan(9);
      // The other one was read on.
      expect(last(second)).toBeGreaterThan(last(first));
      expect((await status(bench)).targets[0]?.connections.some((connection) => connection.retired)).toBe(false);
      if (mode === 'gateway') nothingLost(scene, received);
    },
  );

  test('a locked database: commands say so, the daemon waits, nothing is lost', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const scene = await prepare(bench);
    const daemon = bench.start(['run', '--json']);
    await eventually('rows are delivered', () => countersOf(bench).delivered > 4);
    const sql = new BetterSqlite3(bench.db);
    bench.atEnd(() => void sql.close());
    sql.exec('BEGIN IMMEDIATE');
    const add = ['meter', 'add', 'other', 'tcp://127.0.0.1:1', '--points', '1.0.1.8.0.255=a'];
    expect(await bench.failure(add)).toMatchObject({
      status: 1,
      code: 'DATABASE_LOCKED',
      fault: 'config',
      retryable: true,
    });
    await eventually('the daemon says so', () => daemon.stderr.includes('"code":"DATABASE_LOCKED"'));
    expect((await status(bench)).daemon.running).toBe(true);
    sql.exec('COMMIT');
    const { delivered } = countersOf(bench);
    await eventually('it goes on', () => countersOf(bench).delivered > delivered + 5);
    const finished = await daemon.stop();
    expect(finished.status).toBe(0);
    nothingLost(scene, await everythingDelivered(bench, scene.double));
  });

  test('a full disk: it says so, goes on when there is room, and nothing is lost', async ({ onTestFinished, skip }) => {
    const bench = newBench(onTestFinished);
    const atEnd = (undo: () => void): void => bench.atEnd(undo);
    if (!mountSmallDisk(bench.directory, 24, atEnd)) skip('mounting a tmpfs is not permitted here');
    const scene = await prepare(bench);
    scene.relay.shut();
    const daemon = bench.start(['run', '--json']);
    await eventually('rows pile up', () => countersOf(bench).rows > 4);
    const filler = fillDisk(bench.directory);
    await eventually('the daemon says so', () => daemon.stderr.includes('"code":"DATABASE_FULL"'));
    const report = await status(bench);
    expect(report.daemon.running).toBe(true);
    expect(report.outbox.rows).toBe(countersOf(bench).rows);
    // What was committed before can be delivered: acknowledging needs the reserve only.
    scene.relay.open();
    await eventually('the outbox empties', () => countersOf(bench).delivered === countersOf(bench).rows);
    const { rows } = countersOf(bench);
    rmSync(filler);
    await eventually('it goes on', () => countersOf(bench).rows > rows + 5);
    const finished = await daemon.stop();
    expect(finished.status).toBe(0);
    expect(meterOf(await status(bench), 'house0')).toMatchObject({ state: 'disconnected', error: null });
    nothingLost(scene, await everythingDelivered(bench, scene.double));
  });
});
