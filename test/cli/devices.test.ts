/** Meters and lines that fail and come back, as an operator sees them. */
import { describe, expect, test } from 'vitest';
import { newBench } from '../support/cli.ts';
import { addMeter, eventualStatus, init, meterOf, ownMeters } from '../support/scene.ts';

describe.concurrent('devices', { timeout: 120_000 }, () => {
  test('a meter is suspended and resumed while the daemon runs', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { links } = await ownMeters(bench, { count: 2 });
    await init(bench, 'mqtt://127.0.0.1:1');
    for (const [index, link] of links.entries()) await addMeter(bench, `m${index}`, link);
    bench.start(['run']);
    await eventualStatus(bench, 'both are read', ({ meters }) => meters.every(({ cycles }) => cycles > 1));
    await bench.json(['meter', 'suspend', 'm0']);
    const suspended = await eventualStatus(bench, 'one is left alone', (now) => {
      const { connection, state } = meterOf(now, 'm0');
      return state === 'suspended' && connection.suspendedBy === 'operator';
    });
    const { cycles } = meterOf(suspended, 'm0');
    const later = await eventualStatus(
      bench,
      'the other goes on',
      (now) => meterOf(now, 'm1').cycles > meterOf(suspended, 'm1').cycles + 5,
    );
    expect(meterOf(later, 'm0').cycles).toBeLessThanOrEqual(cycles + 1);
    expect(later.devices.meters).toMatchObject({ total: 2, connected: 1, suspended: 1 });
    await bench.json(['meter', 'resume', 'm0']);
    await eventualStatus(bench, 'it is read again', (now) => {
      const { cycles: now0, state } = meterOf(now, 'm0');
      return now0 > cycles + 2 && state === 'connected';
    });
  });

  test('a line that is down shows its state, is opened again by itself, and blames no meter', async ({
    onTestFinished,
  }) => {
    const bench = newBench(onTestFinished);
    const { links, virtual } = await ownMeters(bench, { count: 1 });
    await init(bench, 'mqtt://127.0.0.1:1');
    await addMeter(bench, 'm0', links[0] ?? '');
    await virtual.stop();
    bench.start(['run']);
    const report = await eventualStatus(bench, 'the line is down', ({ lines }) => lines[0]?.state === 'error');
    expect(report.lines[0]).toMatchObject({ status: 'down', connections: 0, nextAttempt: expect.any(String) });
    expect(meterOf(report, 'm0')).toMatchObject({ state: 'error', error: { code: 'LINE_REFUSED' } });
    expect(report.devices).toMatchObject({ lines: { total: 1, error: 1 }, meters: { total: 1, error: 1 } });
  });
});
