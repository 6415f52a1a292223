/** The daemon and a real broker that comes and goes: whatever was committed arrives. */
import { describe, expect, test } from 'vitest';
import { compareWithTruth } from '../../src/simulator/meter/truth.ts';
import { type Bench, documentOf, newBench } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { type Mosquitto, mosquittoInstalled, startMosquitto } from '../support/mosquitto.ts';
import { type Relay, relayTo } from '../support/relay.ts';
import {
  addMeter,
  connectionOf,
  countersOf,
  DEFAULT_KEYS,
  eventualStatus,
  init,
  type OutboxReport,
  ownMeters,
  type RunReport,
  type StatusReport,
} from '../support/scene.ts';
import { Arrived, qosOfNext, subscribe } from '../support/subscriber.ts';

interface Scene {
  readonly broker: Mosquitto;
  /** What the daemon connects to: shut, the broker can be subscribed to before the daemon gets there. */
  readonly relay: Relay;
  readonly virtual: Awaited<ReturnType<typeof ownMeters>>['virtual'];
}

const METERS = 3;

async function prepare(bench: Bench, protocol: '5' | '3.1.1'): Promise<Scene> {
  const broker = await startMosquitto();
  bench.atEnd(() => broker.stop());
  const relay = await relayTo(bench, broker.port);
  const { virtual, links } = await ownMeters(bench, { count: METERS });
  await init(bench, `mqtt://127.0.0.1:${relay.port}`, ['--protocol', protocol]);
  const add = (link: string, index: number): Promise<void> =>
    addMeter(bench, `house${index}`, link, ['--interval', '0.2']);
  await Promise.all(links.map(add));
  return { broker, relay, virtual };
}

const connected = (report: StatusReport): boolean => connectionOf(report).state === 'connected';

/** Nothing is missing, neither of what the database counted nor of what the meters said. */
async function everythingArrived(bench: Bench, { virtual }: Scene, arrived: Arrived): Promise<void> {
  await eventually('all of it arrived', () => arrived.readings.size >= countersOf(bench).readings);
  expect(await bench.json<OutboxReport>(['outbox'])).toEqual({
    ...{ rows: 0, oldest: null, bytes: 0, quarantined: 0, dropped: [] },
  });
  const { rows, delivered, readings } = countersOf(bench);
  expect(delivered).toBe(rows);
  expect(arrived.readings.size).toBe(readings);
  expect(arrived.changed).toBe(0);
  for (const [index, { said }] of virtual.truth().entries()) {
    const { lost, wrong, expected } = compareWithTruth(said, arrived.of(`house${index}`), DEFAULT_KEYS);
    expect({ lost, wrong }).toEqual({ lost: [], wrong: [] });
    expect(expected).toBeGreaterThanOrEqual(10);
  }
}

describe.skipIf(!mosquittoInstalled()).concurrent('with Mosquitto', { timeout: 180_000 }, () => {
  test('QoS 1; killed and restarted twice, in the middle of delivering', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const scene = await prepare(bench, '5');
    const { broker, relay } = scene;
    const arrived = new Arrived();
    await subscribe(bench, broker.url, arrived);
    const daemon = bench.start(['run', '--json', '--log-level', 'info']);
    expect(await qosOfNext(bench, broker.url)).toBe(1);
    for (const rowsToPileUp of [60, 30]) {
      await broker.kill();
      relay.shut();
      await eventualStatus(bench, 'rows pile up', (report) => !connected(report) && report.outbox.rows >= rowsToPileUp);
      await broker.restart();
      await subscribe(bench, broker.url, arrived);
      const before = arrived.messages;
      relay.open();
      // The second time round it dies while the backlog is on its way.
      await eventually('messages arrive again', () => arrived.messages > before, { pauseMs: 1 });
    }
    await eventualStatus(bench, 'it has caught up', (report) => connected(report) && report.outbox.rows < 10);
    const finished = await daemon.stop();
    expect(finished.status).toBe(0);
    expect(documentOf<RunReport>(finished)).toMatchObject({ drained: true, publishRate: 1 });
    expect(daemon.stderr.match(/MQTT Connected \(client_id: dlms-multi-meter-[0-9a-f]{12}\)/g)?.length).toBeGreaterThan(
      2,
    );
    expect(daemon.stderr).toMatch(/Cycles: \d+ \| MQTT: \d+ msgs \(100\.0%\)/);
    await everythingArrived(bench, scene, arrived);
  });

  test('away when the daemon starts: it buffers, says so, and delivers later', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const scene = await prepare(bench, '3.1.1');
    const { broker, relay } = scene;
    await broker.kill();
    const daemon = bench.start(['run', '--json', '--log-level', 'info']);
    const away = await eventualStatus(
      bench,
      'rows pile up and the connection says why',
      (report) => report.outbox.rows >= 30 && connectionOf(report).error !== null,
    );
    expect(connectionOf(away)).toMatchObject({
      state: expect.stringMatching(/waiting|connecting/),
      messages: 0,
      error: { code: expect.stringMatching(/^MQTT_(UNREACHABLE|CLOSED)$/), fault: 'server', retryable: true },
    });
    expect(away.meters.every(({ state, failures }) => state === 'connected' && failures === 0)).toBe(true);
    relay.shut();
    await broker.restart();
    const arrived = new Arrived();
    await subscribe(bench, broker.url, arrived);
    relay.open();
    const finished = await daemon.stop();
    expect(finished.status).toBe(0);
    expect(documentOf<RunReport>(finished)).toMatchObject({ drained: true });
    await everythingArrived(bench, scene, arrived);
  });
});
