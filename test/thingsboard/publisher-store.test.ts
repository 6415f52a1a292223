/** The publisher on the real store: from a committed cycle to ThingsBoard, and over the end of the process in between. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { decimal } from '../../src/core/decimal.ts';
import { DEFAULT_METER_SETTINGS, NO_SECRETS } from '../../src/dlms/settings.ts';
import type { Reading, ReadingValue } from '../../src/reading/reading.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { EventBus } from '../../src/runtime/events.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { startThingsBoardDouble, type ThingsBoardDouble } from '../../src/simulator/thingsboard/double.ts';
import { type Database, initDatabase, openDatabase } from '../../src/store/database.ts';
import { loadFleet } from '../../src/store/fleet/load.ts';
import { addMeter } from '../../src/store/fleet/meters.ts';
import { addTarget } from '../../src/store/fleet/targets.ts';
import { createOutboxReader } from '../../src/store/local/outbox-reader.ts';
import type { OutboxReader, Writer } from '../../src/store/local/types.ts';
import { openWriter } from '../../src/store/local/writer.ts';
import type { ThingsBoardEvents } from '../../src/thingsboard/events.ts';
import { startPublisher } from '../../src/thingsboard/publisher.ts';
import type { Publisher } from '../../src/thingsboard/publisher-types.ts';
import { until } from '../support/until.ts';

let directory: string;
let path: string;
let double: ThingsBoardDouble;
let database: Database;
let outbox: OutboxReader;
let writer: Writer;
let publisher: Publisher;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'dlms-publisher-'));
  path = join(directory, 'dlms.db');
  double = await startThingsBoardDouble({
    tokens: [{ token: 'gateway-token', device: 'gateway', gateway: true }],
    // One row fills a packet.
    limits: { maxPayloadSize: 130 },
  });
  const fresh = initDatabase(path);
  const url = `mqtt://127.0.0.1:${double.port}`;
  addTarget(fresh, { name: 'main', url, protocol: '5', mode: 'gateway', caFile: null, token: 'gateway-token' });
  for (const name of ['house1', 'house2']) {
    const points = [{ classId: null, obis: '1.0.1.8.0.255', attribute: 2, key: 'energy' }];
    const groups = [{ name: 'default', intervalMs: 5000, points }];
    addMeter(fresh, {
      name,
      link: 'tcp://127.0.0.1:4059',
      settings: DEFAULT_METER_SETTINGS,
      secrets: NO_SECRETS,
      groups,
    });
  }
  fresh.close();
  await begin();
});
afterEach(async () => {
  await finish();
  await double.stop();
  rmSync(directory, { recursive: true });
});

/** What a start of the daemon does. */
async function begin(): Promise<void> {
  database = openDatabase(path);
  outbox = createOutboxReader(database);
  writer = await openWriter(path, { thread: false });
  const { targets, connections } = loadFleet(database);
  const [target] = targets;
  const [connection] = connections;
  if (target === undefined || connection === undefined) throw new Error('the fleet has no target');
  publisher = startPublisher({
    target,
    connection,
    outbox,
    writer,
    clock: new VirtualClock(),
    logger: silentLogger,
    events: new EventBus<ThingsBoardEvents>(() => undefined),
  });
}

async function finish(): Promise<void> {
  await publisher.stop();
  await writer.close();
  database.close();
}

function reading(key: string, ts: number, value: ReadingValue): Reading {
  return { key, ts, value, unit: 'Wh', obis: '1.0.1.8.0.255', quality: 'good' };
}

function commit(cycle: number, device: string, readings: readonly Reading[]): Promise<readonly number[]> {
  const meterId = device === 'house1' ? 1 : 2;
  return writer.commitCycle({ cycleId: `c${cycle}`, meterId, device, createdAt: cycle, connectionIds: [1], readings });
}

function stored(device: string): unknown[] {
  const { telemetry } = double.received().devices.get(device) ?? { telemetry: new Map() };
  return [...telemetry].flatMap(([key, points]) =>
    points.map(({ ts, value }: { ts: number; value: { value: unknown } }) => [key, ts, value.value]),
  );
}

test('what a cycle committed is what ThingsBoard holds', async () => {
  await commit(1, 'house1', [
    reading('energy', 1, decimal(9007199254740993n)),
    reading('voltage', 1, decimal(2305n, -1)),
    reading('overflow', 1, decimal(2n ** 64n - 1n)),
    reading('serial', 1, '00123'),
    reading('relay', 1, false),
  ]);
  await commit(2, 'house2', [reading('energy', 2, decimal(-5n))]);
  publisher.notify();
  await until('the outbox is empty', () => outbox.depth().rows === 0);
  expect(stored('house1')).toEqual([
    ['energy', 1, 9007199254740993n],
    ['voltage', 1, 230.5],
    ['overflow', 1, '18446744073709551615'],
    ['serial', 1, '#00123'],
    ['relay', 1, false],
  ]);
  expect(stored('house2')).toEqual([['energy', 2, -5n]]);
  expect(double.received().duplicates).toBe(0);
});

test('many cycles, while the process ends in the middle without a PUBACK', async () => {
  for (let cycle = 1; cycle <= 150; cycle += 1)
    await commit(cycle, 'house1', [reading('energy', cycle, decimal(cycle))]);
  double.withholdAcks();
  publisher.notify();
  await until('a window full arrived', () => double.withheldAcks() === 50);
  await finish();
  double.releaseAcks();
  await begin();
  expect(outbox.depth().rows).toBe(150);
  await until('the outbox is empty', () => outbox.depth().rows === 0);
  expect(stored('house1').length).toBe(150);
  expect(double.received()).toMatchObject({ readings: 150, changed: 0 });
});

test('quarantined rows stay where an operator finds them', async () => {
  await commit(1, 'house1', [reading('energy', 1, 'x'.repeat(70_000)), reading('voltage', 1, decimal(1n))]);
  publisher.notify();
  await until('it is set aside', () => outbox.depth().quarantined === 1);
  expect(outbox.depth().rows).toBe(0);
  expect(stored('house1')).toEqual([['voltage', 1, 1n]]);
});
