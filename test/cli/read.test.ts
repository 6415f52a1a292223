/** `read` and `scan` of virtual meters: wrapper and HDLC over TCP, HDLC over a pseudo terminal; and what goes wrong. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Bench, newBench } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { addMeter, init, ownMeters, PASSWORD, simulateMeters } from '../support/scene.ts';
import { hasSocat } from '../support/socat.ts';

interface ReadDocument {
  readonly meter: string;
  readonly ts: string;
  readonly results: readonly {
    readonly point: string;
    readonly obis: string;
    readonly classId: number | null;
    readonly attribute: number;
    readonly value: unknown;
    readonly unit: string | null;
    readonly scaler: number | null;
    readonly raw: { readonly type: string; readonly value: unknown } | null;
    readonly ts: string;
    readonly quality: string;
    readonly error: { readonly code: string; readonly fault: string } | null;
  }[];
  readonly roundTrips: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly durationMs: number;
}

interface ScanDocument {
  readonly objects: readonly {
    readonly classId: number;
    readonly version: number;
    readonly obis: string;
    readonly name: string;
    readonly attributes: readonly { readonly id: number; readonly name: string | null; readonly access: string }[];
    readonly methods: readonly { readonly id: number; readonly name: string | null; readonly access: string }[];
  }[];
}

const ENERGY = '3:1.0.1.8.0.255';
const PASSWORD_FLAGS = ['--auth', 'low', '--secret', 'env:PW', '--client', '17'];
const ENV = { env: { PW: PASSWORD } };

/** Reads every kind of value there is, and checks the document against the contract. */
async function readsEverything(bench: Bench, link: string, flags: readonly string[] = []): Promise<void> {
  const points = [
    ENERGY,
    '1-0:32.7.0',
    '1.0.15.8.0.255',
    '8:0.0.1.0.0.255:2',
    '0.0.96.1.0.255',
    '4:1.0.1.6.0.255',
    '0.0.42.0.0.255:1',
  ];
  const document = await bench.json<ReadDocument>(['read', link, ...points, ...flags], ENV);
  expect(Object.keys(document)).toEqual([
    'meter',
    'ts',
    'results',
    'roundTrips',
    'bytesSent',
    'bytesReceived',
    'durationMs',
  ]);
  expect(document.meter).toBe(link);
  expect(document.results.map(({ point, error, quality }) => ({ point, error, quality }))).toEqual(
    points.map((point) => ({ point, error: null, quality: 'good' })),
  );
  const [energy, voltage, fine, clock, serial, demand, name] = document.results;
  expect(energy).toMatchObject({ obis: '1.0.1.8.0.255', classId: 3, attribute: 2, unit: 'Wh', scaler: 0 });
  expect(energy?.raw).toEqual({ type: 'double-long-unsigned', value: energy?.value });
  expect(voltage).toMatchObject({ obis: '1.0.32.7.0.255', classId: 3, unit: 'V', scaler: -1 });
  expect(voltage?.value).toBeGreaterThan(200);
  expect(String(voltage?.value)).toMatch(/^\d{3}(?:\.\d)?$/);
  // Sixteen digits are text, or a reader would round them; with a zero at the end fifteen are enough.
  expect(String(fine?.value)).toMatch(/^\d{13}(?:\.\d{1,3})?$/);
  expect(typeof fine?.value).toBe(String(fine?.value).length > 16 ? 'string' : 'number');
  expect(fine).toMatchObject({ raw: { type: 'long64-unsigned' }, unit: 'Wh' });
  expect(clock?.value).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*[+-]\d\d:\d\d$/);
  expect(serial?.value).toMatch(/^\d{8}$/);
  expect(name?.value).toBe('00002a0000ff');
  // An extended register says itself when its value was captured.
  expect(Date.parse(demand?.ts ?? '') % 900_000).toBe(0);
  expect(document.roundTrips).toBeGreaterThan(0);
  expect(document.bytesSent).toBeGreaterThan(0);
  expect(document.bytesReceived).toBeGreaterThan(0);
}

async function scans(bench: Bench, link: string, flags: readonly string[] = []): Promise<void> {
  const { objects } = await bench.json<ScanDocument>(['scan', link, ...flags], ENV);
  expect(objects.length).toBeGreaterThan(15);
  const energy = objects.find(({ obis }) => obis === '1.0.1.8.0.255');
  expect(energy).toMatchObject({
    classId: 3,
    version: 0,
    obis: '1.0.1.8.0.255',
    name: 'Register',
    attributes: [
      { id: 1, name: 'logical_name', access: 'read-only' },
      { id: 2, name: 'value', access: 'read-only' },
      { id: 3, name: 'scaler_unit', access: 'read-only' },
    ],
    methods: [{ id: 1, name: 'reset' }],
  });
}

