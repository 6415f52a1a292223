/** The poller with a line and a writer that are told what to do; the clock is moved by hand. */
import { describe, expect, test } from 'vitest';
import { BridgeError } from '../../src/core/errors.ts';
import { NO_QUIRKS } from '../../src/dlms/quirks.ts';
import type { MeterJob } from '../../src/line/worker.ts';
import { knowledgeOf } from '../../src/meter/knowledge.ts';
import type { MeterSession } from '../../src/meter/session.ts';
import { type CycleCommitted, MeterPoller, type PolledGroup, type PollingEvents } from '../../src/polling/poller.ts';
import { DEFAULT_POINT_OPTIONS } from '../../src/reading/point-options.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { EventBus } from '../../src/runtime/events.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import type { CycleCommit, Writer } from '../../src/store/local/types.ts';

const NOON = Date.UTC(2026, 5, 1, 12);
const VOLTAGE: PolledGroup = {
  groupId: 1,
  intervalMs: 10_000,
  points: [{ classId: 3, obis: '1.0.32.7.0.255', attribute: 2, key: 'voltageL1' }],
};
const ENERGY: PolledGroup = {
  groupId: 2,
  intervalMs: 60_000,
  points: [{ classId: 3, obis: '1.0.1.8.0.255', attribute: 2, key: 'energy' }],
};

/** A session that answers every attribute: value 2305, scaler -1, V. */
function fakeSession(asked: string[][], state: { readonly refuseScalers: boolean }): MeterSession {
  return {
    counts: { roundTrips: 0, bytesSent: 0, bytesReceived: 0 },
    isAssociated: true,
    longestList: 255,
    shortNames: null,
    quirks: NO_QUIRKS,
    async get(attributes: readonly { instanceId: string; attributeId: number }[]) {
      asked.push(attributes.map(({ instanceId, attributeId }) => `${instanceId}:${attributeId}`));
      return attributes.map(({ instanceId, attributeId }) => {
        if (instanceId === '9.9.9.9.9.9') return { dataAccessResult: { code: 4, name: 'object-undefined' } };
        if (attributeId === 3 && state.refuseScalers)
          return { dataAccessResult: { code: 3, name: 'read-write-denied' } };
        if (attributeId === 2) return { data: { type: 'long-unsigned', value: 2305 } };
        return {
          data: {
            type: 'structure',
            value: [
              { type: 'integer', value: -1 },
              { type: 'enum', value: 35 },
            ],
          },
        };
      });
    },
  } as unknown as MeterSession;
}

