/** Frames arrive together, with something before, between and behind them. */
import { expect, test } from 'vitest';
import { concat, fromHex } from '../../src/core/bytes.ts';
import { readInFairWeather, stormy, type Weather } from './stormy-line.ts';

/** A network that holds octets back and hands them over together, a while after the first. */
function gathering(between: string): Weather {
  const held = { 'to-meter': [] as Uint8Array[], 'to-client': [] as Uint8Array[] };
  return (frame, direction) => {
    const frames = held[direction];
    frames.push(frame, fromHex(between));
    if (frames.length > 2) return [];
    return [{ bytes: () => concat(frames.splice(0)), afterMs: 20 }];
  };
}

test.each([
  ['nothing', '', 'hdlc', 3],
  ['idle flags', '7e7e7e', 'hdlc', 3],
  ['junk of a line that turns round', '00ff55', 'hdlc', 3],
  ['nothing', '', 'hdlc', 1],
  ['nothing', '', 'wrapper', 1],
] as const)('with %s (%s) between, over %s, window %i', async (_, between, framing, window) => {
  const fair = await readInFairWeather({ framing });
  const { read } = stormy({ framing, weather: gathering(between), settings: { window } });
  expect(await read()).toBe(fair);
});
