/** A long profile in portions: the same rows as at once, and the line is free between them. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ProfileDocument, profile } from '../../src/command/profile.ts';
import type { DescribedRow } from '../../src/command/profile-document.ts';
import { PORTION_ROWS, portionCount, portionsOf } from '../../src/command/profile-portions.ts';
import type { MeterWork } from '../../src/command/work.ts';
import { knowledgeOf } from '../../src/meter/knowledge.ts';
import type { ProfileSelection } from '../../src/meter/profile-access.ts';
import { type Conversation, conversation } from '../support/conversation.ts';

const LOAD = '1.0.99.1.0.255';
const QUARTER_MS = 900_000;
const TO = Date.UTC(2026, 9, 25, 1);
const MONTH = { kind: 'range', from: TO - 30 * 86_400_000, to: TO } as const;

interface Told extends ProfileDocument {
  readonly jobs: number;
  readonly progress: readonly string[];
}

async function told(line: Conversation, selection: ProfileSelection): Promise<Told> {
  let jobs = 0;
  const progress: string[] = [];
  const portions: DescribedRow[] = [];
  const work: MeterWork = {
    clock: line.clock,
    knowledge: knowledgeOf(new Map()),
    job(run) {
      jobs += 1;
      return line.run(run);
    },
    beginActing: () => Promise.reject(new Error('a profile changes nothing')),
    keep: async () => undefined,
    async portion(rows, text) {
      portions.push(...(rows as unknown as DescribedRow[]));
      progress.push(text);
    },
  };
  const document = await profile(work, { verb: 'profile', obis: LOAD, selection });
  return { ...document, rows: [...portions, ...document.rows], jobs, progress };
}

const instants = ({ rows }: Told): (number | null)[] => rows.map(({ ts }) => (ts === null ? null : Date.parse(ts)));

test.each(['fifo', 'lifo'] as const)('a month, %s: every row once, in the order of the buffer', async (order) => {
  const line = await conversation({ profiles: { order }, maxPdu: 2000 });
  const truth = line.meters.profileRows(0, LOAD, MONTH.from, MONTH.to).map(({ at }) => at);
  const read = await told(line, MONTH);
  expect(instants(read)).toEqual(order === 'lifo' ? [...truth].reverse() : truth);
  expect(truth.length).toBe(30 * 96 + 1);
  expect(read.jobs).toBe(Math.ceil(truth.length / PORTION_ROWS));
  expect(read.progress.at(-1)).toBe(`${truth.length} rows, portion ${read.jobs} of ${read.jobs}`);
  await line.end();
});

test('what lies before the oldest row and after the newest costs nothing', async () => {
  const line = await conversation({ maxPdu: 8000 });
  const truth = line.meters.profileRows(0, LOAD).map(({ at }) => at);
  const read = await told(line, { kind: 'range', from: Date.UTC(2000, 0, 1), to: Date.UTC(2099, 0, 1) });
  expect(instants(read)).toEqual(truth);
  expect(read.jobs).toBeLessThanOrEqual(Math.ceil(truth.length / PORTION_ROWS) + 1);
  await line.end();
}, 60_000);

test('a short range, entries and the last rows are one job', async () => {
  const line = await conversation();
  for (const selection of [
    { kind: 'range', from: TO - 10 * QUARTER_MS, to: TO },
    { kind: 'last', count: 3 },
    { kind: 'entries', first: 1, last: 4 },
  ] as const) {
    expect(await told(line, selection)).toMatchObject({ jobs: 1, progress: [] });
  }
  await line.end();
});

test('portions hold every moment of the range once, and none is too long', () => {
  const moment = fc.integer({ min: 0, max: 40 * PORTION_ROWS }).map((quarters) => TO + quarters * QUARTER_MS);
  fc.assert(
    fc.property(moment, moment, moment, moment, (a, b, c, d) => {
      const range = { kind: 'range', from: Math.min(a, b), to: Math.max(a, b) } as const;
      const extent = { oldest: Math.min(c, d), newest: Math.max(c, d) };
      const portions = portionsOf(range, 900, extent);
      const from = Math.max(range.from, extent.oldest);
      const to = Math.min(range.to, extent.newest);
      for (let at = from; at <= to; at += QUARTER_MS) {
        expect(portions.filter((portion) => portion.from <= at && at <= portion.to)).toHaveLength(1);
      }
      for (const portion of portions.slice(0, -1)) expect(portionCount(portion, 900)).toBe(1);
      expect(portions.every((portion) => portion.from >= range.from && portion.to <= range.to)).toBe(true);
    }),
    { numRuns: 50 },
  );
});