describe.concurrent('read and scan', () => {
  test('wrapper over TCP, many meters behind one port', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { meters } = await simulateMeters(bench, ['--count', '3', '--auth', 'low', '--secret', PASSWORD]);
    const link = meters[0]?.link ?? '';
    await readsEverything(bench, link, [...PASSWORD_FLAGS, '--server', '2']);
    await scans(bench, link, [...PASSWORD_FLAGS, '--server', '3']);
  });

  test('HDLC over TCP, addresses of two and four octets', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { meters } = await simulateMeters(bench, ['--framing', 'hdlc', '--auth', 'low', '--secret', PASSWORD]);
    const link = meters[0]?.link ?? '';
    await readsEverything(bench, link, [...PASSWORD_FLAGS, '--physical', '17']);
    await scans(bench, link, [...PASSWORD_FLAGS, '--address-size', '4', '--physical', '17', '--window', '3']);
  });

  test.skipIf(!hasSocat)('HDLC over a pseudo terminal (needs socat)', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const path = join(bench.directory, 'line');
    const { process } = await simulateMeters(bench, ['--pty', path]);
    await readsEverything(bench, `serial://${path}`);
    await scans(bench, `serial://${path}?baud=9600&format=8N1`);
    expect(await process.stop()).toMatchObject({ status: 0 });
    await eventually('the pseudo terminal is gone', () => !existsSync(path));
    expect(await bench.failure(['read', `serial://${path}`, ENERGY])).toMatchObject({
      status: 1,
      code: 'SERIAL_PORT_MISSING',
      fault: 'line',
    });
  });

  test('a stored meter by its name, with its own flags and secret', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { links } = await ownMeters(bench, { auth: 'low', password: PASSWORD });
    await init(bench, 'mqtt://127.0.0.1:1');
    await addMeter(bench, 'house1', links[0] ?? '', PASSWORD_FLAGS);
    await readsEverything(bench, 'house1');
    expect(await bench.failure(['read', 'house2', ENERGY])).toMatchObject({ status: 2, code: 'NOT_FOUND' });
    const text = await bench.run(['read', 'house1', ENERGY]);
    expect(text.stdout).toMatch(/^POINT +VALUE +UNIT\n3:1\.0\.1\.8\.0\.255 +\d+ +Wh\n$/);
  });

  test('a point that fails does not take the others with it', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { links } = await ownMeters(bench);
    const link = links[0] ?? '';
    const points = [ENERGY, '1.0.99.99.0.255', '3:1.0.99.99.0.255', '8:1.0.1.8.0.255', '3:1.0.1.8.0.255:9'];
    const { results } = await bench.json<ReadDocument>(['read', link, ...points]);
    expect(results.map(({ value, error }) => error?.code ?? typeof value)).toEqual([
      'number',
      'DATA_ACCESS_OBJECT_UNDEFINED',
      'DATA_ACCESS_OBJECT_UNDEFINED',
      'DATA_ACCESS_OBJECT_CLASS_INCONSISTENT',
      'DATA_ACCESS_OBJECT_UNDEFINED',
    ]);
    expect(results[2]).toMatchObject({ value: null, quality: 'bad', error: { fault: 'config' } });
    const allFail = await bench.run(['read', link, '3:1.0.99.99.0.255', '--json']);
    expect(allFail.status).toBe(1);
    expect(JSON.parse(allFail.stdout)).toMatchObject({
      results: [{ error: { code: 'DATA_ACCESS_OBJECT_UNDEFINED' } }],
    });
  });

  test('SIGINT while a meter keeps silent: exit status 130', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { links, virtual } = await ownMeters(bench, { faults: ['silent'] });
    const reading = bench.start([
      'read',
      links[0] ?? '',
      ENERGY,
      '--timeout',
      '600000',
      '--json',
      '--log-level',
      'trace',
    ]);
    await eventually('it asks', () => reading.stderr.includes('sent'));
    const { status, stdout } = await reading.stop('SIGINT');
    expect(status).toBe(130);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'INTERRUPTED' } });
    expect(virtual.truth()[0]?.said).toEqual([]);
  });

  test('compact data is expanded; structures are written for people', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { links } = await ownMeters(bench);
    const points = ['62:0.0.66.0.1.255', '70:0.0.96.3.10.255:3', '3:1.0.1.8.0.255:3'];
    const { results } = await bench.json<ReadDocument>(['read', links[0] ?? '', ...points, '--client', '1']);
    expect(results[0]).toMatchObject({
      value: [7, expect.any(Number), expect.any(Number), expect.any(Number)],
      elements: [
        { classId: 62, attribute: 4, value: 7 },
        { obis: '1.0.1.8.0.255', unit: 'Wh', scaler: 0 },
        { obis: '1.0.2.8.0.255', unit: 'Wh' },
        { obis: '1.0.32.7.0.255', unit: 'V', scaler: -1 },
      ],
      error: null,
    });
    const { stdout } = await bench.run(['read', links[0] ?? '', ...points, '--client', '1']);
    expect(stdout).toMatch(/^62:0\.0\.66\.0\.1\.255 1\.0\.32\.7\.0\.255 +2\d\d(?:\.\d)? +V$/m);
    expect(stdout).toMatch(/^70:0\.0\.96\.3\.10\.255:3 +1 \(connected\)$/m);
    expect(stdout).toMatch(/^3:1\.0\.1\.8\.0\.255:3 +10\^0 Wh$/m);
  });
});
