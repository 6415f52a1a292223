import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PollTimes } from '../../src/daemon/status/poll-times.ts';
import { GRACE_MS, PublishRate } from '../../src/daemon/status/publish-rate.ts';

test('a cycle counts once all its rows are acknowledged', () => {
  const rate = new PublishRate();
  rate.committedCycle('a', 2, 0);
  rate.deliveredRow('a');
  expect(rate.counts(GRACE_MS).rate).toBe(0);
  rate.deliveredRow('a');
  expect(rate.counts(GRACE_MS)).toEqual({ cycles: 1, delivered: 1, rate: 1 });
});

test('young cycles and cycles that nobody wants do not pull the rate down', () => {
  const rate = new PublishRate();
  expect(rate.counts(0).rate).toBeNull();
  rate.committedCycle('young', 1, 1000);
  expect(rate.counts(1000 + GRACE_MS - 1).rate).toBeNull();
  expect(rate.counts(1000 + GRACE_MS).rate).toBe(0);
  rate.committedCycle('nobody', 0, 1000);
  expect(rate.counts(1000 + GRACE_MS).rate).toBe(0.5);
});

test('draining a backlog of an earlier run changes nothing', () => {
  const rate = new PublishRate();
  for (let row = 0; row < 100; row += 1) rate.deliveredRow(`earlier-${row}`);
  expect(rate.counts(1e6)).toEqual({ cycles: 0, delivered: 0, rate: null });
});

test('the incident: 96 of 10,900 cycles', () => {
  const rate = new PublishRate();
  for (let cycle = 0; cycle < 10_900; cycle += 1) {
    rate.committedCycle(String(cycle), 1, cycle);
    if (cycle < 96) rate.deliveredRow(String(cycle));
  }
  expect(((rate.counts(1e6).rate ?? 0) * 100).toFixed(2)).toBe('0.88');
});

test('the rate is a share', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ rows: fc.nat(3), delivered: fc.nat(5), at: fc.nat(30_000) })),
      fc.nat(40_000),
      (cycles, now) => {
        const rate = new PublishRate();
        for (const [index, { rows, delivered, at }] of cycles.entries()) {
          rate.committedCycle(String(index), rows, at);
          for (let row = 0; row < delivered; row += 1) rate.deliveredRow(String(index));
        }
        const share = rate.counts(now).rate;
        if (share !== null) expect(share >= 0 && share <= 1).toBe(true);
      },
    ),
  );
});

test('poll times: average and percentiles of the last thousand', () => {
  const times = new PollTimes();
  expect(times.summary().avgMs).toBeNull();
  for (let ms = 0; ms < 5000; ms += 1) times.add(ms);
  expect(times.summary()).toEqual({ avgMs: 4499.5, p50Ms: 4500, p95Ms: 4950, p99Ms: 4990 });
});
