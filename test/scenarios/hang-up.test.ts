/** The line breaks in the middle of an answer in blocks. The job says so, and the next one opens the line anew. */
import { describe, expect, test } from 'vitest';
import { FAIR, readInFairWeather, stormy, type Weather } from './stormy-line.ts';

const hangingUpBehind =
  (nth: number): Weather =>
  (bytes, direction, count) =>
    direction === 'to-client' && count === nth ? [{ bytes, thenHangUp: true }] : FAIR(bytes, direction, count);
/** Small enough for many blocks. */
const settings = { maxPdu: 200 };

describe.each(['hdlc', 'wrapper'] as const)('%s', (framing) => {
  test.each([1, 2, 3, 5, 8])('behind frame %i of the meter', async (nth) => {
    const fair = await readInFairWeather({ framing, settings });
    const { read, line } = stormy({ framing, weather: hangingUpBehind(nth), settings });
    expect(await read()).toBe('LINE_CLOSED');
    expect(await read()).toBe(fair);
    expect(line.connections).toBe(2);
  });
  test('half of a frame, and gone', async () => {
    const fair = await readInFairWeather({ framing, settings });
    const weather: Weather = (frame, direction, count) =>
      direction === 'to-client' && count === 4
        ? [{ bytes: frame.subarray(0, frame.length >> 1), thenHangUp: true }]
        : FAIR(frame, direction, count);
    const { read } = stormy({ framing, weather, settings });
    expect([await read(), await read()]).toEqual(['LINE_CLOSED', fair]);
  });
});
