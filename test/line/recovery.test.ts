import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LINE_RECOVERY, METER_RECOVERY, Recovery, restAfter } from '../../src/line/recovery.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';

const HOUR = 3_600_000;
const random = fc.double({ min: 0, max: 0.999_999, noNaN: true });

describe('rests', () => {
  test.each([
    ['meter', METER_RECOVERY],
    ['line', LINE_RECOVERY],
  ] as const)('%s: between base and maximum, then probes that never end', (_, policy) => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), random, (failures, chance) => {
        const rest = restAfter(policy, failures, () => chance);
        const { base, max } = failures < policy.suspendAfter ? policy.backOff : policy.probes;
        expect(rest).toBeGreaterThanOrEqual(failures < policy.suspendAfter ? base : base / 2);
        expect(rest).toBeLessThanOrEqual(max);
      }),
    );
  });

  test('probes grow to an hour', () => {
    const rests = Array.from({ length: 12 }, (_, probe) => restAfter(METER_RECOVERY, 8 + probe, () => 1));
    expect(rests.slice(0, 7)).toEqual([60_000, 120_000, 240_000, 480_000, 960_000, 1_920_000, HOUR]);
    expect(new Set(rests.slice(6))).toEqual(new Set([HOUR]));
  });
});

function failedTimes(clock: VirtualClock, times: number): Recovery {
  const recovery = new Recovery(METER_RECOVERY, clock, () => 1);
  for (let failure = 0; failure < times; failure += 1) recovery.failed();
  return recovery;
}

describe('the breaker', () => {
  test('opens once, at the eighth failure in a row', () => {
    const recovery = failedTimes(new VirtualClock(), 0);
    expect(Array.from({ length: 10 }, () => recovery.failed())).toEqual(
      Array.from({ length: 10 }, (_, failure) => failure === 7),
    );
    expect(recovery.isSuspended).toBe(true);
    recovery.reset();
    expect([recovery.isSuspended, recovery.restMs, recovery.saved()]).toEqual([false, 0, null]);
  });

  test('rests by the monotonic clock, whatever the wall clock does', async () => {
    const clock = new VirtualClock();
    const recovery = failedTimes(clock, 8);
    clock.stepWall(-1000 * HOUR);
    expect(recovery.restMs).toBe(60_000);
    clock.stepWall(5000 * HOUR);
    expect(recovery.restMs).toBe(60_000);
    await clock.advance(60_000);
    expect(recovery.restMs).toBe(0);
  });
});

describe('over a restart', () => {
  test.each([
    ['the host was off for 20 s', 20_000, 40_000],
    ['it was off for a day', 24 * HOUR, 0],
    ['its clock was set back a year: the whole rest at most', -365 * 24 * HOUR, 60_000],
    ['its clock begins in 1970', -Date.UTC(2026, 0, 1), 60_000],
  ])('%s', (_, wallMs, left) => {
    const before = new VirtualClock();
    const saved = failedTimes(before, 8).saved();
    const after = new VirtualClock(before.now() + wallMs);
    const recovery = new Recovery(METER_RECOVERY, after, () => 1);
    recovery.restore(saved!);
    expect(recovery.restMs).toBe(left);
    expect(recovery.isSuspended).toBe(true);
    recovery.failed();
    expect(recovery.restMs).toBe(120_000);
  });
});
