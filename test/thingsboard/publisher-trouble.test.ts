/** The publisher in trouble: rows that cannot go, servers that refuse, rivals, a failing outbox, and the end. */
import { describe, expect, test } from 'vitest';
import { BridgeError } from '../../src/core/errors.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { EventBus } from '../../src/runtime/events.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import type { ThingsBoardEvents } from '../../src/thingsboard/events.ts';
import { startPublisher } from '../../src/thingsboard/publisher.ts';
import { FakeOutbox, numberReading } from '../support/fake-outbox.ts';
import { publisherBench, TOKEN } from '../support/publisher-bench.ts';
import { quiet, until } from '../support/until.ts';

const bench = publisherBench();

describe('rows that cannot be delivered', () => {
  test('a payload that the server refuses is quarantined with the reason, the rest goes on', async () => {
    await bench().startDouble('device');
    bench().outbox.add([numberReading('k', 1, '1')]);
    // The one thing that our own writer lets through and the server does not: a ts that is none.
    bench().outbox.add([{ ...numberReading('k', 2, '1'), ts: Number.NaN }]);
    bench().outbox.add([numberReading('k', 3, '1')]);
    bench().start('5', 'device');
    await until('all are settled', () => bench().outbox.quarantined.size === 1 && bench().outbox.rows.size === 1);
    expect(bench().outbox.quarantined.get(2)).toBe('the server refused the message with PUBACK code 0x99');
    expect(bench().eventsOf('quarantined')).toEqual([
      {
        connectionId: 1,
        rowId: 2,
        cycleId: 'cycle-2',
        device: 'house1',
        reason: 'the server refused the message with PUBACK code 0x99',
      },
    ]);
    expect(bench().storedTimes('house1', 'k')).toEqual([1, 3]);
    expect(bench().publisher.statistics()).toMatchObject({ rows: 2, quarantined: 1, sessions: 1 });
  });

  test('what can never be stored is quarantined after the rest of its row was delivered', async () => {
    await bench().startDouble('device');
    bench().outbox.add([numberReading('', 1, '1'), numberReading('ok', 1, '2')]);
    bench().outbox.add([numberReading(' ', 2, '1')]);
    bench().outbox.add([]);
    bench().start('5', 'device');
    await until('all are settled', () => bench().outbox.quarantined.size === 2 && bench().outbox.rows.size === 2);
    expect([...bench().outbox.quarantined]).toEqual([
      [2, '" ": the key is blank'],
      [1, '"": the key is blank'],
    ]);
    expect(bench().storedTimes('house1', 'ok')).toEqual([1]);
    expect(bench().double.received().messages).toBe(1);
  });

  test('rows that come back are found at once when somebody says so, also while others are on their way', async () => {
    await bench().startDouble('device');
    bench().addRows(2);
    bench().outbox.quarantined.set(1, 'kept back');
    bench().start('5', 'device');
    await until('the other is delivered', () => bench().storedTimes().length === 1);
    bench().double.withholdAcks();
    bench().addRows(1);
    bench().publisher.notify();
    await until('one is on its way', () => bench().double.withheldAcks() === 1);
    bench().outbox.quarantined.clear();
    bench().publisher.lookAgain();
    await until('the one that came back is on its way too', () => bench().double.withheldAcks() === 2);
    bench().double.releaseAcks();
    await bench().emptied();
    expect(bench().storedTimes()).toEqual([1, 2, 3]);
    expect(bench().clock.monotonic()).toBeLessThan(30_000);
  });

  test('rows that come back from quarantine are found again', async () => {
    await bench().startDouble('device');
    bench().outbox.add([numberReading('', 1, '1')]);
    bench().outbox.add([numberReading('k', 2, '1')]);
    bench().start('5', 'device');
    await until('all are settled', () => bench().outbox.quarantined.size === 1 && bench().outbox.rows.size === 1);
    bench().outbox.quarantined.clear();
    bench().outbox.add([numberReading('k', 1, '1')], { id: 1 });
    await bench().clock.advance(30_000);
    await bench().emptied();
    expect(bench().storedTimes('house1', 'k')).toEqual([1, 2]);
  });
});

