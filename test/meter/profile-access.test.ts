/** Ways to a part of a profile: by range, by entries counted back, whole; and that what is refused is remembered. */
import { describe, expect, test } from 'vitest';
import { BridgeError } from '../../src/core/errors.ts';
import type { Data } from '../../src/dlms/axdr/data.ts';
import { cosemDateTimeOf, dateTimeBytes } from '../../src/dlms/axdr/date-time.ts';
import { captureObjectData, DEFAULT_CLOCK } from '../../src/dlms/cosem/profile-generic.ts';
import type { AccessSelection } from '../../src/dlms/xdlms/services.ts';
import { type Knowledge, knowledgeOf } from '../../src/meter/knowledge.ts';
import { readProfile } from '../../src/meter/profile.ts';
import { type ProfileMeter, type ProfileMeterOptions, profileMeter } from '../support/profile-meter.ts';

const OBIS = '1.0.99.1.0.255';
const IMPORT = { classId: 1, obis: '0.0.96.50.0.255', attribute: 2, dataIndex: 0 };
const QUARTER = 900_000;
const NOW = Date.UTC(2026, 5, 15, 12);
const BY_RANGE = 1;
const SCOPE_VIOLATED = 13;

const time = (at: number, deviation: number | null = 0, status = 0): Data => ({
  type: 'octet-string',
  value: dateTimeBytes({ ...cosemDateTimeOf(at, deviation ?? 0, status), deviation }),
});
const number = (value: number): Data => ({ type: 'double-long-unsigned', value });

/** Rows numbered from 1, the last one captured now; `lost` are missing. */
function rowsUntilNow(count: number, lost: (index: number) => boolean = () => false): (readonly Data[])[] {
  return Array.from({ length: count }, (_, index) => index + 1)
    .filter((index) => !lost(index))
    .map((index) => [time(NOW - (count - index) * QUARTER), number(index)]);
}

/** A meter that knows selection by entries only. */
function entriesOnly(rows: readonly (readonly Data[])[], options: Partial<ProfileMeterOptions> = {}): ProfileMeter {
  return profileMeter({
    columns: [DEFAULT_CLOCK, IMPORT],
    rows,
    attributes: {
      4: number(900),
      5: { type: 'enum', value: 1 },
      6: captureObjectData(DEFAULT_CLOCK),
      7: number(rows.length),
      8: number(1000),
    },
    clock: { 2: time(NOW) },
    select: (selection) => (selection.selector === BY_RANGE ? SCOPE_VIOLATED : entriesIn(rows, selection)),
    ...options,
  });
}

function entriesIn(rows: readonly (readonly Data[])[], { parameters }: AccessSelection) {
  const [first = 1, last = 0] = (parameters as { readonly value: readonly { readonly value: number }[] }).value.map(
    ({ value }) => value,
  );
  return rows.slice(first - 1, last === 0 ? undefined : last);
}

const since = (rows: number) => ({ kind: 'range', from: NOW - (rows - 1) * QUARTER, to: NOW }) as const;

async function numbers(meter: ProfileMeter, rows: number, knowledge: Knowledge = knowledgeOf(new Map())) {
  const profile = await readProfile(meter.session, OBIS, since(rows), knowledge);
  return profile.rows.map(({ values }) => (values[1] as { value: number }).value);
}

function waysOf({ asked }: ProfileMeter): string[] {
  return asked
    .flat()
    .filter((attribute) => attribute.startsWith(`7:${OBIS}:2`))
    .map((text) => text.slice(-2));
}

