/** A meter of short names through the program: read, scan, profile, set, call, clock, relay and detect as with logical names. */
import { expect, test } from 'vitest';
import { type Bench, newBench } from '../support/cli.ts';
import { addMeter, init, PASSWORD, simulateMeters, simulateThingsBoard, status } from '../support/scene.ts';

const ENV = { env: { PW: PASSWORD } };
const SN = ['--referencing', 'sn', '--client', '17', '--auth', 'low', '--secret', 'env:PW'];

async function linkOf(bench: Bench, args: readonly string[] = []): Promise<string> {
  const { meters } = await simulateMeters(bench, [
    '--referencing',
    'sn',
    '--auth',
    'low',
    '--secret',
    PASSWORD,
    ...args,
  ]);
  return meters[0]?.link ?? '';
}

test('verbs do not know the difference', async ({ onTestFinished }) => {
  const bench = newBench(onTestFinished);
  const link = await linkOf(bench, ['--framing', 'hdlc', '--max-pdu', '256']);
  const hdlc = [...SN, '--physical', '17'];
  const json = <T>(verb: string, ...args: string[]): Promise<T> => bench.json<T>([verb, link, ...args, ...hdlc], ENV);

  const { results } = await json<{ results: { value: unknown; unit: string | null; error: unknown }[] }>(
    'read',
    '1.0.1.8.0.255',
    '1.0.32.7.0.255',
    '9.9.9.9.9.9',
  );
  expect(results.map(({ unit }) => unit)).toEqual(['Wh', 'V', null]);
  expect(results[2]).toMatchObject({ value: null, error: { code: 'DATA_ACCESS_OBJECT_UNDEFINED' } });

  const { objects } = await json<{ objects: { classId: number; obis: string; attributes: { access: string }[] }[] }>(
    'scan',
  );
  expect(objects.find(({ classId }) => classId === 12)?.obis).toBe('0.0.40.0.0.255');
  expect(objects.find(({ obis }) => obis === '1.0.1.8.0.255')?.attributes.map(({ access }) => access)).toEqual(
    Array(3).fill('read-only'),
  );

  type Rows = { rows: { ts: string; values: unknown[] }[] };
  const last = await json<Rows>('profile', '1.0.99.1.0.255', '--last', '5');
  expect(last.rows).toHaveLength(5);
  const [from, to] = [last.rows[0]?.ts ?? '', last.rows[4]?.ts ?? ''];
  expect((await json<Rows>('profile', '1.0.99.1.0.255', '--from', from, '--to', to)).rows).toEqual(last.rows);

  const set = await json<{ readBack: unknown }>('set', '0.0.96.50.0.255', 'octet-string:0102', '--read-back');
  expect(set.readBack).toEqual({ type: 'octet-string', value: '0102' });
  await json('relay', '--disconnect');
  expect(await json('relay')).toMatchObject({ outputState: false, controlState: 'disconnected' });
  await json('call', '0.0.96.3.10.255:2');
  expect(await json('relay')).toMatchObject({ outputState: true });
  const clock = await json<{ driftSeconds: number; set: string | null }>('clock', '--set');
  expect(Math.abs(clock.driftSeconds)).toBeLessThan(5);
  expect(clock.set).not.toBeNull();
});

test('asked by logical names the error names the way out; detect finds it', async ({ onTestFinished }) => {
  const bench = newBench(onTestFinished);
  const link = await linkOf(bench, ['--auth', 'none']);
  const { code, hint } = await bench.failure(['read', link, '3:1.0.1.8.0.255']);
  expect(code).toBe('CONTEXT_NOT_SUPPORTED');
  expect(hint).toContain('--referencing sn');

  const { found } = await bench.json<{ found: Record<string, unknown>[] }>(['detect', link, '--timeout', '500']);
  expect(found.at(-1)).toMatchObject({ finding: 'open', referencing: 'sn', client: 16 });
  expect(String(found.at(-1)?.logicalDeviceName)).toMatch(/^SIMVM/);
});

test('a stored meter keeps its names: the daemon polls it in one round trip', async ({ onTestFinished }) => {
  const bench = newBench(onTestFinished);
  const link = await linkOf(bench);
  const { url } = await simulateThingsBoard(bench);
  await init(bench, url);
  await addMeter(bench, 'old', link, SN);
  const { readings } = await bench.json<{ readings: number }>(['run', '--for', '3'], ENV);
  expect(readings).toBeGreaterThan(3);
  const { meters } = await status(bench);
  expect(meters[0]).toMatchObject({ name: 'old', roundTrips: 1, error: null, failures: 0 });
});