function bench(groups: readonly PolledGroup[] = [VOLTAGE, ENERGY]) {
  const clock = new VirtualClock(NOON);
  const events = new EventBus<PollingEvents>((error) => {
    throw error;
  });
  const asked: string[][] = [];
  const state = {
    refuseScalers: false,
    failWith: null as BridgeError | null,
    resting: false,
    pollMs: 0,
    commitMs: 0,
    commitFails: [] as BridgeError[],
    jobs: 0,
  };
  const session = fakeSession(asked, state);
  const commits: CycleCommit[] = [];
  const line = {
    isResting: () => state.resting,
    async submit<T>(job: MeterJob<T>): Promise<T> {
      state.jobs += 1;
      if (state.pollMs > 0) await new Promise<void>((resolve) => void clock.setTimer(state.pollMs, resolve));
      if (state.failWith !== null) throw state.failWith;
      return job.run(session);
    },
  };
  const writer = {
    async commitCycle(commit: CycleCommit) {
      if (state.commitMs > 0) await new Promise<void>((resolve) => void clock.setTimer(state.commitMs, resolve));
      const failure = state.commitFails.shift();
      if (failure !== undefined) throw failure;
      commits.push(commit);
      return [commits.length];
    },
  } as unknown as Writer;
  const committed: CycleCommitted[] = [];
  const failed: string[] = [];
  let late = 0;
  events.on('committed', (cycle) => void committed.push(cycle));
  events.on('failed', ({ error }) => void failed.push(error.code));
  const unstored: string[] = [];
  events.on('unstored', ({ error }) => void unstored.push(error.code));
  events.on('late', () => {
    late += 1;
  });
  const poller = new MeterPoller(
    { id: 1, name: 'house1', groups, connectionIds: [7] },
    { line, knowledge: knowledgeOf(new Map()), writer, clock, events, log: silentLogger },
  );
  return { clock, poller, state, asked, commits, committed, failed, unstored, late: () => late };
}

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

  test('a number whose scaler the meter refuses is not published: it may be wrong by powers of ten', async () => {
    const { clock, poller, committed, failed, state } = bench([VOLTAGE]);
    state.refuseScalers = true;
    poller.start();
    await clock.advance(10_000);
    expect([committed.length, failed]).toEqual([0, ['DATA_ACCESS_READ_WRITE_DENIED']]);
    state.refuseScalers = false;
    await clock.advance(10_000);
    await poller.stop();
    expect(committed[0]?.readings[0]?.value).toEqual({ coefficient: 2305n, exponent: -1 });
  });

  test('options of a point: its own scaler is not asked of the meter, and what does not change is not published', async () => {
    const options = { ...DEFAULT_POINT_OPTIONS, scaler: -2, unit: 'kV', publish: 'on-change' } as const;
    const { clock, poller, asked, commits, committed } = bench([
      { ...VOLTAGE, points: [{ ...VOLTAGE.points[0]!, options }] },
    ]);
    poller.start();
    await clock.advance(30_000);
    await poller.stop();
    expect(asked).toEqual([['1.0.32.7.0.255:2'], ['1.0.32.7.0.255:2'], ['1.0.32.7.0.255:2']]);
    expect(commits.map(({ readings }) => readings.length)).toEqual([1, 0, 0]);
    expect(commits[0]?.readings[0]).toMatchObject({ value: { coefficient: 2305n, exponent: -2 }, unit: 'kV' });
    expect(committed.map(({ connectionIds }) => connectionIds)).toEqual([[7], [], []]);
  });

  test('a value that cannot have the type of its point fails alone', async () => {
    const options = { ...DEFAULT_POINT_OPTIONS, scaler: 0, type: 'integer', text: 'ascii' } as const;
    const point = { classId: 1, obis: '0.0.96.1.0.255', attribute: 7, key: 'serial', options };
    const { clock, poller, committed } = bench([{ ...VOLTAGE, points: [VOLTAGE.points[0]!, point] }]);
    poller.start();
    await clock.advance(10_000);
    await poller.stop();
    expect(committed[0]?.readings.map(({ key }) => key)).toEqual(['voltageL1']);
    expect(committed[0]?.failures).toMatchObject([{ key: 'serial', error: { code: 'VALUE_TYPE_MISMATCH' } }]);
  });

  test('a point that the meter refuses fails alone', async () => {
    const broken = {
      ...VOLTAGE,
      points: [...VOLTAGE.points, { classId: 3, obis: '9.9.9.9.9.9', attribute: 2, key: 'nothing' }],
    };
    const { clock, poller, committed } = bench([broken]);
    poller.start();
    await clock.advance(10_000);
    await poller.stop();
    expect(committed).toHaveLength(1);
    expect(committed[0]?.failures).toMatchObject([{ key: 'nothing', error: { code: 'DATA_ACCESS_OBJECT_UNDEFINED' } }]);
  });

  test('a cycle that gave nothing is a failure, not a delivery', async () => {
    const nothing = { ...VOLTAGE, points: [{ classId: 3, obis: '9.9.9.9.9.9', attribute: 2, key: 'nothing' }] };
    const { clock, poller, committed, failed } = bench([nothing]);
    poller.start();
    await clock.advance(10_000);
    await poller.stop();
    expect([committed.length, failed]).toEqual([0, ['DATA_ACCESS_OBJECT_UNDEFINED']]);
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

  test('a meter that is left alone is not asked', async () => {
    const { clock, poller, state } = bench();
    state.resting = true;
    poller.start();
    await clock.advance(60_000);
    expect(state.jobs).toBe(0);
    state.resting = false;
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
