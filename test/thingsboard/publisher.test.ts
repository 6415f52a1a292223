/** The publisher against the ThingsBoard double: what leaves the outbox was acknowledged, whatever happens on the way. */
import { describe, expect, test } from 'vitest';
import type { MqttProtocol, TargetMode } from '../../src/store/fleet/types.ts';
import { numberReading } from '../support/fake-outbox.ts';
import { publisherBench, range } from '../support/publisher-bench.ts';
import { quiet, until } from '../support/until.ts';

const bench = publisherBench();

const MODES: [MqttProtocol, TargetMode][] = [
  ['5', 'device'],
  ['5', 'gateway'],
  ['3.1.1', 'device'],
  ['3.1.1', 'gateway'],
];

describe.each(MODES)('MQTT %s, %s mode', (protocol, mode) => {
  test('delivers what waits and what comes, and empties the outbox', async () => {
    await bench().startDouble(mode);
    bench().addRows(120);
    bench().start(protocol, mode);
    await bench().emptied();
    bench().addRows(3);
    bench().publisher.notify();
    await bench().emptied();
    expect(bench().storedTimes()).toEqual(range(1, 123));
    expect(bench().double.received()).toMatchObject({ readings: 123, duplicates: 0 });
    expect(bench().publisher.statistics()).toMatchObject({
      rows: 123,
      readings: 123,
      pending: 0,
      sessions: 1,
      conflicts: 0,
    });
    expect(bench().eventsOf('published').length).toBe(123);
    expect(bench().eventsOf('published')[0]).toEqual({
      connectionId: 1,
      rowId: 1,
      cycleId: 'cycle-1',
      device: 'house1',
      readings: 1,
    });
    expect(bench().messagesLogged(30)).toEqual(['MQTT Connected (client_id: dlms-multi-meter-test)']);
    expect(bench().outbox.acknowledged.length).toBeLessThan(60);
  });

  test('a row stays until its PUBACK, and is sent again after a lost connection', async () => {
    await bench().startDouble(mode);
    bench().double.withholdAcks();
    bench().addRows(3);
    bench().start(protocol, mode);
    await until('all arrived', () => bench().double.received().readings === 3);
    await quiet();
    expect(bench().outbox.rows.size).toBe(3);
    bench().double.dropAll();
    await until('the loss is noticed', () => bench().publisher.statistics().state === 'waiting');
    expect(bench().publisher.statistics().lastError?.code).toBe('MQTT_CLOSED');
    bench().double.releaseAcks();
    await until('reconnected', () => bench().publisher.statistics().state === 'connected', { clock: bench().clock });
    await bench().emptied();
    expect(bench().double.received()).toMatchObject({ readings: 3, duplicates: 3, changed: 0 });
    expect(bench().publisher.statistics()).toMatchObject({ rows: 3, sessions: 2 });
  });

  test('starts and buffers with the server away', async () => {
    await bench().startDouble(mode);
    await bench().double.kill();
    bench().addRows(2);
    bench().start(protocol, mode);
    await until('an attempt failed', () => bench().publisher.statistics().state === 'waiting');
    bench().addRows(2);
    bench().publisher.notify();
    await bench().clock.advance(10_000);
    expect(bench().outbox.rows.size).toBe(4);
    await bench().double.restart();
    await until('connected', () => bench().publisher.statistics().state === 'connected', {
      clock: bench().clock,
      stepMs: 500,
    });
    await bench().emptied();
    expect(bench().storedTimes()).toEqual([1, 2, 3, 4]);
    // One line per outage, whatever the number of attempts.
    expect(bench().messagesLogged(40).length).toBe(1);
  });

  test('the server is killed and comes back in the middle: nothing is lost', async () => {
    await bench().startDouble(mode);
    bench().addRows(400);
    bench().start(protocol, mode);
    await until('some arrived', () => bench().publisher.statistics().rows > 60);
    await bench().double.kill();
    await until('the loss is noticed', () => bench().publisher.statistics().state === 'waiting');
    expect(bench().outbox.rows.size).toBeGreaterThan(0);
    await bench().double.restart();
    await until('reconnected', () => bench().publisher.statistics().state === 'connected', { clock: bench().clock });
    await bench().emptied();
    expect(bench().storedTimes()).toEqual(range(1, 400));
    expect(bench().double.received().changed).toBe(0);
  });

  test('a server that stops answering is left after the PUBACK time-out', async () => {
    await bench().startDouble(mode);
    bench().start(protocol, mode);
    await bench().connected();
    bench().double.freeze();
    bench().addRows(1);
    bench().publisher.notify();
    // The answer about the limits may have been frozen too: the row goes a second later then.
    await bench().clock.advance(1_000);
    await bench().clock.advance(20_000);
    await until('it is left', () => bench().publisher.statistics().lastError?.code === 'MQTT_ACK_TIMEOUT');
    bench().double.thaw();
    await until('reconnected', () => bench().publisher.statistics().state === 'connected', { clock: bench().clock });
    await bench().emptied();
    expect(bench().storedTimes()).toEqual([1]);
  });
});

