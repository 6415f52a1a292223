/** Frames arrive in parts, cut anywhere. */
import { describe, expect, test } from 'vitest';
import { readInFairWeather, stormy, type Weather } from './stormy-line.ts';

/** Both halves come, the second a little later. */
const cutAt =
  (at: number): Weather =>
  (frame) => [{ bytes: frame.subarray(0, at) }, { bytes: frame.subarray(at), afterMs: 5 }];

describe.each(['hdlc', 'wrapper'] as const)('%s', (framing) => {
  test('cut at every octet', async () => {
    const fair = await readInFairWeather({ framing });
    for (let at = 1; at < 60; at += 1) expect(await stormy({ framing, weather: cutAt(at) }).read()).toBe(fair);
  });
  test('octet by octet', async () => {
    const fair = await readInFairWeather({ framing });
    const weather: Weather = (frame) =>
      Array.from(frame, (octet, index) => ({ bytes: Uint8Array.of(octet), afterMs: index / 100 }));
    expect(await stormy({ framing, weather }).read()).toBe(fair);
  });
});
