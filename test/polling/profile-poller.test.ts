/** Following a profile through everything that happens to it: compared with what the meter captured. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decimalText } from '../../src/core/decimal.ts';
import { PART_ROWS } from '../../src/polling/profile-scan.ts';
import { energyAt, followBench, HOUR, QUARTER } from './follow-bench.ts';

const KEY = 'activeImportEnergy';
/** Summer time ends at 1:00 UTC in this night: 2:00 to 3:00 local time is there twice. */
const AUTUMN = Date.UTC(2026, 9, 25, 1);

type Bench = ReturnType<typeof followBench>;

function timesOf(bench: Bench): number[] {
  return bench.published(KEY).map(({ ts }) => ts);
}

function expectEachRowRight(bench: Bench): void {
  for (const { ts, value } of bench.published(KEY)) {
    expect(typeof value === 'object' ? decimalText(value) : value).toBe(String(energyAt(ts)));
  }
}

function happened(bench: Bench): string[] {
  return bench.parts.flatMap((part) => part.happened.map(({ kind }) => kind));
}

describe('a night in which the clock goes back', () => {
  test.each([
    ['by range', [1, 2]],
    ['by entries', [2]],
    ['the whole buffer', []],
  ])('every row once at its own moment, %s; nothing is said to be missing', async (_, selectors) => {
    const bench = followBench({ begin: AUTUMN - 6 * HOUR + 1000, selectors });
    await bench.clock.advance(HOUR);
    bench.start();
    await bench.clock.advance(12 * HOUR);
    await bench.stop();
    expect(timesOf(bench)).toEqual(bench.captured.filter((at) => at <= (timesOf(bench).at(-1) ?? 0)));
    expect(timesOf(bench).length).toBeGreaterThan(45);
    expectEachRowRight(bench);
    expect(happened(bench)).toEqual([]);
  });

  test('looked at every quarter of an hour, killed after each', async () => {
    const bench = followBench({ begin: AUTUMN - 3 * HOUR + 1000 });
    await bench.clock.advance(HOUR);
    bench.start();
    for (let quarter = 0; quarter < 24; quarter += 1) {
      await bench.clock.advance(QUARTER);
      await bench.restart();
      await bench.clock.advance(10_000);
    }
    await bench.stop();
    expect(timesOf(bench)).toEqual(bench.captured);
    expectEachRowRight(bench);
    expect(happened(bench)).toEqual([]);
  });
});

describe('what is missing is said', () => {
  test('a gap, at the first row behind it', async () => {
    const bench = followBench({ begin: Date.UTC(2026, 5, 1) });
    bench.start();
    await bench.clock.advance(6 * HOUR);
    bench.state.captures = false;
    await bench.clock.advance(3 * 24 * HOUR);
    bench.state.captures = true;
    await bench.clock.advance(3 * HOUR);
    await bench.stop();
    const [gap] = bench.published('profileGap:1.0.99.1.0.255');
    expect(JSON.parse(String(gap?.value))).toMatchObject({ kind: 'gap', missing: 288 });
    expect(bench.captured).toContain(gap?.ts);
    expect(happened(bench)).toEqual(['gap']);
    expect(timesOf(bench)).toEqual(bench.captured.filter((at) => at <= (timesOf(bench).at(-1) ?? 0)));
  });

  test('rows that were overwritten while nobody looked', async () => {
    const bench = followBench({ begin: Date.UTC(2026, 5, 1), room: 100 });
    bench.start();
    await bench.clock.advance(6 * HOUR);
    await bench.stop();
    await bench.clock.advance(5 * 24 * HOUR);
    await bench.restart();
    await bench.clock.advance(10_000);
    await bench.stop();
    const taken = timesOf(bench);
    const missing = bench.captured.filter((at) => !taken.includes(at));
    const [gap] = bench.published('profileGap:1.0.99.1.0.255');
    expect(JSON.parse(String(gap?.value))).toMatchObject({ kind: 'wrapped', missing: missing.length });
    expect(missing.length).toBeGreaterThan(300);
    expectEachRowRight(bench);
  });
});

test('a backfill is made of parts, and nothing is sent twice', async () => {
  const bench = followBench({ begin: Date.UTC(2026, 2, 1) });
  await bench.clock.advance(20 * 24 * HOUR);
  bench.start();
  await bench.clock.advance(10_000);
  expect(timesOf(bench)).toEqual(bench.captured);
  expect(bench.parts.length).toBeGreaterThanOrEqual(10);
  expect(Math.max(...bench.parts.map(({ rows }) => rows))).toBeLessThanOrEqual(193);
  const commits = bench.commits.length;
  await bench.restart();
  await bench.clock.advance(10_000);
  await bench.stop();
  expect(bench.commits.length).toBe(commits);
});

test('without a word about it a day is fetched', async () => {
  const bench = followBench({ begin: Date.UTC(2026, 2, 1), backfillFrom: Date.UTC(2026, 2, 3) });
  await bench.clock.advance(5 * 24 * HOUR);
  bench.start();
  await bench.clock.advance(10_000);
  await bench.stop();
  expect(timesOf(bench)[0]).toBe(Date.UTC(2026, 2, 3));
});

test('whatever happens, each row that the meter still had comes once and right', { timeout: 120_000 }, async () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('wait' as const), quarters: fc.integer({ min: 1, max: 400 }) }),
    fc.record({ do: fc.constant('fail' as const), jobs: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ do: fc.constant('restart' as const) }),
    // Shorter than a part: rows of the repeated hour that come after a longer gap stand alone in their part, and where
    // the meter keeps no summer bit nothing tells then which of the two hours they are of.
    fc.record({ do: fc.constant('gap' as const), quarters: fc.integer({ min: 1, max: PART_ROWS - 10 }) }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 8 }),
      fc.constantFrom<readonly number[]>([1, 2], [2], []),
      async (steps, selectors) => {
        const bench = followBench({ begin: Date.UTC(2026, 9, 20), selectors });
        await bench.clock.advance(QUARTER);
        bench.start();
        for (const one of steps) {
          if (one.do === 'wait') await bench.clock.advance(one.quarters * QUARTER);
          else if (one.do === 'fail') bench.state.failing = one.jobs;
          else if (one.do === 'restart') await bench.restart();
          else {
            bench.state.captures = false;
            await bench.clock.advance(one.quarters * QUARTER);
            bench.state.captures = true;
            await bench.clock.advance(2 * QUARTER);
          }
        }
        bench.state.failing = 0;
        await bench.clock.advance(3 * HOUR);
        await bench.restart();
        await bench.clock.advance(10_000);
        await bench.stop();
        expect(timesOf(bench)).toEqual(bench.captured);
        expectEachRowRight(bench);
        expect(happened(bench).filter((kind) => kind !== 'gap')).toEqual([]);
      },
    ),
    { numRuns: 15 },
  );
});
