/** Answers come late: within the time-out they are answers; after it they are nobody's. */
import { describe, expect, test } from 'vitest';
import { FAIR, readInFairWeather, stormy, TIMEOUT_MS, type Weather } from './stormy-line.ts';

const slow =
  (afterMs: number, every: number): Weather =>
  (bytes, direction, count) =>
    direction === 'to-client' && count % every === 0 ? [{ bytes, afterMs }] : FAIR(bytes, direction, count);

describe.each(['hdlc', 'wrapper'] as const)('%s', (framing) => {
  test('just in time', async () => {
    const fair = await readInFairWeather({ framing });
    expect(await stormy({ framing, weather: slow(TIMEOUT_MS - 50, 1) }).read()).toBe(fair);
  });
});

test('HDLC: an answer that comes behind its own repetition is not taken twice', async () => {
  const fair = await readInFairWeather({ framing: 'hdlc' });
  expect(await stormy({ framing: 'hdlc', weather: slow(TIMEOUT_MS + 200, 4) }).read()).toBe(fair);
});

test('wrapper: an answer that comes after the time-out is not the answer to the next request', async () => {
  const fair = await readInFairWeather({ framing: 'wrapper' });
  const weather: Weather = (bytes, direction, count) =>
    direction === 'to-client' && count === 2 ? [{ bytes, afterMs: 2 * TIMEOUT_MS }] : FAIR(bytes, direction, count);
  const { read } = stormy({ framing: 'wrapper', weather });
  expect(await read()).toBe('METER_TIMEOUT');
  expect(await read()).toBe(fair);
});
