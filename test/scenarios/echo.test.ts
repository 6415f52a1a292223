/** Optical heads and two-wire converters send back what they are sent. */
import { expect, test } from 'vitest';
import { readInFairWeather, stormy, type Weather } from './stormy-line.ts';

/** The client hears itself, before the meter or in the middle of its answer. */
function echoing(afterMs: number): Weather {
  let sent: Uint8Array[] = [];
  return (bytes, direction) => {
    if (direction === 'to-meter') {
      sent.push(bytes);
      return [{ bytes, afterMs: 10 }];
    }
    const echoes = sent.map((echo) => ({ bytes: echo, afterMs }));
    sent = [];
    return [...echoes, { bytes, afterMs: 10 }];
  };
}

test.each([
  ['before the answer', 0, {}],
  ['behind the answer', 20, {}],
  ['before the answer, with a window of 3', 0, { window: 3 }],
  ['before the answer, where client and meter have the same address', 0, { physical: null, client: 1, server: 1 }],
])('%s', async (_, afterMs, settings) => {
  const fair = await readInFairWeather({ framing: 'hdlc' });
  const { read, line } = stormy({ framing: 'hdlc', weather: echoing(afterMs), settings });
  expect(await read()).toBe(fair);
  expect(line.connections).toBe(1);
});
