/** Options of points through the whole program: from `meter add` over the daemon to what ThingsBoard stores. */
import { expect, test } from 'vitest';
import { newBench } from '../support/cli.ts';
import { eventualStatus, init, meterOf, ownMeters, simulateThingsBoard, TOKEN } from '../support/scene.ts';

const POINTS = [
  '3:1.0.1.8.0.255=energy@factor:0.001@unit:kWh@decimal:6',
  '3:1.0.32.7.0.255=whole@integer',
  '1:0.0.96.1.0.255=serial@attribute@text:ascii',
  '1:0.0.42.0.0.255=name@on-change',
].join(',');

/** In device mode the bridge's own token and that of the meter. */
const DOUBLE = { gateway: {}, device: { gateway: false, tokens: [TOKEN, 'meter-token'] } } as const;

test.each(['gateway', 'device'] as const)(
  'a %s publishes values as their points have them, and attributes as attributes',
  { timeout: 120_000 },
  async (mode) => {
    const cleanups: (() => Promise<void>)[] = [];
    try {
      const bench = newBench((cleanup) => void cleanups.push(cleanup));
      const args = mode === 'gateway' ? [] : ['--token', 'meter-token'];
      const double = await simulateThingsBoard(bench, DOUBLE[mode]);
      const { links } = await ownMeters(bench);
      await init(bench, double.url, ['--mode', mode]);
      await bench.json([
        'meter',
        'add',
        'house1',
        links[0] ?? '',
        '--interval',
        '0.5',
        '--clock-drift',
        'off',
        '--points',
        POINTS,
        ...args,
      ]);
      const daemon = bench.start(['run', '--json']);
      const report = await eventualStatus(bench, 'it is read', (now) => meterOf(now, 'house1').cycles > 3);
      expect(meterOf(report, 'house1')).toMatchObject({ state: 'connected', pointErrors: [] });
      expect((await daemon.stop()).status).toBe(0);
      const { devices } = await double.received();
      const device = Object.values(devices).find(({ telemetry }) => telemetry.energy !== undefined);
      expect(Object.keys(device?.telemetry ?? {}).sort()).toEqual(['energy', 'name', 'whole']);
      expect(device?.telemetry.energy?.map(({ type }) => type)).toContain('DOUBLE');
      expect(new Set(device?.telemetry.whole?.map(({ type }) => type))).toEqual(new Set(['LONG']));
      expect(device?.telemetry.name).toHaveLength(1);
      expect(device?.attributes.serial).toMatchObject({ type: 'STRING', value: expect.stringMatching(/^#\d{8}$/) });
    } finally {
      for (const cleanup of cleanups) await cleanup();
    }
  },
);
