/** The publisher against a real broker: every reading arrives as it was captured, whatever happens to the broker. */
import { connect, type MqttClient } from 'mqtt';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { EventBus } from '../../src/runtime/events.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { Rival } from '../../src/simulator/thingsboard/rival.ts';
import type { MqttProtocol, TargetMode } from '../../src/store/fleet/types.ts';
import type { StoredReading } from '../../src/store/local/types.ts';
import type { ThingsBoardEvents } from '../../src/thingsboard/events.ts';
import { startPublisher } from '../../src/thingsboard/publisher.ts';
import type { Publisher } from '../../src/thingsboard/publisher-types.ts';
import { FakeOutbox, numberReading, stringReading } from '../support/fake-outbox.ts';
import { type Mosquitto, mosquittoInstalled, startMosquitto } from '../support/mosquitto.ts';
import { until } from '../support/until.ts';

/** A broker that is no ThingsBoard tells no limits: a second is waited for them, once. */
async function limitsWaitedFor(publisher: Publisher, clock: VirtualClock): Promise<void> {
  await until('connected', () => publisher.statistics().state === 'connected');
  await clock.advance(1000);
}

describe.skipIf(!mosquittoInstalled())('against Mosquitto', () => {
  let broker: Mosquitto;
  let outbox: FakeOutbox;
  let clock: VirtualClock;
  let publisher: Publisher;
  let subscriber: MqttClient;
  /** Everything that arrived: topic and payload. */
  let arrived: [string, string][];

  beforeEach(async () => {
    broker = await startMosquitto();
    outbox = new FakeOutbox();
    clock = new VirtualClock();
    arrived = [];
  });
  afterEach(async () => {
    await publisher.stop();
    await subscriber.endAsync(true);
    await broker.stop();
  });

  /** Wishes that were heard. */
  let wishes: object[];

  function start(protocol: MqttProtocol, mode: TargetMode): void {
    const events = new EventBus<ThingsBoardEvents>(() => undefined);
    wishes = [];
    events.on('shared', (wish) => wishes.push(wish));
    publisher = startPublisher({
      target: { id: 1, name: 'broker', url: broker.url, protocol, mode, caFile: null },
      connection: { id: 1, targetId: 1, meterId: null, token: 'any', retired: false },
      outbox,
      writer: outbox,
      clock,
      logger: silentLogger,
      events,
      sharedKeys: () => ['state'],
      random: () => 0.5,
    });
  }

  /** QoS 0, so that the broker has nothing unread from the subscriber when it is killed: all it sent then arrives. */
  async function subscribe(): Promise<void> {
    const client = connect(broker.url, { reconnectPeriod: 0 });
    client.on('message', (topic, payload) => arrived.push([topic, payload.toString()]));
    await new Promise<void>((resolve, reject) => client.once('connect', () => resolve()).once('error', reject));
    await client.subscribeAsync('v1/#', { qos: 0 });
    subscriber = client;
  }

  function addRow(number: number): void {
    const readings: StoredReading[] = [
      numberReading('energy', number, `${9_000_000_000_000_000_000n + BigInt(number)}`),
      numberReading('voltage', number, `230.${number}1`),
      stringReading('serial', number, `00${number}`),
      { key: 'relay', ts: number, type: 'boolean', text: 'true', quality: 'good' },
    ];
    // A device of its own for each, so that no two rows share a message.
    outbox.add(readings, { device: `house${number}` });
  }

  function expected(number: number, mode: TargetMode): [string, string] {
    const entry = `[{"ts":${number},"values":{"energy":${9_000_000_000_000_000_000n + BigInt(number)},"voltage":230.${number}1,"serial":"#00${number}","relay":true}}]`;
    return mode === 'device'
      ? ['v1/devices/me/telemetry', entry]
      : ['v1/gateway/telemetry', `{"house${number}":${entry}}`];
  }

  test.each([
    ['5', 'device'],
    ['5', 'gateway'],
    ['3.1.1', 'device'],
    ['3.1.1', 'gateway'],
  ] as const)('MQTT %s, %s mode: SIGKILL and restart in the middle, lost 0', async (protocol, mode) => {
    const total = 3_000;
    await subscribe();
    for (let number = 1; number <= total; number += 1) addRow(number);
    start(protocol, mode);
    await limitsWaitedFor(publisher, clock);
    await until('a part is delivered', () => outbox.rows.size < total - 200);
    const gone = new Promise<void>((resolve) => subscriber.once('close', () => resolve()));
    await broker.kill();
    await gone;
    await until('the publisher noticed', () => publisher.statistics().state === 'waiting');
    const left = outbox.rows.size;
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(total);
    for (let number = total + 1; number <= total + 50; number += 1) addRow(number);
    publisher.notify();
    await clock.advance(200);
    await broker.restart();
    await subscribe();
    await until('it reconnected', () => publisher.statistics().state === 'connected', { clock, stepMs: 100 });
    await until('the outbox is empty', () => outbox.rows.size === 0);
    const wanted = new Set<string>();
    for (let number = 1; number <= total + 50; number += 1) wanted.add(expected(number, mode).join(' '));
    const telemetry = (): string[] =>
      arrived.filter(([topic]) => topic.endsWith('telemetry')).map((message) => message.join(' '));
    await until('all of it arrived', () => new Set(telemetry()).size >= wanted.size);
    expect(telemetry().filter((message) => !wanted.has(message))).toEqual([]);
    expect(new Set(telemetry()).size).toBe(wanted.size);
    // What is sent twice is at most what was on its way when the broker died.
    expect(telemetry().length - wanted.size).toBeLessThanOrEqual(50);
  });

  test('nobody subscribes: the broker says so (0x10), and the row is delivered all the same', async () => {
    await subscribe();
    await subscriber.unsubscribeAsync('v1/#');
    addRow(1);
    start('5', 'device');
    await limitsWaitedFor(publisher, clock);
    await until('the outbox is empty', () => outbox.rows.size === 0);
  });

  test('another client with our client ID: the session is lost and made anew', async () => {
    await subscribe();
    start('5', 'device');
    await until('connected', () => publisher.statistics().state === 'connected');
    const { clientId } = publisher.statistics();
    const rival = connect(broker.url, { clientId, protocolVersion: 5, reconnectPeriod: 0 });
    await until('it is thrown out', () => publisher.statistics().state === 'waiting');
    // Mosquitto 2.0.11 closes without a reason even in MQTT 5, later ones say 0x8E.
    expect(publisher.statistics().lastError?.code).toMatch(/^MQTT_(CLOSED|CONFLICT)$/);
    addRow(1);
    // Virtual time not much faster than the broker's: it must not look as if it never answered.
    await until('the outbox is empty', () => outbox.rows.size === 0, { clock, stepMs: 0.02, withinMs: 60_000 });
    await rival.endAsync(true);
  });

  test.each(['3.1.1', '5'] as const)(
    'a client that takes our session again and again, MQTT %s: known as a conflict, and everything arrives',
    async (protocol) => {
      await subscribe();
      start(protocol, 'device');
      await until('connected', () => publisher.statistics().state === 'connected');
      const { clientId } = publisher.statistics();
      const rival = new Rival({ port: broker.port, token: 'any', clientId, clock, waitMs: () => 1500 });
      await until('it is known', () => publisher.statistics().conflict, { clock, stepMs: 20 });
      for (let number = 1; number <= 100; number += 1) addRow(number);
      await until('the outbox is empty', () => outbox.rows.size === 0, { clock, stepMs: 20 });
      rival.stop();
      await until('it is over', () => !publisher.statistics().conflict, { clock, stepMs: 100 });
    },
  );

  test.each([
    ['5', 'gateway'],
    ['5', 'device'],
    ['3.1.1', 'gateway'],
    ['3.1.1', 'device'],
  ] as const)('MQTT %s, %s mode: our own attributes that come back are no wishes', async (protocol, mode) => {
    await subscribe();
    start(protocol, mode);
    await limitsWaitedFor(publisher, clock);
    outbox.add([{ key: 'state', ts: 1, type: 'string', text: 'connected', quality: 'good', kind: 'attribute' }]);
    publisher.notify();
    await until('it is delivered', () => outbox.rows.size === 0);
    // What somebody else sends there is one, and comes after what came back.
    const wish = mode === 'gateway' ? { device: 'house1', data: { state: 'off' } } : { state: 'off' };
    const topic = mode === 'gateway' ? 'v1/gateway/attributes' : 'v1/devices/me/attributes';
    await subscriber.publishAsync(topic, JSON.stringify(wish), { qos: 1 });
    await until('it is heard', () => wishes.length > 0);
    expect(wishes).toMatchObject([{ values: { state: 'off' } }]);
  });
});