describe('gateway mode', () => {
  test('announces each device once per session, before its telemetry, with its profile', async () => {
    await bench().startDouble('gateway');
    for (const device of ['a', 'b', 'a']) bench().outbox.add([numberReading('k', 1, '1')], { device });
    bench().start('5', 'gateway', { deviceType: 'my-profile' });
    await bench().emptied();
    const { devices, messages } = bench().double.received();
    expect([...devices.values()].map(({ name, type }) => [name, type])).toEqual([
      ['gateway', 'default'],
      ['a', 'my-profile'],
      ['b', 'my-profile'],
    ]);
    expect([messages, bench().publisher.statistics().messages]).toEqual([3, 5]);
  });

  test.each(['device-creation-failed', 'device-limit'] as const)(
    '%s: that device waits, the others go on',
    async (refusal) => {
      await bench().startDouble('gateway');
      bench().double.refuseDevices(['bad'], refusal);
      bench().addRows(2, 'bad');
      bench().addRows(2, 'good');
      bench().start('5', 'gateway');
      await until('the good ones are delivered', () => bench().storedTimes('good').length === 2);
      await quiet();
      bench().addRows(2, 'bad');
      bench().addRows(2, 'good');
      bench().publisher.notify();
      await until('the good ones are delivered', () => bench().publisher.statistics().rows === 4);
      expect([...bench().outbox.rows.values()].every(({ device }) => device === 'bad')).toBe(true);
      expect(bench().publisher.statistics()).toMatchObject({ state: 'connected', sessions: 1, quarantined: 0 });
      bench().double.refuseDevices(['bad'], null);
      await until('the bad ones are delivered', () => bench().outbox.rows.size === 0, {
        clock: bench().clock,
        stepMs: 500,
      });
      expect(bench().storedTimes('bad')).toEqual([1, 2, 5, 6]);
      expect(bench().double.received().devices.get('bad')?.type).toBe('dlms-meter');
    },
  );

  test('before 4.2.1 a refused device is not answered: it costs the session, and the others go on', async () => {
    await bench().startDouble('gateway', { quirks: 'old' });
    bench().double.refuseDevices(['bad'], 'device-limit');
    bench().addRows(1, 'bad');
    bench().addRows(1, 'good');
    bench().start('5', 'gateway');
    await until('the good one is delivered', () => bench().storedTimes('good').length === 1);
    await until('the session is given up', () => bench().publisher.statistics().state === 'waiting', {
      clock: bench().clock,
      stepMs: 500,
    });
    bench().addRows(1, 'good');
    await until('reconnected', () => bench().publisher.statistics().state === 'connected', {
      clock: bench().clock,
      stepMs: 20,
    });
    await until('the good one is delivered', () => bench().storedTimes('good').length === 2);
    bench().double.refuseDevices(['bad'], null);
    await until('the bad one is delivered', () => bench().outbox.rows.size === 0, {
      clock: bench().clock,
      stepMs: 500,
    });
  });
});

describe('the window', () => {
  test('holds no more in flight than it may, and takes PUBACKs in any order', async () => {
    await bench().startDouble('device');
    bench().double.withholdAcks();
    bench().addRows(30);
    bench().start('5', 'device', { window: 7 });
    await until('the window is full', () => bench().double.withheldAcks() === 7);
    await quiet();
    expect(bench().double.withheldAcks()).toBe(7);
    bench().double.releaseAcks('reversed');
    await bench().emptied();
    expect(bench().storedTimes()).toEqual(range(1, 30));
    expect(bench().double.received().duplicates).toBe(0);
  });

  test('a row of several messages leaves with the last PUBACK only', async () => {
    await bench().startDouble('device', { limits: {} });
    bench().double.withholdAcks();
    const big = 'x'.repeat(20_000);
    bench().outbox.add(range(1, 4).map((ts) => ({ key: 'text', ts, type: 'string', text: big, quality: 'good' })));
    bench().start('5', 'device', { window: 1 });
    await until('the first arrived', () => bench().double.withheldAcks() === 1);
    await quiet();
    expect([bench().outbox.rows.size, bench().double.received().readings]).toEqual([1, 2]);
    bench().double.releaseAcks();
    await bench().emptied();
    expect([bench().storedTimes('house1', 'text').length, bench().publisher.statistics().messages]).toEqual([4, 2]);
  });

  test('rows committed since the session stood go ahead of the backlog', async () => {
    await bench().startDouble('device');
    bench().double.withholdAcks();
    bench().addRows(10);
    bench().start('5', 'device', { window: 2 });
    await until('the window is full', () => bench().double.withheldAcks() === 2);
    bench().addRows(2);
    bench().publisher.notify();
    bench().double.releaseAcks();
    await bench().emptied();
    expect(
      bench()
        .eventsOf('published')
        .map(({ rowId }) => rowId),
    ).toEqual([1, 2, 11, 12, 3, 4, 5, 6, 7, 8, 9, 10]);
  });
});
