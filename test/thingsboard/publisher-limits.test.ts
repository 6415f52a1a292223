/** The publisher within limits: told ones are never met; those that nobody tells are, and nothing is lost. */
import { describe, expect, test } from 'vitest';
import { numberReading } from '../support/fake-outbox.ts';
import { publisherBench, range } from '../support/publisher-bench.ts';
import { until } from '../support/until.ts';

const bench = publisherBench();

describe.each(['5', '3.1.1'] as const)('a backlog over MQTT %s', (protocol) => {
  test('is packed: 2000 rows of one device take a handful of publishes, none beyond the limit', async () => {
    await bench().startDouble('device', { limits: {} });
    bench().addRows(2000);
    bench().start(protocol, 'device');
    await bench().emptied();
    expect(bench().storedTimes()).toEqual(range(1, 2000));
    expect(bench().double.received()).toMatchObject({ duplicates: 0 });
    expect(bench().publisher.statistics()).toMatchObject({ rows: 2000, sessions: 1 });
    expect(bench().publisher.statistics().messages).toBeLessThan(10);
  });

  test.each(['device', 'gateway'] as const)('told limits are kept and never met, %s mode', async (mode) => {
    const rates = { messages: '30:1', telemetryDataPoints: '100:1,1000:60' };
    const limits = { rates, gatewayRates: { messages: '50:1' }, maxPayloadSize: 600 };
    await bench().startDouble(mode, { clock: bench().clock, limits });
    bench().addRows(400);
    bench().start(protocol, mode);
    await until('the outbox is empty', () => bench().outbox.rows.size === 0, { clock: bench().clock, stepMs: 100 });
    expect(bench().publisher.statistics().sessions).toBe(1);
    expect(bench().storedTimes()).toEqual(range(1, 400));
    expect(bench().clock.monotonic()).toBeGreaterThan(3000);
  });

  test('rows share a message up to its number of values as well', async () => {
    const limits = { rates: { telemetryDataPoints: '100:1' }, maxPayloadSize: 5000 };
    await bench().startDouble('device', { clock: bench().clock, limits });
    const keys = ['a', 'b', 'c'];
    for (let ts = 1; ts <= 260; ts += 1) bench().outbox.add(keys.map((key) => numberReading(key, ts, `${ts}.25`)));
    bench().start(protocol, 'device');
    await until('the outbox is empty', () => bench().outbox.rows.size === 0, { clock: bench().clock, stepMs: 100 });
    // 26 rows of three in each.
    expect(bench().publisher.statistics().messages).toBe(10);
  });

  test('a device at a limit of its own waits by itself: its neighbours do not, and what comes of it later stays in order', async () => {
    const limits = { rates: { telemetryDataPoints: '10:3600' } };
    await bench().startDouble('gateway', { clock: bench().clock, limits });
    bench().addRows(20, 'greedy');
    bench().addRows(3, 'modest');
    bench().start(protocol, 'gateway');
    await until('its share is delivered', () => bench().storedTimes('greedy').length === 8);
    await until('the neighbour has all', () => bench().storedTimes('modest').length === 3);
    bench().addRows(1, 'greedy');
    bench().addRows(3, 'modest');
    bench().publisher.notify();
    await until('the neighbour has all again', () => bench().storedTimes('modest').length === 6);
    expect(bench().clock.monotonic()).toBe(0);
    await until('the outbox is empty', () => bench().outbox.rows.size === 0, { clock: bench().clock, stepMs: 10_000 });
    expect(bench().storedTimes('greedy')).toEqual([...range(1, 20), 24]);
    expect(bench().publisher.statistics().sessions).toBe(1);
  });

  test('limits that nobody tells are met, and everything arrives all the same', async () => {
    await bench().startDouble('device', { rate: '20:1', clock: bench().clock, limits: { areTold: false } });
    for (let number = 0; number < 50; number += 1) bench().addRows(1, `m${number}`);
    bench().start(protocol, 'device', { window: 5 });
    await until('the outbox is empty', () => bench().outbox.rows.size === 0, { clock: bench().clock, stepMs: 100 });
    expect(bench().publisher.statistics().sessions).toBeGreaterThan(1);
    expect(bench().storedTimes()).toEqual(range(1, 50));
    expect(bench().publisher.statistics().quarantined).toBe(0);
  });
});

test('a server that tells nothing holds delivery up for a second once, and not again', async () => {
  await bench().startDouble('device', { clock: bench().clock, limits: { areTold: false } });
  bench().addRows(1);
  bench().start('5', 'device');
  await bench().connected();
  await bench().clock.advance(990);
  expect(bench().outbox.rows.size).toBe(1);
  await bench().clock.advance(10);
  await bench().emptied();
  bench().double.dropAll();
  await until('it waits', () => bench().publisher.statistics().state === 'waiting');
  await until('it is back', () => bench().publisher.statistics().sessions === 2, { clock: bench().clock });
  bench().addRows(1);
  bench().publisher.notify();
  await bench().emptied();
});

test('a packed message that is refused goes again row by row: only the bad one is quarantined', async () => {
  await bench().startDouble('device', { limits: {} });
  bench().addRows(3);
  bench().outbox.add([{ ...numberReading('energy', 4, '1'), ts: Number.NaN }]);
  bench().addRows(2);
  bench().start('5', 'device');
  await until('all are settled', () => bench().outbox.quarantined.size === 1 && bench().outbox.rows.size === 1);
  expect([...bench().outbox.quarantined.keys()]).toEqual([4]);
  expect(bench().storedTimes()).toEqual(range(1, 5));
});
