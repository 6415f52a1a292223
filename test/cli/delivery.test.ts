/** Meter to ThingsBoard through the program alone, in every mode and version: what the meter said is what arrives. */
import { describe, expect, test } from 'vitest';
import { compareWithTruth } from '../../src/simulator/meter/truth.ts';
import { type Bench, documentOf, newBench } from '../support/cli.ts';
import {
  addMeter,
  countersOf,
  DEFAULT_KEYS,
  init,
  meterOf,
  type OutboxReport,
  ownMeters,
  PASSWORD,
  type RunReport,
  simulateMeters,
  simulateThingsBoard,
  status,
  TOKEN,
  valuesOf,
} from '../support/scene.ts';

const METER_TOKENS = ['meterTokenOne', 'meterTokenTwo', 'meterTokenThree'];
const LOW = ['--auth', 'low', '--secret', 'env:PW', '--client', '17'];

interface Verdict {
  readonly meters: number;
  readonly cycles: number;
  readonly readings: number;
  readonly messages: number;
  readonly publishRate: number;
  readonly lost: number;
  readonly duplicates: number;
  readonly alerts: readonly unknown[];
}

/** Polls for some seconds and ends by itself. */
async function runFor(bench: Bench, seconds: number): Promise<RunReport> {
  return documentOf<RunReport>(await bench.run(['run', '--for', String(seconds), '--json']));
}

// The longest first.
test.concurrent('demo: nothing lost, nothing twice, and the double is where it was asked to be', async ({
  onTestFinished,
}) => {
  const bench = newBench(onTestFinished);
  const args = ['demo', '--meters', '5', '--interval', '1', '--for', '8', '--port', '0'];
  const verdict = await bench.json<Verdict>(args, { db: false });
  expect(verdict).toMatchObject({ meters: 5, publishRate: 1, lost: 0, duplicates: 0, alerts: [] });
  expect(verdict.cycles).toBeGreaterThanOrEqual(5 * 6);
  expect(verdict.readings).toBe(10 * verdict.cycles);
});

describe.concurrent('run', { timeout: 180_000 }, () => {
  test.for([
    ['gateway', '5', 'wrapper'],
    ['gateway', '3.1.1', 'hdlc'],
    ['device', '5', 'hdlc'],
    ['device', '3.1.1', 'wrapper'],
  ] as const)('%s mode, MQTT %s, meters over %s', async ([mode, protocol, framing], { onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const gateway = mode === 'gateway';
    const [double, { meters }] = await Promise.all([
      simulateThingsBoard(bench, { gateway, tokens: gateway ? [TOKEN] : [TOKEN, ...METER_TOKENS] }),
      simulateMeters(bench, [
        '--count',
        '3',
        '--ports-each',
        '--framing',
        framing,
        '--auth',
        'low',
        '--secret',
        PASSWORD,
      ]),
    ]);
    await init(bench, double.url, ['--mode', mode, '--protocol', protocol]);
    for (const [index, { link }] of meters.entries()) {
      const token = gateway ? [] : ['--token', METER_TOKENS[index] ?? ''];
      await addMeter(bench, `house${index + 1}`, link, [...LOW, ...token]);
    }
    const report = await runFor(bench, 3);
    expect(report).toMatchObject({ drained: true, publishRate: 1 });
    const [received, after, outbox] = await Promise.all([
      double.received(),
      status(bench),
      bench.json<OutboxReport>(['outbox']),
    ]);
    expect(outbox).toEqual({ rows: 0, oldest: null, bytes: 0, quarantined: 0, dropped: [] });
    expect(received).toMatchObject({ readings: report.readings, duplicates: 0, changed: 0, failedLater: 0 });
    expect(countersOf(bench)).toMatchObject({ readings: report.readings, cycles: report.cycles });
    const { drained: _, ...figures } = report;
    expect(after.daemon).toMatchObject({ running: false, pid: null, ...figures });
    const names = gateway ? ['house1', 'house2', 'house3'] : ['device-2', 'device-3', 'device-4'];
    for (const [index, name] of names.entries()) {
      const meter = meterOf(after, `house${index + 1}`);
      expect(meter).toMatchObject({ state: 'disconnected', failures: 0, error: null, pointErrors: [], roundTrips: 1 });
      expect(meter.cycles).toBeGreaterThan(3);
      const device = received.devices[name];
      expect(device).toMatchObject(gateway ? { type: 'dlms-meter', gateway: 'gateway-1' } : { gateway: null });
      expect(Object.keys(device?.telemetry ?? {}).sort()).toEqual(Object.keys(DEFAULT_KEYS).sort());
      for (const [key, points] of Object.entries(device?.telemetry ?? {})) {
        expect(points.length).toBe(meter.cycles);
        const last = points.at(-1);
        expect({ ts: last?.ts, value: last?.value }).toEqual({
          ts: meter.values[key]?.ts,
          value: Number(meter.values[key]?.value),
        });
        // Decimal: no tail of a binary fraction.
        for (const { type, value } of points) {
          expect(type).toMatch(/^(LONG|DOUBLE)$/);
          expect(String(value)).toMatch(/^\d+(?:\.\d{1,3})?$/);
        }
      }
    }
    // The bridge's own device has nothing to say yet.
    if (!gateway) expect(Object.keys(received.devices['device-1']?.telemetry ?? {})).toEqual([]);
  });

  test('every reading is what the meter knows it said, at the time when it said it', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const double = await simulateThingsBoard(bench);
    const { virtual, links } = await ownMeters(bench, { count: 4, framing: 'hdlc', faults: ['one-byte'] });
    await init(bench, double.url);
    await Promise.all(links.map((link, index) => addMeter(bench, `house${index}`, link)));
    const report = await runFor(bench, 3);
    expect(report).toMatchObject({ drained: true, publishRate: 1 });
    const received = await double.received();
    for (const [index, { said }] of virtual.truth().entries()) {
      const comparison = compareWithTruth(said, valuesOf(received, `house${index}`), DEFAULT_KEYS);
      expect(comparison).toMatchObject({ lost: [], wrong: [], duplicates: 0 });
      expect(comparison.expected).toBeGreaterThanOrEqual(6);
    }
  });

  test('groups of points each at their own interval', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const [double, { meters }] = await Promise.all([simulateThingsBoard(bench), simulateMeters(bench)]);
    await init(bench, double.url);
    const groups = [
      '--interval',
      '0.5',
      '--points',
      '3:1.0.32.7.0.255=voltage',
      '--group',
      'slow@2:3:1.0.1.8.0.255=energy',
    ];
    await bench.json(['meter', 'add', 'house1', meters[0]?.link ?? '', ...groups]);
    expect(await runFor(bench, 5)).toMatchObject({ drained: true });
    const { voltage = [], energy = [] } = (await double.received()).devices.house1?.telemetry ?? {};
    expect(energy.length).toBeGreaterThan(0);
    expect(voltage.length).toBeGreaterThan(2 * energy.length);
    // Where both are due they are read in one cycle.
    const times = new Set(voltage.map(({ ts }) => ts));
    expect(energy.every(({ ts }) => times.has(ts))).toBe(true);
  });
});
