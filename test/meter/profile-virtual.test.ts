/** Profiles of virtual meters over a line in memory: what is read is what they recorded, whatever way it takes. */
import { describe, expect, test } from 'vitest';
import { decimalText } from '../../src/core/decimal.ts';
import { type CosemValue, cosemValue } from '../../src/dlms/cosem/data-value.ts';
import { isClockColumn } from '../../src/dlms/cosem/profile-generic.ts';
import { callMethod } from '../../src/meter/changes.ts';
import { knowledgeOf } from '../../src/meter/knowledge.ts';
import { type Profile, readProfile } from '../../src/meter/profile.ts';
import type { ProfileSelection } from '../../src/meter/profile-access.ts';
import { type Conversation, conversation } from '../support/conversation.ts';

const LOAD = '1.0.99.1.0.255';
const DAILY = '1.0.98.1.0.255';
const EVENTS = '0.0.99.98.0.255';
const DAY_MS = 86_400_000;
/** The night in which summer time ends in much of Europe. */
const FROM = Date.UTC(2026, 9, 24, 23);
const TO = Date.UTC(2026, 9, 25, 1);

function readWith(line: Conversation, obis: string, selection: ProfileSelection) {
  const knowledge = knowledgeOf(new Map());
  return line.run((session) => readProfile(session, obis, selection, knowledge));
}

/** As the meter's own truth has it. */
function rowsIn({ columns, rows }: Profile) {
  return rows.map(({ at, values }) => ({
    at,
    values: values.map((value, index) => {
      const column = columns[index]!;
      return plain(cosemValue(value, { scaler: column.scalerUnit?.scaler ?? 0, dateTime: isClockColumn(column) }));
    }),
  }));
}

function plain(value: CosemValue): string {
  return typeof value === 'object' && value !== null && 'exponent' in value ? decimalText(value) : String(value);
}

describe.each(['wrapper', 'hdlc'] as const)('%s', (framing) => {
  describe.each([false, true])('compressed: %s', (compressed) => {
    test.each(['fifo', 'lifo'] as const)('%s', async (order) => {
      const line = await conversation({ framing, profiles: { compressed, order }, maxPdu: 200 });
      const inOrder = <T>(rows: readonly T[]): readonly T[] => (order === 'lifo' ? [...rows].reverse() : rows);
      for (const obis of [LOAD, DAILY]) {
        const period = obis === LOAD ? 1 : 30;
        const from = FROM - period * DAY_MS;
        const truth = line.meters.profileRows(0, obis, from, TO);
        expect(truth.length).toBeGreaterThan(25);
        expect(rowsIn(await readWith(line, obis, { kind: 'range', from, to: TO }))).toEqual(inOrder(truth));
        const newest = line.meters.profileRows(0, obis).slice(-5);
        expect(rowsIn(await readWith(line, obis, { kind: 'last', count: 5 }))).toEqual(inOrder(newest));
      }
      await line.end();
    });
  });
});

test('both bounds are inclusive', async () => {
  const line = await conversation();
  const at = async (from: number, to: number): Promise<readonly (number | null)[]> =>
    (await readWith(line, LOAD, { kind: 'range', from, to })).rows.map((row) => row.at);
  const quarter = 900_000;
  expect(await at(FROM, FROM + quarter)).toEqual([FROM, FROM + quarter]);
  expect(await at(FROM, FROM)).toEqual([FROM]);
  expect(await at(FROM + 10, FROM + quarter - 10)).toEqual([]);
  await line.end();
});

test('entries are the same rows as in the whole', async () => {
  const line = await conversation();
  const whole = rowsIn(await readWith(line, DAILY, { kind: 'all' }));
  expect(whole).toEqual(line.meters.profileRows(0, DAILY));
  expect(rowsIn(await readWith(line, DAILY, { kind: 'entries', first: 3, last: 7 }))).toEqual(whole.slice(2, 7));
  expect(rowsIn(await readWith(line, DAILY, { kind: 'entries', first: whole.length, last: 0 }))).toEqual(
    whole.slice(-1),
  );
  await line.end();
});

test('a year of quarters of an hour in blocks', async () => {
  const line = await conversation({ maxPdu: 8000 });
  const truth = line.meters.profileRows(0, LOAD);
  const profile = await readWith(line, LOAD, { kind: 'all' });
  expect(profile.rows).toHaveLength(truth.length);
  expect(truth.length).toBeGreaterThan(365 * 96);
  expect(profile.rows.at(-1)?.at).toBe(truth.at(-1)?.at);
  await line.end();
}, 60_000);

test('three round trips, and two once the scalers are known', async () => {
  const line = await conversation();
  const knowledge = knowledgeOf(new Map());
  const trips = () =>
    line.run(async (session) => {
      const before = session.counts.roundTrips;
      await readProfile(session, LOAD, { kind: 'last', count: 4 }, knowledge);
      return session.counts.roundTrips - before;
    });
  expect([await trips(), await trips()]).toEqual([3, 2]);
  await line.end();
});

test('an event log: captured on occasion, no register, none of it a status', async () => {
  const line = await conversation();
  await line.run((session) =>
    callMethod(session, { classId: 70, instanceId: '0.0.96.3.10.255', methodId: 1 }, { type: 'integer', value: 0 }),
  );
  const profile = await readWith(line, EVENTS, { kind: 'all' });
  expect(profile).toMatchObject({ capturePeriod: 0 });
  expect(rowsIn(profile)).toEqual(line.meters.profileRows(0, EVENTS));
  expect(profile.rows.at(-1)?.values[1]).toEqual({ type: 'unsigned', value: 62 });
  await line.end();
});

test('there is no such profile, and no profile of that name', async () => {
  const line = await conversation();
  await expect(readWith(line, '1.0.99.99.0.255', { kind: 'all' })).rejects.toMatchObject({
    code: 'DATA_ACCESS_OBJECT_UNDEFINED',
  });
  await expect(readWith(line, '1.0.1.8.0.255', { kind: 'all' })).rejects.toMatchObject({
    code: 'DATA_ACCESS_OBJECT_CLASS_INCONSISTENT',
  });
  await line.end();
});