describe('reconnecting', () => {
  test('waits longer each time, and short again only after a session that stood for a while', async () => {
    await bench().startDouble('device');
    bench().start('5', 'device');
    const waits = async (): Promise<number> => {
      await bench().connected();
      bench().double.dropAll();
      await until('it waits', () => bench().publisher.statistics().state === 'waiting');
      const before = bench().clock.monotonic();
      await until('it goes on', () => bench().publisher.statistics().state !== 'waiting', {
        clock: bench().clock,
        stepMs: 50,
      });
      return Math.round((bench().clock.monotonic() - before) / 100) / 10;
    };
    expect([await waits(), await waits(), await waits(), await waits()]).toEqual([1, 2, 4, 8]);
    await bench().connected();
    await bench().clock.advance(30_000);
    expect(await waits()).toBe(1);
  });

  test('credentials that are refused are not hammered', async () => {
    await bench().startDouble('device');
    bench().double.refuseConnections('bad-credentials');
    bench().start('5', 'device');
    await until('refused', () => bench().publisher.statistics().lastError?.code === 'MQTT_CREDENTIALS');
    for (let second = 0; second < 29; second += 1) await bench().clock.advance(1_000);
    expect(bench().double.connects()).toBe(1);
    await until('tried again', () => bench().double.connects() === 2, { clock: bench().clock, stepMs: 500 });
  });

  test('a rival with our token: said at once and clearly, and it keeps going', async () => {
    await bench().startDouble('device');
    bench().start('5', 'device');
    await bench().connected();
    const rival = new EventBus<ThingsBoardEvents>(() => undefined);
    const other = startPublisher({
      target: {
        id: 1,
        name: 'tb',
        url: `mqtt://127.0.0.1:${bench().double.port}`,
        protocol: '5',
        mode: 'device',
        caFile: null,
      },
      connection: { id: 1, targetId: 1, meterId: null, token: TOKEN, retired: false },
      outbox: new FakeOutbox(),
      writer: new FakeOutbox(),
      clock: new VirtualClock(),
      logger: silentLogger,
      events: rival,
    });
    await until('the conflict is noticed', () => bench().publisher.statistics().conflicts === 1);
    expect(bench().messagesLogged(50)).toEqual([
      'CONFLICT: another client uses the same access token (client_id: dlms-multi-meter-test)',
    ]);
    expect(bench().eventsOf('conflict')[0]).toMatchObject({ connectionId: 1, error: { code: 'MQTT_CONFLICT' } });
    expect(bench().eventsOf('disconnected')[0]).toMatchObject({ stood: true, error: { code: 'MQTT_CONFLICT' } });
    bench().addRows(1);
    await until('it is back', () => bench().publisher.statistics().state === 'connected', { clock: bench().clock });
    await bench().emptied();
    await other.stop();
  });
});

describe('the outbox in trouble', () => {
  test('rows that were acknowledged while it could not be written are not sent again', async () => {
    await bench().startDouble('device');
    bench().outbox.writeFailure = new BridgeError('DATABASE_FULL', 'the disk is full');
    bench().addRows(3);
    bench().start('5', 'device');
    await until('all arrived', () => bench().publisher.statistics().messages === 3);
    await bench().clock.advance(40_000);
    bench().double.dropAll();
    await until('reconnected', () => bench().publisher.statistics().sessions === 2, { clock: bench().clock });
    await quiet();
    bench().outbox.writeFailure = null;
    await until('the outbox is empty', () => bench().outbox.rows.size === 0, { clock: bench().clock, stepMs: 500 });
    expect(bench().double.received()).toMatchObject({ readings: 3, duplicates: 0 });
    expect(bench().publisher.statistics().rows).toBe(3);
  });

  test('an outbox that cannot be read ends the session, and is tried again', async () => {
    await bench().startDouble('device');
    bench().start('5', 'device');
    await bench().connected();
    bench().addRows(2);
    bench().outbox.readFailure = new BridgeError('DATABASE_ERROR', 'cannot read');
    bench().publisher.notify();
    await until('the session is given up', () => bench().eventsOf('disconnected').length === 1);
    await until('another one too', () => bench().eventsOf('disconnected').length === 2, { clock: bench().clock });
    bench().outbox.readFailure = null;
    await until('the outbox is empty', () => bench().outbox.rows.size === 0, { clock: bench().clock });
    expect(bench().storedTimes()).toEqual([1, 2]);
  });
});

describe('the end', () => {
  test('drain resolves when everything is delivered', async () => {
    await bench().startDouble('device');
    bench().start('5', 'device');
    await bench().connected();
    expect(await bench().publisher.drain(1_000)).toBe(true);
    bench().addRows(200);
    bench().publisher.notify();
    expect(await bench().publisher.drain(1_000)).toBe(true);
    expect(bench().outbox.rows.size).toBe(0);
  });

  test('drain goes on at once when it waits for its next attempt', async () => {
    await bench().startDouble('device');
    await bench().double.kill();
    bench().addRows(2);
    bench().start('5', 'device');
    await until('it waits', () => bench().publisher.statistics().state === 'waiting');
    await bench().double.restart();
    expect(await bench().publisher.drain(1_000)).toBe(true);
    expect(bench().clock.monotonic()).toBe(0);
  });

  test('drain gives up at its deadline; what is left stays', async () => {
    await bench().startDouble('device');
    bench().double.withholdAcks();
    bench().addRows(2);
    bench().start('5', 'device');
    const drained = bench().publisher.drain(5_000);
    await until('all arrived', () => bench().double.withheldAcks() === 2);
    await bench().clock.advance(5_000);
    expect(await drained).toBe(false);
    expect(bench().outbox.rows.size).toBe(2);
  });

  test('stop writes down what was acknowledged, and leaves nothing behind', async () => {
    await bench().startDouble('device');
    bench().addRows(100);
    bench().start('5', 'device');
    await until('some arrived', () => bench().publisher.statistics().messages > 10);
    const { messages } = bench().publisher.statistics();
    await bench().publisher.stop();
    await bench().publisher.stop();
    expect(100 - bench().outbox.rows.size).toBeGreaterThanOrEqual(messages);
    expect(bench().publisher.statistics().state).toBe('stopped');
    expect(bench().clock.pendingTimers).toBe(0);
    bench().publisher.notify();
    await until('the server sees the close', () => bench().double.sessions().length === 0);
  });

  test('stop while it connects, and while it waits', async () => {
    await bench().startDouble('device');
    bench().double.freeze();
    bench().start('5', 'device');
    await quiet(5);
    await bench().publisher.stop();
    await bench().double.kill();
    bench().start('5', 'device');
    await until('it waits', () => bench().publisher.statistics().state === 'waiting');
    await bench().publisher.stop();
    expect(bench().clock.pendingTimers).toBe(0);
  });
});
