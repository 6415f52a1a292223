/**
 * From the outbox to the PUBACK against a real Mosquitto, beside bare mqtt.js with the same window and payloads, in turns;
 * how fast a backlog of a million rows drains; and what a reading costs the disk. One line is printed for each. On a busy
 * machine the processor time of the main thread tells more than the rate.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { connect } from 'mqtt';
import { afterAll, beforeAll, test } from 'vitest';
import type { Writer } from '../../src/store/local/types.ts';
import type { ThingsBoardEvents } from '../../src/thingsboard/events.ts';
import { freePort } from '../support/free-port.ts';
import { type Mosquitto, mosquittoInstalled, startMosquitto } from '../support/mosquitto.ts';
import { built } from './built.ts';

const { decimal } = await built<typeof import('../../src/core/decimal.ts')>('core/decimal.js');
const { sleep, systemClock } = await built<typeof import('../../src/runtime/clock.ts')>('runtime/clock.js');
const { EventBus } = await built<typeof import('../../src/runtime/events.ts')>('runtime/events.js');
const { silentLogger } = await built<typeof import('../../src/runtime/logger.ts')>('runtime/logger.js');
const { initDatabase, openDatabase } = await built<typeof import('../../src/store/database.ts')>('store/database.js');
const { loadFleet } = await built<typeof import('../../src/store/fleet/load.ts')>('store/fleet/load.js');
const { addTarget } = await built<typeof import('../../src/store/fleet/targets.ts')>('store/fleet/targets.js');
const { createOutboxReader } =
  await built<typeof import('../../src/store/local/outbox-reader.ts')>('store/local/outbox-reader.js');
const { openWriter } = await built<typeof import('../../src/store/local/writer.ts')>('store/local/writer.js');
const { startPublisher } = await built<typeof import('../../src/thingsboard/publisher.ts')>('thingsboard/publisher.js');

const WINDOWS = [10, 50, 100];
/** The publisher's own, and that of the backlog. */
const DEFAULT_WINDOW = 50;
const ROUNDS = 5;
const ROWS = 20_000;
const BACKLOG = 1_000_000;
const BACKLOG_DEVICES = 100;
/** The backlog is watched for so long at most. */
const DRAIN_MS = 60_000;
const CYCLES = 3000;
const READINGS_PER_CYCLE = 10;
const READINGS = Array.from({ length: 4 }, (_, at) => [`key${at}`, 1_767_225_600_000, 'n', `230.${at}1`]);

let broker: Mosquitto;
let directory: string;
beforeAll(async () => {
  if (mosquittoInstalled()) broker = await startMosquitto();
  directory = mkdtempSync(join(tmpdir(), 'delivery-bench-'));
});
afterAll(async () => {
  await broker?.stop();
  rmSync(directory, { recursive: true, force: true });
});

function say(what: string, figure: string): void {
  process.stdout.write(`${what.padEnd(64)} ${figure}\n`);
}

/** A database with a target at `url` and rows of `devices` devices in turn. */
function filled(name: string, url: string, rows: number, devices: number): string {
  const path = join(directory, name);
  const database = initDatabase(path);
  addTarget(database, { name: 'tb', url, protocol: '5', mode: 'device', caFile: null, token: 'TOKEN' });
  const insert = database.sql.prepare(
    'INSERT INTO outbox (connection_id, device, cycle_id, created_at, readings) VALUES (1, ?, ?, ?, ?)',
  );
  const readings = (ts: number): string => JSON.stringify(READINGS.map(([key, , type, text]) => [key, ts, type, text]));
  database.sql.transaction(() => {
    for (let row = 0; row < rows; row += 1) insert.run(`meter${row % devices}`, `c${row}`, row, readings(row));
  })();
  database.close();
  return path;
}

interface Figures {
  /** Rows per second. */
  readonly rate: number;
  /** Processor time of the main thread for each row, microseconds; NaN where it cannot be told. */
  readonly processor: number;
}

interface Delivered extends Figures {
  readonly messages: number;
  readonly left: number;
}

/** Nanoseconds that the main thread has run so far (Linux). */
function processorTime(): number {
  return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]);
}

/** From the first PUBACK on, until all are delivered or the time is over. */
async function deliver(path: string, window: number, withinMs = DRAIN_MS): Promise<Delivered> {
  const database = openDatabase(path);
  const writer: Writer = await openWriter(path);
  const outbox = createOutboxReader(database);
  const { targets, connections } = loadFleet(database);
  const [target] = targets;
  const [connection] = connections;
  if (target === undefined || connection === undefined) throw new Error('the fleet has no target');
  const events = new EventBus<ThingsBoardEvents>(() => undefined);
  const logger = silentLogger;
  const publisher = startPublisher({
    target,
    connection,
    outbox,
    writer,
    clock: systemClock,
    logger,
    events,
    window,
  });
  while (publisher.statistics().messages === 0) await sleep(systemClock, 1);
  const begun = performance.now();
  const ranBefore = processorTime();
  const before = publisher.statistics().rows;
  while (publisher.statistics().pending > 0 && performance.now() - begun < withinMs) await sleep(systemClock, 5);
  const seconds = (performance.now() - begun) / 1000;
  const ran = processorTime() - ranBefore;
  const { rows, messages, pending } = publisher.statistics();
  await publisher.stop();
  await writer.close();
  database.close();
  const delivered = rows - before;
  return { rate: delivered / seconds, processor: ran / 1000 / delivered, messages, left: pending };
}

