/** The poller with a line and a writer that are told what to do; the clock is moved by hand. */
import { describe, expect, test } from 'vitest';
import { BridgeError } from '../../src/core/errors.ts';
import type { CycleCommit } from '../../src/store/local/types.ts';
import { bench, ENERGY, NOON, VOLTAGE } from './bench.ts';

const keysOf = (commit: CycleCommit): string[] => commit.readings.map(({ key }) => key);

describe('what is read when', () => {
  test('each group at its own interval; groups that are due together share one cycle', async () => {
    const { clock, poller, commits } = bench();
    poller.start();
    await clock.advance(120_000);
    await poller.stop();
    expect(commits).toHaveLength(12);
    expect(commits.filter((commit) => keysOf(commit).includes('energy'))).toHaveLength(2);
    expect(commits.filter((commit) => keysOf(commit).length === 2)).toHaveLength(2);
  });

  test('groups whose intervals do not divide each other are each read at every due of theirs', async () => {
    const { clock, poller, commits } = bench([VOLTAGE, { ...ENERGY, intervalMs: 15_000 }]);
    poller.start();
    await clock.advance(300_000);
    await poller.stop();
    expect(commits.filter((commit) => keysOf(commit).includes('voltageL1'))).toHaveLength(30);
    expect(commits.filter((commit) => keysOf(commit).includes('energy'))).toHaveLength(20);
  });

  test('scalers are asked for once, along with the values', async () => {
    const { clock, poller, asked, commits } = bench([VOLTAGE]);
    poller.start();
    await clock.advance(20_000);
    await poller.stop();
    expect(asked).toEqual([['1.0.32.7.0.255:2', '1.0.32.7.0.255:3'], ['1.0.32.7.0.255:2']]);
    expect(commits.map(({ learned }) => learned?.map(({ kind }) => kind))).toEqual([
      ['scaler-unit:3:1.0.32.7.0.255'],
      [],
    ]);
    expect(commits[1]?.readings[0]).toMatchObject({
      key: 'voltageL1',
      value: { coefficient: 2305n, exponent: -1 },
      unit: 'V',
      quality: 'good',
    });
  });
});

