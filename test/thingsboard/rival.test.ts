/**
 * The incident: another client uses our token and comes back every second or two. Known soon, said once, and not a
 * reading is lost; and nothing else that closes a connection is taken for it.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { Rival } from '../../src/simulator/thingsboard/rival.ts';
import type { MqttProtocol } from '../../src/store/fleet/types.ts';
import { publisherBench, range, TOKEN } from '../support/publisher-bench.ts';
import { until } from '../support/until.ts';

const bench = publisherBench();
let rival: Rival | null = null;
afterEach(() => {
  rival?.stop();
  rival = null;
});

/** 0, 1/7, 2/7 ...: jitter that is the same in every run. */
function evenly(): () => number {
  let turn = 0;
  return () => {
    turn += 1;
    return (turn % 7) / 7;
  };
}

function rivalEvery(waitMs: () => number): Rival {
  return new Rival({ port: bench().double.port, token: TOKEN, clock: bench().clock, waitMs });
}

/** Virtual seconds until the condition holds. */
async function secondsUntil(what: string, condition: () => boolean, withinMs = 30_000): Promise<number> {
  const before = bench().clock.monotonic();
  await until(what, condition, { clock: bench().clock, stepMs: 20, withinMs });
  return (bench().clock.monotonic() - before) / 1000;
}

const inConflict = (): boolean => bench().publisher.statistics().conflict;

async function startedAlone(protocol: MqttProtocol, options = {}): Promise<void> {
  await bench().startDouble('device', { clock: bench().clock });
  bench().start(protocol, 'device', { random: evenly(), ...options });
  await bench().connected();
  // Whatever comes later is not the beginning.
  await bench().clock.advance(40_000);
}

describe.each(['3.1.1', '5'] as const)('a rival, MQTT %s', (protocol) => {
  test.each([
    ['every second', () => 1000],
    ['every two seconds', () => 2000],
    [
      'every one to two seconds',
      (() => {
        const random = evenly();
        return () => 1000 + 1000 * random();
      })(),
    ],
  ])(
    '%s: known within 10 s, said once; everything arrives within a minute; over when it is gone',
    async (_, waitMs) => {
      await startedAlone(protocol);
      rival = rivalEvery(waitMs);
      // A reading a second goes on coming all the while.
      let rows = 0;
      const measure = (): void => {
        bench().addRows(1);
        rows += 1;
        bench().publisher.notify();
        bench().clock.setTimer(1000, measure);
      };
      measure();
      expect(await secondsUntil('it is known', inConflict)).toBeLessThanOrEqual(10);
      // Whatever ends the turns: it is the conflict that a person has to know of.
      const errors = new Set<string | undefined>();

      let oldest = 0;
      await secondsUntil('two minutes pass', () => {
        const waiting = [...bench().outbox.rows.keys()][0] ?? rows;
        oldest = Math.max(oldest, rows - waiting);
        errors.add(bench().publisher.statistics().lastError?.code);
        return rows >= 150;
      });
      expect(oldest).toBeLessThan(60);
      expect([...errors]).toEqual(['MQTT_CONFLICT']);
      expect(bench().messagesLogged(50)).toEqual([
        'CONFLICT: another client uses the same access token (client_id: dlms-multi-meter-test)',
      ]);
      expect(bench().eventsOf('conflict')).toHaveLength(1);
      // No busy loop: a turn every few seconds.
      expect(bench().publisher.statistics().sessions).toBeLessThan(80);

      rival.stop();
      expect(await secondsUntil('it is over', () => !inConflict())).toBeLessThanOrEqual(90);
      expect(bench().eventsOf('conflict-over')).toHaveLength(1);
      const upTo = rows;
      await secondsUntil('everything arrived', () => bench().storedTimes().length >= upTo);
      expect(bench().storedTimes().slice(0, upTo)).toEqual(range(1, upTo));
    },
  );

  test('a backlog drains in turns too', async () => {
    await startedAlone(protocol);
    rival = rivalEvery(() => 1000);
    await secondsUntil('it is known', inConflict);
    bench().addRows(5000);
    await secondsUntil('the outbox is empty', () => bench().outbox.rows.size === 0);
    expect(bench().storedTimes()).toEqual(range(1, 5000));
    expect(inConflict()).toBe(true);
  });

  test('with turns turned off it waits longer and longer, and delivers when it is let', async () => {
    await startedAlone(protocol, { onConflict: 'wait' });
    rival = rivalEvery(() => 1000);
    await secondsUntil('it is known', inConflict);
    bench().addRows(3);
    const before = bench().publisher.statistics().sessions;
    await bench().clock.advance(120_000);
    expect(bench().publisher.statistics().sessions - before).toBeLessThan(15);
    rival.stop();
    await secondsUntil('everything arrived', () => bench().storedTimes().length === 3);
    await secondsUntil('it is over', () => !inConflict());
  });
});

describe('no rival, MQTT 3.1.1', () => {
  const expectNoConflict = (): void => {
    expect(bench().eventsOf('conflict')).toEqual([]);
    expect(bench().messagesLogged(50)).toEqual([]);
  };

  test('a rate limit', async () => {
    await bench().startDouble('device', { rate: '20:5', clock: bench().clock });
    bench().addRows(300);
    bench().start('3.1.1', 'device', { window: 10, random: evenly() });
    await secondsUntil('the outbox is empty', () => bench().outbox.rows.size === 0, 60_000);
    expect(bench().storedTimes()).toEqual(range(1, 300));
    expectNoConflict();
  });

  test('a limit that is used up for an hour: no row is blamed for it', async () => {
    await bench().startDouble('device', { rate: '30:3600', clock: bench().clock });
    bench().addRows(200);
    bench().start('3.1.1', 'device', { window: 10, random: evenly() });
    await secondsUntil('ten minutes pass', () => bench().clock.monotonic() > 600_000, 60_000);
    expect([...bench().outbox.quarantined]).toEqual([]);
    expect(bench().outbox.rows.size).toBeGreaterThan(100);
    expectNoConflict();
  });

  test('a payload that closes the connection: the row is found and set aside, the others arrive', async () => {
    await startedAlone('3.1.1');
    bench().double.choke('"energy":13.5');
    bench().addRows(30);
    bench().publisher.notify();
    await secondsUntil('the row is set aside', () => bench().outbox.quarantined.size === 1);
    await secondsUntil('the others arrived', () => bench().storedTimes().length === 29);
    expect([...bench().outbox.quarantined.keys()]).toEqual([13]);
    expect(bench().eventsOf('conflict')).toEqual([]);
  });

  test('a network that breaks off every few seconds', async () => {
    await startedAlone('3.1.1');
    for (let flap = 0; flap < 30; flap += 1) {
      bench().addRows(flap % 3);
      bench().publisher.notify();
      await bench().clock.advance(700 + ((flap * 997) % 4000));
      bench().double.dropAll();
    }
    await secondsUntil('the outbox is empty', () => bench().outbox.rows.size === 0);
    expectNoConflict();
  });

  test('a server that restarts again and again', async () => {
    await startedAlone('3.1.1');
    for (let restart = 0; restart < 10; restart += 1) {
      bench().addRows(1);
      bench().publisher.notify();
      await bench().double.kill();
      await bench().clock.advance(300);
      await bench().double.restart();
      await bench().clock.advance(2500);
    }
    await secondsUntil('the outbox is empty', () => bench().outbox.rows.size === 0);
    expectNoConflict();
  });
});
