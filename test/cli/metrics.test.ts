/** `run --metrics`: what a monitor reads of a daemon at work, and nothing when it is not asked for. */
import { expect, test } from 'vitest';
import { type Bench, newBench, type Running } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { addMeter, eventualStatus, init, ownMeters, simulateThingsBoard, TOKEN } from '../support/scene.ts';

/** The address that the daemon tells in its log. */
function addressOf(daemon: Running): Promise<string> {
  return eventually(
    'the log tells the address',
    () => /metrics at (http:\S+)\/metrics/.exec(daemon.stdout)?.[1] ?? null,
  );
}

const sampleOf = (text: string, name: string): number =>
  Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.split(' ')[1] ?? Number.NaN,
  );

test.concurrent('a daemon at work, until it stops', async ({ onTestFinished }) => {
  const bench: Bench = newBench(onTestFinished);
  const double = await simulateThingsBoard(bench);
  const { links } = await ownMeters(bench);
  await init(bench, double.url);
  await addMeter(bench, 'house1', links[0] ?? '', ['--interval', '0.5']);
  const daemon = bench.start(['run', '--metrics', '0']);
  const url = await addressOf(daemon);
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  await eventualStatus(bench, 'cycles are delivered', ({ daemon: { messages } }) => messages > 3);
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  const text = await (await fetch(`${url}/metrics`)).text();
  expect(sampleOf(text, 'dlms_cycles_total')).toBeGreaterThan(2);
  expect(sampleOf(text, 'dlms_poll_duration_seconds_count')).toBeGreaterThan(2);
  expect(sampleOf(text, 'dlms_meters{state="connected"}')).toBe(1);
  expect(sampleOf(text, 'dlms_connections{target="thingsboard",state="connected"}')).toBe(1);
  expect(sampleOf(text, 'process_resident_memory_bytes')).toBeGreaterThan(1e6);
  expect(text).not.toContain(TOKEN);
  expect((await daemon.stop()).status).toBe(0);
  await expect(fetch(`${url}/livez`)).rejects.toThrow();
});

test.concurrent('by DLMS_METRICS; a port in use is said before anything is begun', async ({ onTestFinished }) => {
  const bench = newBench(onTestFinished);
  await init(bench, (await simulateThingsBoard(bench)).url);
  const address = `127.0.0.1:${await freePort()}`;
  const first = bench.start(['run'], { env: { DLMS_METRICS: address } });
  expect(await addressOf(first)).toBe(`http://${address}`);
  const other = newBench(onTestFinished);
  await init(other, 'mqtt://127.0.0.1:1');
  const refused = await other.failure(['run', '--for', '1', '--metrics', address]);
  expect(refused).toMatchObject({ status: 2, code: 'INVALID_VALUE', message: expect.stringContaining(address) });
  expect((await first.stop()).status).toBe(0);
});

test.concurrent.for([':9464', '127.0.0.1', '70000', '127.0.0.1:x', '::1:9464'])(
  'refused: --metrics %s',
  async (address, { onTestFinished }) => {
    const bench = newBench(onTestFinished);
    await init(bench, 'mqtt://127.0.0.1:1');
    expect(await bench.failure(['run', '--for', '1', '--metrics', address])).toMatchObject({
      status: 2,
      code: 'INVALID_VALUE',
    });
  },
);
