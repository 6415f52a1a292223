/** Frames get lost. HDLC repeats what is missing; over the wrapper a request fails by its time-out, and the next one works. */
import { expect, test } from 'vitest';
import { FAIR, readInFairWeather, stormy, type Weather } from './stormy-line.ts';

const losing =
  (every: number, lost: 'to-meter' | 'to-client'): Weather =>
  (frame, direction, count) =>
    direction === lost && count % every === 0 ? [] : FAIR(frame, direction, count);

test.each([
  ['to-meter', 1],
  ['to-client', 1],
  ['to-meter', 3],
  ['to-client', 3],
] as const)('HDLC: every third frame %s, window %i: nothing is missing in the end', async (lost, window) => {
  const fair = await readInFairWeather({ framing: 'hdlc' });
  const { read, line } = stormy({ framing: 'hdlc', weather: losing(3, lost), settings: { window } });
  expect(await read()).toBe(fair);
  expect(line.connections).toBe(1);
});

test.each(['to-meter', 'to-client'] as const)('wrapper: one message %s', async (lost) => {
  const fair = await readInFairWeather({ framing: 'wrapper' });
  const weather: Weather = (frame, direction, count) =>
    direction === lost && count === 2 ? [] : FAIR(frame, direction, count);
  const { read } = stormy({ framing: 'wrapper', weather });
  expect(await read()).toBe('METER_TIMEOUT');
  expect(await read()).toBe(fair);
});
