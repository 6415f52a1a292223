/** The breaker is part of a meter's persisted state: a daemon goes on where the one before it was. */
import { createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { Daemon } from '../../src/daemon/daemon.ts';
import type { MeterStatus } from '../../src/daemon/status/status-board.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import type { Database } from '../../src/store/database.ts';
import { addMeter, resumeMeter } from '../../src/store/fleet/meters.ts';
import { loadStatus } from '../../src/store/local/status.ts';
import { newFleet, newMeter } from '../store/support.ts';
import { until } from '../support/until.ts';

/** Takes connections and never says a word. */
async function silentMeter() {
  const sockets = new Set<Socket>();
  let asked = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', () => {
      asked += 1;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { link: `tcp://127.0.0.1:${port}`, asked: () => asked };
}

function meterStatus(database: Database): MeterStatus | null {
  const entry = loadStatus(database).get('meter:1');
  return entry === undefined ? null : (JSON.parse(entry.json) as MeterStatus);
}

async function stopped(daemon: Daemon, clock: VirtualClock): Promise<void> {
  let done = false;
  void daemon.stop().then(() => {
    done = true;
  });
  await until('the daemon has stopped', () => done, { clock, stepMs: 100 });
}

test('a suspended meter stays so over a restart, is probed when its rest is over, and at once when it is resumed', async () => {
  const meter = await silentMeter();
  const database = newFleet();
  addMeter(database, newMeter('house1', { link: meter.link }));
  const options = { databasePath: database.path, log: silentLogger, writerThread: false };

  const first = new VirtualClock();
  const before = await Daemon.start({ ...options, clock: first });
  await until('the breaker opens', () => meterStatus(database)?.connection?.state === 'suspended', {
    clock: first,
    stepMs: 200,
    withinMs: 60_000,
  });
  await stopped(before, first);
  const asked = meter.asked();
  const kept = meterStatus(database)?.connection?.recovery;
  expect(kept).toMatchObject({ failures: 8 });

  // The host was off for a while, and its monotonic clock begins anew.
  const second = new VirtualClock((kept?.restsUntil ?? 0) - 20_000);
  const after = await Daemon.start({ ...options, clock: second });
  await second.advance(10_000);
  expect(meterStatus(database)).toMatchObject({
    state: 'suspended',
    connection: { suspendedBy: 'breaker', recovery: { failures: 8, restsUntil: kept?.restsUntil } },
  });
  expect(meter.asked()).toBe(asked);
  await until('it is probed', () => meter.asked() > asked, { clock: second, stepMs: 200, withinMs: 30_000 });
  expect(second.now()).toBeGreaterThanOrEqual(kept?.restsUntil ?? Number.POSITIVE_INFINITY);
  await until('the next rest has begun', () => meterStatus(database)?.connection?.recovery?.failures === 9, {
    clock: second,
    stepMs: 200,
    withinMs: 30_000,
  });

  const askedBefore = meter.asked();
  const resumedAt = second.now();
  resumeMeter(database, 'house1');
  await until('it is tried at once', () => meter.asked() > askedBefore, {
    clock: second,
    stepMs: 200,
    withinMs: 30_000,
  });
  expect(second.now() - resumedAt).toBeLessThan(10_000);
  await stopped(after, second);
}, 120_000);
