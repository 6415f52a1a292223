/** What a verb finds out of a stored meter is kept: the next one asks for values only. */
import { expect, test } from 'vitest';
import { newBench } from '../support/cli.ts';
import { addMeter, init, ownMeters } from '../support/scene.ts';

test('a second read of a stored meter takes one round trip and fewer octets', { timeout: 60_000 }, async ({
  onTestFinished,
}) => {
  const bench = newBench(onTestFinished);
  await init(bench, 'mqtt://127.0.0.1:1');
  const { links } = await ownMeters(bench);
  await addMeter(bench, 'house1', links[0] ?? '');
  const read = () =>
    bench.json<{ roundTrips: number; bytesReceived: number }>(['read', 'house1', '1.0.1.8.0.255', '1.0.32.7.0.255']);
  const first = await read();
  const second = await read();
  expect(first.roundTrips).toBeGreaterThan(1);
  expect(second.roundTrips).toBe(1);
  expect(second.bytesReceived).toBeLessThan(first.bytesReceived);
  expect(await bench.json(['meter', 'test', 'house1'])).toMatchObject({ roundTrips: 1 });
  expect(await bench.json(['meter', 'test', 'house1'])).toMatchObject({ roundTrips: 1 });
});
