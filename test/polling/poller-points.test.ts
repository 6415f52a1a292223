/** What becomes of points that the meter does not give. */
import { expect, test } from 'vitest';
import { DEFAULT_POINT_OPTIONS } from '../../src/reading/point-options.ts';
import { bench, VOLTAGE } from './bench.ts';

test('a number whose scaler the meter refuses is not published: it may be wrong by powers of ten', async () => {
  const { clock, poller, committed, failed, state } = bench([VOLTAGE]);
  state.refuseScalers = true;
  poller.start();
  await clock.advance(10_000);
  expect([committed.length, failed]).toEqual([0, ['DATA_ACCESS_READ_WRITE_DENIED']]);
  state.refuseScalers = false;
  // It is asked again a minute after the refusal.
  await clock.advance(60_000);
  await poller.stop();
  expect(committed[0]?.readings[0]?.value).toEqual({ coefficient: 2305n, exponent: -1 });
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

test('a point that failed for now is asked for once more, within the cycle', async () => {
  const busy = {
    ...VOLTAGE,
    points: [...VOLTAGE.points, { classId: 1, obis: '8.8.8.8.8.8', attribute: 2, key: 'b' }],
  };
  const { clock, poller, committed, asked, state } = bench([busy]);
  state.busy = [true, false, true, true];
  poller.start();
  await clock.advance(20_000);
  await poller.stop();
  expect(asked.map((attributes) => attributes.includes('1.0.32.7.0.255:2'))).toEqual([true, false, true, false]);
  expect(committed.map(({ readings, failures }) => [readings.length, failures.length])).toEqual([
    [2, 0],
    [1, 1],
  ]);
  expect(committed[1]?.failures[0]).toMatchObject({ key: 'b', skippedUntil: null });
});

test('a point that the meter has not is left out of the next cycles, and still told of', async () => {
  const broken = {
    ...VOLTAGE,
    points: [...VOLTAGE.points, { classId: 3, obis: '9.9.9.9.9.9', attribute: 2, key: 'nothing' }],
  };
  const { clock, poller, committed, asked } = bench([broken]);
  poller.start();
  await clock.advance(80_000);
  await poller.stop();
  const asking = asked.map((attributes) => attributes.includes('9.9.9.9.9.9:2'));
  expect(asking).toEqual([true, false, false, false, false, false, true, false]);
  expect(committed.map(({ failures, skipped }) => [failures.length, skipped.length])).toEqual(
    asking.map((was) => (was ? [1, 0] : [0, 1])),
  );
  expect(committed[1]?.skipped[0]?.skippedUntil).toBeGreaterThan(clock.now() - 60_000);
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
