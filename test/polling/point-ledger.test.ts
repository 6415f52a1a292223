import { expect, test } from 'vitest';
import { BridgeError } from '../../src/core/errors.ts';
import { PointLedger } from '../../src/polling/point-ledger.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';

const UNDEFINED = new BridgeError('DATA_ACCESS_OBJECT_UNDEFINED', 'no such object');
const BUSY = new BridgeError('DATA_ACCESS_TEMPORARY_FAILURE', 'busy');
const HOUR = 3_600_000;

test('a point that is refused for good is left out for longer and longer, up to six hours', async () => {
  const clock = new VirtualClock();
  const ledger = new PointLedger(clock);
  const waits: number[] = [];
  for (let refusal = 0; refusal < 12; refusal += 1) {
    const until = ledger.note('a', UNDEFINED)?.skippedUntil ?? 0;
    waits.push(until - clock.now());
    expect(ledger.skips('a')).toBe(true);
    expect(ledger.skipped()).toEqual([{ key: 'a', error: UNDEFINED, skippedUntil: until }]);
    await clock.advance(until - clock.now());
    expect(ledger.skips('a')).toBe(false);
    expect(ledger.skipped()).toEqual([]);
  }
  expect(waits.slice(0, 3)).toEqual([60_000, 120_000, 240_000]);
  expect(waits.at(-1)).toBe(6 * HOUR);
});

test('what may pass is not marked; what was read, or belongs to another meter, is marked no more', () => {
  const ledger = new PointLedger(new VirtualClock());
  expect(ledger.note('a', BUSY)).toEqual({ key: 'a', error: BUSY, skippedUntil: null });
  expect(ledger.skips('a')).toBe(false);
  ledger.note('a', UNDEFINED);
  expect(ledger.note('a', null)).toBeNull();
  expect(ledger.skips('a')).toBe(false);
  ledger.note('b', UNDEFINED);
  ledger.clear();
  expect(ledger.skips('b')).toBe(false);
});
