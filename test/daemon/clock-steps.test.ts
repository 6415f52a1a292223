/** A daemon on a host whose clock is wrong at first, and steps. */
import { describe, expect, test } from 'vitest';
import { Daemon } from '../../src/daemon/daemon.ts';
import { type Clock, systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { startVirtualMeters } from '../../src/simulator/meter/fleet.ts';
import { addMeter } from '../../src/store/fleet/meters.ts';
import { createOutboxReader } from '../../src/store/local/outbox-reader.ts';
import { newFleet, newMeter } from '../store/support.ts';
import { eventually } from '../support/eventually.ts';

describe('a host without a battery for its clock', () => {
  test('wakes up in 1970: readings wait, and have their right times when it is set', { timeout: 60_000 }, async ({
    onTestFinished,
  }) => {
    let offset = -systemClock.now();
    const clock: Clock = { ...systemClock, now: () => systemClock.now() + offset };
    const meters = await startVirtualMeters({ count: 1, port: 0, framing: 'wrapper', auth: 'none' });
    onTestFinished(() => meters.stop());
    const database = newFleet();
    const points = [{ classId: 3, obis: '1.0.32.7.0.255', attribute: 2, key: 'voltageL1' }];
    const link = `tcp://127.0.0.1:${meters.addresses[0]?.port}`;
    addMeter(database, newMeter('house1', { link, groups: [{ name: 'default', intervalMs: 500, points }] }));
    const began = systemClock.now();
    const daemon = await Daemon.start({ databasePath: database.path, clock, log: silentLogger, writerThread: false });
    const outbox = createOutboxReader(database);
    // Attributes have no time that could be wrong, and go at once.
    const telemetry = () =>
      outbox
        .pending(1, 0, 1000)
        .flatMap((row) => row.readings)
        .filter(({ kind = 'telemetry' }) => kind === 'telemetry');
    await eventually('readings are kept back', () => outbox.depth().quarantined > 3);
    expect(telemetry()).toEqual([]);
    offset = 0;
    await eventually('all are released', () => outbox.depth().quarantined === 0 && telemetry().length > 3);
    const readings = telemetry();
    // Nobody is there to deliver to, and need not be waited for.
    database.sql.exec('DELETE FROM outbox');
    await daemon.stop();
    const said = new Map(
      meters
        .truth()
        .flatMap((meter) => meter.said)
        .filter((one) => one.obis === '1.0.32.7.0.255')
        .map((one) => [one.at, one]),
    );
    for (const { key, ts, quality } of readings) {
      expect(quality).toBe('good');
      expect(ts).toBeGreaterThanOrEqual(began);
      expect(ts).toBeLessThanOrEqual(systemClock.now());
      if (key === 'voltageL1') expect([...said.keys()].some((at) => Math.abs(at - ts) < 250)).toBe(true);
    }
    expect(readings.filter(({ key }) => key === 'voltageL1').length).toBeGreaterThan(10);
  });
});