describe('trouble', () => {
  test('what was due while the meter failed is read at its next success', async () => {
    const { clock, poller, state, commits, failed } = bench();
    state.failWith = new BridgeError('METER_TIMEOUT', 'silence');
    poller.start();
    await clock.advance(60_000);
    state.failWith = null;
    await clock.advance(10_000);
    await poller.stop();
    expect(failed.length).toBeGreaterThanOrEqual(5);
    expect(commits).toHaveLength(1);
    expect(keysOf(commits[0]!).toSorted()).toEqual(['energy', 'voltageL1']);
  });

  test('a failed cycle is repeated when the meter may be tried again', async () => {
    const { clock, poller, state, commits } = bench([{ ...VOLTAGE, intervalMs: 900_000 }]);
    state.failWith = new BridgeError('METER_TIMEOUT', 'silence');
    state.restAfterFailure = 4_000;
    poller.start();
    while (state.jobs === 0) await clock.advance(1000);
    const failedAt = clock.now();
    state.failWith = null;
    await clock.advance(3_000);
    expect(commits).toHaveLength(0);
    await clock.advance(3_000);
    expect(commits).toHaveLength(1);
    expect(clock.now() - failedAt).toBeLessThan(10_000);
    await poller.stop();
  });

  test('a line that never rests is not asked again before the next due', async () => {
    const { clock, poller, state } = bench([VOLTAGE]);
    state.failWith = new BridgeError('EXCEPTION_RESPONSE', 'no');
    poller.start();
    await clock.advance(60_000);
    await poller.stop();
    expect(state.jobs).toBe(6);
  });

  test('a meter that is left alone is not asked', async () => {
    const { clock, poller, state } = bench();
    state.restMs = Number.POSITIVE_INFINITY;
    poller.start();
    await clock.advance(60_000);
    expect(state.jobs).toBe(0);
    state.restMs = 0;
    await clock.advance(10_000);
    await poller.stop();
    expect(state.jobs).toBe(1);
  });

  test('a poll longer than its interval is late, never doubled', async () => {
    const { clock, poller, state, late } = bench([VOLTAGE]);
    state.pollMs = 25_000;
    poller.start();
    await clock.advance(100_000);
    expect(state.jobs).toBeLessThanOrEqual(4);
    expect(late()).toBeGreaterThanOrEqual(5);
    const stopped = poller.stop();
    await clock.advance(25_000);
    await stopped;
  });

  test('a timer that fires a little early makes no poll late', async () => {
    const { clock, poller, state, late } = bench([VOLTAGE]);
    const { setTimer } = clock;
    clock.setTimer = (ms, callback) => setTimer.call(clock, ms > 1 ? ms - 1 : ms, callback);
    state.pollMs = 50;
    poller.start();
    await clock.advance(100_000);
    await poller.stop();
    expect(state.jobs).toBe(10);
    expect(late()).toBe(0);
  });

  test('a commit that takes 100 ms moves no poll', async () => {
    const { clock, poller, state, commits } = bench([{ ...VOLTAGE, intervalMs: 1000 }]);
    state.commitMs = 100;
    poller.start();
    await clock.advance(10_000);
    const polledAt = commits.map(({ createdAt }) => createdAt % 1000);
    expect(commits.length).toBeGreaterThanOrEqual(9);
    expect(new Set(polledAt).size).toBe(1);
    const stopped = poller.stop();
    await clock.advance(1000);
    await stopped;
  });

  test('a full disk: the cycle waits and is committed when there is room; the meter is not asked meanwhile', async () => {
    const { clock, poller, state, commits, committed, unstored } = bench([VOLTAGE]);
    state.commitFails = Array.from({ length: 6 }, () => new BridgeError('DATABASE_FULL', 'no room'));
    poller.start();
    await clock.advance(120_000);
    await poller.stop();
    expect(unstored).toEqual(Array.from({ length: 6 }, () => 'DATABASE_FULL'));
    expect(commits[0]?.createdAt).toBeLessThan(NOON + 20_000);
    expect(committed.length).toBeGreaterThanOrEqual(5);
  });

  test('a commit that can never succeed is a failure', async () => {
    const { clock, poller, state, failed, commits } = bench([VOLTAGE]);
    state.commitFails = [new BridgeError('DATABASE_CORRUPT', 'damaged')];
    poller.start();
    await clock.advance(20_000);
    await poller.stop();
    expect(failed).toEqual(['DATABASE_CORRUPT']);
    expect(commits).toHaveLength(1);
  });
});

describe('the host clock', () => {
  test('a step back does not poll twice within an interval', async () => {
    const { clock, poller, state } = bench([VOLTAGE]);
    poller.start();
    await clock.advance(10_000);
    expect(state.jobs).toBe(1);
    clock.stepWall(-9_000);
    await clock.advance(4_000);
    expect(state.jobs).toBe(1);
    await clock.advance(20_000);
    expect(state.jobs).toBeGreaterThanOrEqual(2);
    await poller.stop();
  });

  test('a step forward of an hour goes on at once', async () => {
    const { clock, poller, state } = bench([VOLTAGE]);
    poller.start();
    await clock.advance(10_000);
    clock.stepWall(3_600_000);
    await clock.advance(30_000);
    expect(state.jobs).toBeGreaterThanOrEqual(3);
    await poller.stop();
  });
});

test('stopping lets the cycle under way end and be committed', async () => {
  const { clock, poller, state, commits } = bench([VOLTAGE]);
  state.pollMs = 500;
  poller.start();
  await clock.advance(10_000);
  const stopped = poller.stop();
  await clock.advance(500);
  await stopped;
  expect(commits).toHaveLength(1);
  expect(clock.pendingTimers).toBe(0);
});
