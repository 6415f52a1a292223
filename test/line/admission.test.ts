import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { admissionOf } from '../../src/daemon/bridge-conduct.ts';
import { Admission, type AdmissionLimits } from '../../src/line/admission.ts';
import { fullBucket, refilled, type TokenBucket, waitForToken, withoutToken } from '../../src/line/token-bucket.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { DEFAULT_BRIDGE_SETTINGS } from '../../src/store/fleet/bridge-settings.ts';

const DEFAULT_ADMISSION = admissionOf(DEFAULT_BRIDGE_SETTINGS);

describe('token bucket', () => {
  test('never gives more than its rate and one second in advance, and never less than its rate', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.integer({ min: 0, max: 700 }), { maxLength: 60 }),
        (perSecond, pauses) => {
          let bucket: TokenBucket = fullBucket(perSecond, 0);
          let now = 0;
          let taken = 0;
          for (const pause of pauses) {
            now += pause;
            bucket = refilled(bucket, perSecond, now);
            while (waitForToken(bucket, perSecond) === 0) {
              bucket = withoutToken(bucket);
              taken += 1;
            }
            expect(taken).toBeLessThanOrEqual(perSecond + (now * perSecond) / 1000 + 1e-6);
            const after = refilled(bucket, perSecond, now + waitForToken(bucket, perSecond));
            expect(waitForToken(after, perSecond)).toBeLessThanOrEqual(1);
          }
        },
      ),
    );
  });

  test('a clock that goes back gives nothing', () => {
    expect(refilled({ tokens: 0, at: 1000 }, 10, 500)).toEqual({ tokens: 0, at: 500 });
  });
});

function bench(limits: AdmissionLimits) {
  const clock = new VirtualClock();
  const admission = new Admission(limits, clock);
  const admitted: { readonly host: string; readonly at: number; readonly leave: () => void }[] = [];
  const ask = (host: string): void =>
    void admission.admit(host).then((leave) => admitted.push({ host, at: clock.monotonic(), leave }));
  return { clock, admitted, ask };
}

const wide = { underWay: 1000, perSecond: 1000 };

describe('admission', () => {
  test('so many per second', async () => {
    const { clock, admitted, ask } = bench({ daemon: { ...wide, perSecond: 10 }, host: wide });
    for (let line = 0; line < 30; line += 1) ask(`h${line}`);
    await clock.advance(0);
    expect(admitted).toHaveLength(10);
    await clock.advance(1000);
    expect(admitted).toHaveLength(20);
    await clock.advance(1000);
    expect(admitted).toHaveLength(30);
    expect(clock.pendingTimers).toBe(0);
  });

  test('so many at once; one that ends makes room', async () => {
    const { clock, admitted, ask } = bench({ daemon: { ...wide, underWay: 2 }, host: wide });
    for (let line = 0; line < 4; line += 1) ask('h');
    await clock.advance(60_000);
    expect(admitted).toHaveLength(2);
    admitted[0]!.leave();
    await clock.advance(0);
    expect(admitted).toHaveLength(3);
    for (const { leave } of admitted.slice(1)) leave();
    await clock.advance(0);
    expect(admitted).toHaveLength(4);
  });

  test('a host at its limit keeps nobody else waiting, and hosts take turns', async () => {
    const { clock, admitted, ask } = bench({ daemon: { ...wide, perSecond: 4 }, host: { underWay: 3, perSecond: 2 } });
    for (let line = 0; line < 6; line += 1) ask('many');
    ask('a');
    ask('b');
    await clock.advance(0);
    expect(admitted.map(({ host }) => host)).toEqual(['many', 'many', 'a', 'b']);
    await clock.advance(1000);
    // The third is the last until one of them has ended.
    expect(admitted.map(({ host }) => host)).toEqual(['many', 'many', 'a', 'b', 'many']);
  });

  test('ten thousand lines are admitted within a minute with the defaults', async () => {
    const { clock, admitted, ask } = bench(DEFAULT_ADMISSION);
    for (let line = 0; line < 10_000; line += 1) ask('127.0.0.1');
    let left = 0;
    for (let at = 0; at < 60_000; at += 100) {
      await clock.advance(100);
      for (; left < admitted.length; left += 1) admitted[left]!.leave();
    }
    expect(admitted).toHaveLength(10_000);
    // And none of the seconds saw more than the rate, but the first.
    const perSecond = new Map<number, number>();
    for (const { at } of admitted)
      perSecond.set(Math.floor(at / 1000), (perSecond.get(Math.floor(at / 1000)) ?? 0) + 1);
    expect(Math.max(...perSecond.values())).toBeLessThanOrEqual(2 * DEFAULT_ADMISSION.daemon.perSecond);
  });
});