describe.skipIf(!mosquittoInstalled())("a broker's own limits (MQTT 5)", () => {
  test('receive maximum and maximum packet size are kept', async () => {
    const broker = await startMosquitto('max_inflight_messages 3\nmax_packet_size 2000');
    const outbox = new FakeOutbox();
    const clock = new VirtualClock();
    const sizes: number[] = [];
    const subscriber = connect(broker.url, { reconnectPeriod: 0 });
    subscriber.on('message', (_topic, payload) => sizes.push(payload.length));
    await subscriber.subscribeAsync('v1/devices/me/telemetry', { qos: 1 });
    outbox.add(Array.from({ length: 200 }, (_, at) => stringReading('text', at, 'x'.repeat(50))));
    const publisher = startPublisher({
      target: { id: 1, name: 'broker', url: broker.url, protocol: '5', mode: 'device', caFile: null },
      connection: { id: 1, targetId: 1, meterId: null, token: 'any', retired: false },
      outbox,
      writer: outbox,
      clock,
      logger: silentLogger,
      events: new EventBus<ThingsBoardEvents>(() => undefined),
    });
    await limitsWaitedFor(publisher, clock);
    await until('the outbox is empty', () => outbox.rows.size === 0);
    await until('all arrived', () => sizes.length === publisher.statistics().messages);
    expect(publisher.statistics().sessions).toBe(1);
    expect(Math.max(...sizes)).toBeLessThan(2000);
    await publisher.stop();
    await subscriber.endAsync(true);
    await broker.stop();
  });
});
