/** Bits flip. HDLC notices every one and repeats; the wrapper notices what makes no message. */
import { describe, expect, test } from 'vitest';
import { FAIR, readInFairWeather, stormy, type Weather } from './stormy-line.ts';

const flipping =
  (every: number, hit: 'to-meter' | 'to-client', at: number): Weather =>
  (frame, direction, count) => {
    if (direction !== hit || count % every !== 0) return FAIR(frame, direction, count);
    const place = at % frame.length;
    return [{ bytes: frame.with(place, frame[place]! ^ (1 << (count % 8))) }];
  };

describe.each(['to-meter', 'to-client'] as const)('HDLC, %s', (hit) => {
  test('every third frame, at every place: nothing wrong is read', async () => {
    const fair = await readInFairWeather({ framing: 'hdlc' });
    for (let at = 0; at < 40; at += 1) {
      expect(await stormy({ framing: 'hdlc', weather: flipping(3, hit, at) }).read()).toBe(fair);
    }
  });
});

test('wrapper: a header that is none ends the request, not the line', async () => {
  const fair = await readInFairWeather({ framing: 'wrapper' });
  const weather: Weather = (frame, direction, count) =>
    direction === 'to-client' && count === 2 ? [{ bytes: frame.with(1, 0x7f) }] : FAIR(frame, direction, count);
  const { read } = stormy({ framing: 'wrapper', weather });
  expect(await read()).toBe('METER_GARBAGE');
  expect(await read()).toBe(fair);
});
