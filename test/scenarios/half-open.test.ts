/** The other end is gone and nobody says so: octets go out and nothing comes. That ends by time-out, and a new line helps. */
import { expect, test } from 'vitest';
import { FAIR, readInFairWeather, stormy, TIMEOUT_MS, type Weather } from './stormy-line.ts';

test.each(['hdlc', 'wrapper'] as const)('%s: bounded in time, then read over a new connection', async (framing) => {
  const fair = await readInFairWeather({ framing });
  let isGone = false;
  const weather: Weather = (...frame) => (isGone ? [] : FAIR(...frame));
  const { read, clock, line } = stormy({ framing, weather });
  expect(await read()).toBe(fair);
  isGone = true;
  const began = clock.monotonic();
  expect(await read()).toBe('METER_TIMEOUT');
  // The answer, and the association anew, each with its repetitions.
  expect(clock.monotonic() - began).toBeLessThan(10 * TIMEOUT_MS);
  isGone = false;
  expect(await read()).toBe(fair);
  if (framing === 'wrapper') expect(line.connections).toBeGreaterThan(1);
});
