/** Our invocation counter is behind what the meter has seen: it is raised once, and the same job goes on. */
import { describe, expect, test } from 'vitest';
import { fromHex } from '../../src/core/bytes.ts';
import { unkeptCounters } from '../../src/meter/counters.ts';
import { stormy } from './stormy-line.ts';

const KEYS = {
  blockCipherKey: fromHex('000102030405060708090a0b0c0d0e0f'),
  authenticationKey: fromHex('d0d1d2d3d4d5d6d7d8d9dadbdcdddedf'),
};
const SEEN = 5000;

describe.each(['hdlc', 'wrapper'] as const)('%s', (framing) => {
  const scenario = {
    framing,
    settings: { authentication: 'gmac', security: 'both' },
    secrets: KEYS,
    meter: { authentication: 'gmac', security: { security: 'both', ...KEYS, invocationCounter: SEEN } },
  } as const;

  test('behind when the association is made', async () => {
    const counters = unkeptCounters();
    await counters.reserve(1);
    const { read } = stormy({ ...scenario, counters });
    expect(await read()).toContain('1.0.1.8.0.255');
    expect(await counters.reserve(1)).toBeGreaterThan(SEEN);
  });

  test('behind again later: somebody else used the key', async () => {
    const counters = unkeptCounters();
    const { read, meter } = stormy({ ...scenario, counters });
    expect(await read()).toContain('1.0.1.8.0.255');
    meter.counters.accept(SEEN + 100_000);
    expect(await read()).toContain('1.0.1.8.0.255');
    expect(await counters.reserve(1)).toBeGreaterThan(SEEN + 100_000);
  });
});
