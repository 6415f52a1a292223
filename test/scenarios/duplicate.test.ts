/** Frames come twice: at once, or the second one late. */
import { describe, expect, test } from 'vitest';
import { readInFairWeather, stormy, type Weather } from './stormy-line.ts';

const twice =
  (afterMs: number, which: 'to-meter' | 'to-client' | 'both'): Weather =>
  (bytes, direction) =>
    which === 'both' || which === direction ? [{ bytes }, { bytes, afterMs }] : [{ bytes }];

describe.each([0, 30, 400])('the second one after %i ms', (afterMs) => {
  test.each(['to-meter', 'to-client', 'both'] as const)('HDLC, %s', async (which) => {
    const fair = await readInFairWeather({ framing: 'hdlc' });
    for (const window of [1, 3]) {
      const { read } = stormy({ framing: 'hdlc', weather: twice(afterMs, which), settings: { window } });
      expect(await read()).toBe(fair);
    }
  });
});

test('wrapper: an AARE that comes twice, as datagrams do', async () => {
  const fair = await readInFairWeather({ framing: 'wrapper' });
  const weather: Weather = (bytes, direction, count) =>
    direction === 'to-client' && count === 1 ? [{ bytes }, { bytes }] : [{ bytes }];
  expect(await stormy({ framing: 'wrapper', weather }).read()).toBe(fair);
});