describe('a range of a meter that knows entries only', () => {
  test('is counted back from the newest, no more than needed', async () => {
    const meter = entriesOnly(rowsUntilNow(100));
    expect(await numbers(meter, 3)).toEqual([98, 99, 100]);
    expect(waysOf(meter)).toEqual(['/1', '/1', '/2']);
    expect(entriesIn(rowsUntilNow(100), meter.selections[2]!).length).toBeLessThan(7);
  });

  test('of a lifo buffer from the beginning', async () => {
    const rows = rowsUntilNow(100).reverse();
    const attributes = { 4: number(900), 5: { type: 'enum', value: 2 } as const, 7: number(100) };
    expect(await numbers(entriesOnly(rows, { attributes }), 3)).toEqual([100, 99, 98]);
  });

  test('rows of which there are more than the period makes take another round', async () => {
    // The clock was set back: twice as many rows in the time.
    const rows = rowsUntilNow(100).map(([, value], index) => [
      time(NOW - Math.floor((99 - index) / 2) * QUARTER),
      value!,
    ]);
    const meter = entriesOnly(rows);
    expect(await numbers(meter, 10)).toHaveLength(20);
    expect(waysOf(meter)).toEqual(['/1', '/1', '/2', '/2']);
  });

  test('missing rows do no harm', async () => {
    const meter = entriesOnly(rowsUntilNow(100, (index) => index > 50 && index < 99));
    expect(await numbers(meter, 3)).toEqual([99, 100]);
  });

  test('so long a range that it is the whole is read whole', async () => {
    const meter = entriesOnly(rowsUntilNow(10));
    expect(await numbers(meter, 10)).toHaveLength(10);
    expect(waysOf(meter)).toEqual(['/1', '/1', ':2']);
  });

  test.each([
    ['rows on occasion', { attributes: { 4: number(0), 5: { type: 'enum', value: 1 } as const, 7: number(100) } }],
    ['no count of rows', { attributes: { 4: number(900), 5: { type: 'enum', value: 1 } as const } }],
    ['no time', { clock: {} }],
    ['rows by size', { attributes: { 4: number(900), 5: { type: 'enum', value: 3 } as const, 7: number(100) } }],
  ])('with %s nothing can be counted', async (_, options) => {
    const meter = entriesOnly(rowsUntilNow(100), options);
    expect(await numbers(meter, 3)).toEqual([98, 99, 100]);
    expect(waysOf(meter)).toEqual(['/1', '/1', ':2']);
  });
});

describe('what is refused', () => {
  test('is remembered by this process, and by those after it', async () => {
    const knowledge = knowledgeOf(new Map());
    const first = entriesOnly(rowsUntilNow(100));
    const { learned } = await readProfile(first.session, OBIS, since(3), knowledge);
    expect(learned).toEqual([{ kind: `profile-access:${OBIS}`, json: '["range","range-local"]' }]);

    const second = entriesOnly(rowsUntilNow(100));
    expect(await numbers(second, 3, knowledge)).toEqual([98, 99, 100]);
    expect(waysOf(second)).toEqual(['/2']);

    const third = entriesOnly(rowsUntilNow(100));
    const kept = knowledgeOf(new Map(learned.map(({ kind, json }) => [kind, json])));
    expect((await readProfile(third.session, OBIS, since(3), kept)).learned).toEqual([]);
    expect(waysOf(third)).toEqual(['/2']);
  });

  test('of one profile says nothing of another', async () => {
    const knowledge = knowledgeOf(new Map());
    knowledge.profileAccess.set('1.0.99.2.0.255', new Set(['range', 'range-local', 'entries']));
    const meter = entriesOnly(rowsUntilNow(100));
    await numbers(meter, 3, knowledge);
    expect(waysOf(meter)).toEqual(['/1', '/1', '/2']);
  });

  test('is not remembered when nothing else worked either, nor when it was only not granted', async () => {
    const knowledge = knowledgeOf(new Map());
    const broken = entriesOnly(rowsUntilNow(100), { columns: [DEFAULT_CLOCK], select: () => SCOPE_VIOLATED });
    await expect(readProfile(broken.session, OBIS, since(3), knowledge)).rejects.toMatchObject({ code: 'MALFORMED' });
    expect(knowledge.profileAccess.size).toBe(0);
    const ungranted = entriesOnly(rowsUntilNow(100), { select: () => new BridgeError('SERVICE_NOT_GRANTED', 'no') });
    expect(await numbers(ungranted, 3, knowledge)).toEqual([98, 99, 100]);
    expect(knowledge.profileAccess.size).toBe(0);
  });
});

test('times without deviation take the configured zone, before what the clock tells', async () => {
  // The autumn hour in Madrid, each pass of it with 02:30; the meter keeps no status.
  const open = (hour: number): Data => ({
    type: 'octet-string',
    value: dateTimeBytes({
      ...cosemDateTimeOf(Date.UTC(2026, 9, 25, hour, 30), 0),
      deviation: null,
      clockStatus: null,
    }),
  });
  const rows = [2, 2, 3].map((hour, index) => [open(hour), number(index + 1)]);
  const meter = entriesOnly(rows, { timeZone: 'Europe/Madrid', clock: { 2: open(4), 3: { type: 'long', value: 0 } } });
  const { rows: read, meterTime } = await readProfile(meter.session, OBIS, { kind: 'all' }, knowledgeOf(new Map()));
  expect(read.map(({ at }) => at)).toEqual([0, 1, 2].map((hour) => Date.UTC(2026, 9, 25, hour, 30)));
  expect(meterTime).toBe(Date.UTC(2026, 9, 25, 3, 30));
});