/** mqtt.js alone, one message a row. */
async function bare(url: string, window: number): Promise<Figures> {
  const client = connect(url, { protocolVersion: 5, reconnectPeriod: 0 });
  await new Promise((resolve) => client.once('connect', resolve));
  const payload = (ts: number): string =>
    `[{"ts":${ts},"values":{"key0":230.01,"key1":230.11,"key2":230.21,"key3":230.31}}]`;
  const begun = performance.now();
  const ranBefore = processorTime();
  await new Promise<void>((resolve) => {
    let sent = 0;
    let acknowledged = 0;
    const send = (): void => {
      if (sent === ROWS) return;
      sent += 1;
      client.publish('v1/devices/me/telemetry', payload(sent), { qos: 1 }, () => {
        acknowledged += 1;
        if (acknowledged === ROWS) resolve();
        else send();
      });
    };
    for (let slot = 0; slot < window; slot += 1) send();
  });
  const rate = ROWS / ((performance.now() - begun) / 1000);
  const processor = (processorTime() - ranBefore) / 1000 / ROWS;
  await client.endAsync(true);
  return { rate, processor };
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

const hasPeers = mosquittoInstalled() && process.platform === 'linux';

test.runIf(hasPeers).each(WINDOWS)('outbox to PUBACK beside bare mqtt.js, window %i', async (window) => {
  const rounds: { readonly alone: Figures; readonly unpacked: Figures; readonly packed: Figures }[] = [];
  await bare(broker.url, window);
  for (let round = 0; round < ROUNDS; round += 1) {
    const alone = await bare(broker.url, window);
    // A device of its own for each row: none share a message.
    const unpacked = await deliver(filled(`unpacked${window}-${round}.db`, broker.url, ROWS, ROWS), window);
    const packed = await deliver(filled(`packed${window}-${round}.db`, broker.url, ROWS, 1), window);
    rounds.push({ alone, unpacked, packed });
  }
  const tell = (what: string, who: 'alone' | 'unpacked' | 'packed'): void => {
    const rate = median(rounds.map((round) => round[who].rate));
    const processor = median(rounds.map((round) => round[who].processor));
    const share = median(rounds.map((round) => round[who].rate / round.alone.rate));
    const ofProcessor = median(rounds.map((round) => round.alone.processor / round[who].processor));
    say(
      `window ${window}: ${what}`,
      `${Math.round(rate)} rows/s, ${processor.toFixed(1)} us; ${share.toFixed(2)} of bare mqtt.js, ${ofProcessor.toFixed(2)} by processor time`,
    );
  };
  tell('bare mqtt.js, one row a message', 'alone');
  tell('durable path, one row a message', 'unpacked');
  tell('durable path, packed', 'packed');
});

test.runIf(hasPeers)('a backlog of a million rows', async () => {
  const path = filled('backlog.db', broker.url, BACKLOG, BACKLOG_DEVICES);
  const { rate, messages, left } = await deliver(path, DEFAULT_WINDOW);
  say(
    `${BACKLOG} rows of ${BACKLOG_DEVICES} meters`,
    `${Math.round(rate)} rows/s, ${messages} messages, ${left} left after at most ${DRAIN_MS / 1000} s`,
  );
});

/** Octets that this process has had written to block devices. */
function written(): number {
  return Number(/^write_bytes: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1] ?? Number.NaN);
}

test.runIf(process.platform === 'linux')('what a reading costs the disk: committed, delivered, deleted', async () => {
  const path = filled('disk.db', `mqtt://127.0.0.1:${await freePort()}`, 0, 1);
  const writer = await openWriter(path);
  const readings = Array.from({ length: READINGS_PER_CYCLE }, (_, at) => {
    const value = decimal(2305n + BigInt(at), -1);
    return {
      key: `key${at}`,
      ts: 1_767_225_600_000,
      value,
      unit: 'V',
      obis: '1.0.32.7.0.255',
      quality: 'good',
    } as const;
  });
  for (const together of [1, 10, 100]) {
    const before = written();
    for (let done = 0; done < CYCLES; done += together) {
      const cycles = Array.from({ length: together }, (_, at) => ({
        cycleId: `c${done + at}`,
        meterId: 1,
        device: 'house1',
        createdAt: done,
        connectionIds: [1],
        readings,
      }));
      const ids = await Promise.all(cycles.map((cycle) => writer.commitCycle(cycle)));
      await writer.acknowledge(ids.flat());
    }
    const perReading = (written() - before) / (CYCLES * READINGS_PER_CYCLE);
    say(`octets written per reading, ${together} cycles committed together`, perReading.toFixed(0));
  }
  await writer.close();
});
