/** Reading profiles: of a meter that answers as it is told, and of virtual meters over a line in memory. */
import { describe, expect, test } from 'vitest';
import { BridgeError } from '../../src/core/errors.ts';
import { type Data, dataBytes, parseData } from '../../src/dlms/axdr/data.ts';
import { cosemDateTimeOf, dateTimeBytes, dateTimeOf, isoText, utcOf } from '../../src/dlms/axdr/date-time.ts';
import {
  type CaptureObject,
  captureObjectData,
  DEFAULT_CLOCK,
  parseCaptureObject,
} from '../../src/dlms/cosem/profile-generic.ts';
import type { AccessSelection } from '../../src/dlms/xdlms/services.ts';
import { knowledgeOf } from '../../src/meter/knowledge.ts';
import { type Profile, readProfile } from '../../src/meter/profile.ts';
import type { ProfileSelection } from '../../src/meter/profile-access.ts';
import { type ProfileMeter, type ProfileMeterOptions, profileMeter } from '../support/profile-meter.ts';

const OBIS = '1.0.99.1.0.255';
const IMPORT: CaptureObject = { classId: 3, obis: '1.0.1.8.0.255', attribute: 2, dataIndex: 0 };
const COLUMNS = [DEFAULT_CLOCK, IMPORT];
const WATT_HOURS = { scaler: -1, unit: 30 };
const FIRST = Date.UTC(2024, 5, 15, 10);
const QUARTER = 900_000;

const time = (at: number, deviation: number | null = -120): Data => ({
  type: 'octet-string',
  value: dateTimeBytes({ ...cosemDateTimeOf(at, deviation ?? -120, 0x80), deviation }),
});
const number = (value: number): Data => ({ type: 'double-long-unsigned', value });
/** Four quarters of an hour: 1 to 4. */
const ROWS = [0, 1, 2, 3].map((index) => [time(FIRST + index * QUARTER), number(index + 1)]);
const NEWEST_FIRST = [...ROWS].reverse();

function meterWith(options: Partial<ProfileMeterOptions> = {}): ProfileMeter {
  const { attributes, clock, ...more } = options;
  return profileMeter({
    columns: COLUMNS,
    rows: ROWS,
    attributes: {
      4: number(900),
      5: { type: 'enum', value: 1 },
      6: captureObjectData(DEFAULT_CLOCK),
      7: number(4),
      ...attributes,
    },
    clock: {
      2: time(FIRST + 4 * QUARTER),
      3: { type: 'long', value: -60 },
      7: { type: 'integer', value: 60 },
      ...clock,
    },
    scalers: { '3:1.0.1.8.0.255': WATT_HOURS },
    ...more,
  });
}

function read({ session }: ProfileMeter, selection: ProfileSelection, knowledge = knowledgeOf(new Map())) {
  return readProfile(session, OBIS, selection, knowledge);
}

/** The registers of the rows: 1 to 4. */
function numbersIn({ rows }: Profile): unknown[] {
  return rows.map(({ values }) => (values.at(-1) as { readonly value: number }).value);
}

/** How a range was asked for: the object it goes by, the bounds, whether their deviation was sent. */
function rangeOf({ parameters }: AccessSelection) {
  const [restricting, ...bounds] = (parameters as { readonly value: readonly Data[] }).value;
  const [from, to] = bounds.slice(0, 2).map((bound) => dateTimeOf(bound)!);
  return {
    restricting: parseCaptureObject(restricting!)?.obis,
    from: isoText(from!),
    to: isoText(to!),
  };
}

function entriesOf({ parameters }: AccessSelection): unknown[] {
  return (parameters as { readonly value: readonly { readonly value: number }[] }).value.map(({ value }) => value);
}

describe('quirks', () => {
  const RANGE: ProfileSelection = { kind: 'range', from: FIRST + QUARTER, to: FIRST + 2 * QUARTER };
  const bounds = (selection: AccessSelection | undefined): (string | null)[] => {
    const parameters = selection?.parameters;
    const [, from, to] = parameters?.type === 'structure' ? parameters.value : [];
    return [from, to].map((bound) =>
      bound === undefined ? null : isoText(dateTimeOf(bound) ?? cosemDateTimeOf(0, 0)),
    );
  };

  test('no-selective-access: the meter is not asked to select, the rows are the same', async () => {
    const meter = meterWith({ select: () => NEWEST_FIRST, quirks: { noSelectiveAccess: true } });
    expect(numbersIn(await read(meter, RANGE))).toEqual([2, 3]);
    expect(numbersIn(await read(meter, { kind: 'last', count: 1 }))).toEqual([4]);
    expect(numbersIn(await read(meter, { kind: 'entries', first: 2, last: 2 }))).toEqual([2]);
    expect(meter.selections).toEqual([]);
  });

  test('range-without-deviation: no bound carries one', async () => {
    const meter = meterWith({ select: () => ROWS, quirks: { rangeWithoutDeviation: true } });
    expect(numbersIn(await read(meter, RANGE))).toEqual([2, 3]);
    expect(meter.selections).toHaveLength(1);
    for (const bound of bounds(meter.selections[0])) expect(bound).not.toMatch(/[+Z-]\d\d:\d\d$|Z$/);
  });

  test('inverted-deviation: rows are at the instants that are meant, bounds in the words of the meter', async () => {
    const inverted = ROWS.map((row, index) => [
      {
        type: 'octet-string',
        value: dateTimeBytes({ ...cosemDateTimeOf(FIRST + index * QUARTER, -120, 0x80), deviation: 120 }),
      } as Data,
      row[1]!,
    ]);
    const clock = {
      type: 'octet-string',
      value: dateTimeBytes({ ...cosemDateTimeOf(FIRST + 4 * QUARTER, -120, 0x80), deviation: 120 }),
    } as Data;
    const meter = meterWith({
      rows: inverted,
      select: () => inverted,
      clock: { 2: clock, 3: { type: 'long', value: 60 } },
      quirks: { invertedDeviation: true },
    });
    const { rows, invertedDeviation } = await read(meter, RANGE);
    expect(rows.map(({ at }) => at)).toEqual([FIRST + QUARTER, FIRST + 2 * QUARTER]);
    expect(invertedDeviation).toBe(true);
    expect(bounds(meter.selections[0])).toEqual(['2024-06-15T12:15:00-02:00', '2024-06-15T12:30:00-02:00']);
  });
});

describe('what is asked', () => {
  test('definition and clock at once, the scalers at once, the rows', async () => {
    const meter = meterWith();
    const knowledge = knowledgeOf(new Map());
    const profile = await read(meter, { kind: 'all' }, knowledge);
    expect(meter.asked).toEqual([
      [...[3, 4, 5, 6, 7, 8].map((id) => `7:${OBIS}:${id}`), ...[2, 3, 7].map((id) => `8:0.0.1.0.0.255:${id}`)],
      ['3:1.0.1.8.0.255:3'],
      [`7:${OBIS}:2`],
    ]);
    expect(profile).toMatchObject({ capturePeriod: 900, sortMethod: 'fifo' });
    expect(profile.columns).toEqual([
      { ...DEFAULT_CLOCK, scalerUnit: null, scalerError: null },
      { ...IMPORT, scalerUnit: WATT_HOURS, scalerError: null },
    ]);
    expect(profile.rows.map(({ at }) => at)).toEqual([0, 1, 2, 3].map((index) => FIRST + index * QUARTER));
    expect(numbersIn(profile)).toEqual([1, 2, 3, 4]);
    expect(profile.learned.map(({ kind }) => kind)).toEqual(['scaler-unit:3:1.0.1.8.0.255']);
    expect(knowledge.scalerUnits.get('3:1.0.1.8.0.255')).toEqual(WATT_HOURS);
  });

  test('a scaler that is known is not asked for', async () => {
    const meter = meterWith();
    const kept = new Map([['scaler-unit:3:1.0.1.8.0.255', JSON.stringify(WATT_HOURS)]]);
    const profile = await read(meter, { kind: 'all' }, knowledgeOf(kept));
    expect(meter.asked).toHaveLength(2);
    expect(profile.learned).toEqual([]);
    expect(profile.columns[1]?.scalerUnit).toEqual(WATT_HOURS);
  });

  test('a scaler that is refused spoils its column only, and says why', async () => {
    const meter = meterWith({ scalers: { '3:1.0.1.8.0.255': 3 } });
    const profile = await read(meter, { kind: 'all' });
    expect(profile.columns[1]).toMatchObject({
      scalerUnit: null,
      scalerError: { code: 'DATA_ACCESS_READ_WRITE_DENIED' },
    });
    expect(profile.rows).toHaveLength(4);
    expect(profile.learned).toEqual([]);
  });

  test('attribute index 0 of a register has the scaler of its value', async () => {
    const meter = meterWith({ columns: [DEFAULT_CLOCK, { ...IMPORT, attribute: 0 }] });
    const profile = await read(meter, { kind: 'all' });
    expect(profile.columns[1]?.scalerUnit).toEqual(WATT_HOURS);
  });

  test.each([
    ['there is no such profile', { attributes: { 3: 4 } }, 'DATA_ACCESS_OBJECT_UNDEFINED'],
    ['the capture objects are none', { attributes: { 3: number(1) } }, 'MALFORMED'],
    ['rows have another number of values', { columns: [DEFAULT_CLOCK] }, 'MALFORMED'],
  ] as const)('%s', async (_, options, code) => {
    await expect(read(meterWith(options), { kind: 'all' })).rejects.toMatchObject({ code });
  });

  test('what a meter does not tell of its profile is taken for the simplest', async () => {
    const meter = meterWith({ attributes: { 4: 3, 5: 3, 6: 3, 7: 3 }, clock: { 2: 3, 3: 3, 7: 3 } });
    const profile = await read(meter, { kind: 'last', count: 2 });
    expect(profile).toMatchObject({ capturePeriod: 0, sortMethod: 'fifo' });
    expect(numbersIn(profile)).toEqual([3, 4]);
    expect(meter.selections).toEqual([]);
  });
});

describe('by range', () => {
  const range = { kind: 'range', from: FIRST + QUARTER, to: FIRST + 2 * QUARTER } as const;

  test('asks in the deviation of the clock; both bounds are in, what is too much is left out', async () => {
    const meter = meterWith({ select: () => ROWS });
    expect(numbersIn(await read(meter, range))).toEqual([2, 3]);
    expect(meter.selections.map(rangeOf)).toEqual([
      { restricting: '0.0.1.0.0.255', from: '2024-06-15T12:15:00+02:00', to: '2024-06-15T12:30:00+02:00' },
    ]);
  });

  test('goes by the sort object, wherever its column is', async () => {
    const clock = { ...DEFAULT_CLOCK, obis: '0.1.1.0.0.255' };
    const meter = meterWith({
      columns: [IMPORT, DEFAULT_CLOCK, clock],
      attributes: { 6: captureObjectData(clock) },
      select: () => [],
    });
    await read(meter, range);
    expect(meter.selections.map(rangeOf)).toMatchObject([{ restricting: '0.1.1.0.0.255' }]);
  });

  test('a meter that wants no deviation is asked without, in its local time of summer and winter', async () => {
    const meter = meterWith({
      rows: [],
      select: ({ parameters }) => ([...dataBytes(parameters)].includes(0x88) ? 12 : ROWS),
    });
    expect(numbersIn(await read(meter, range))).toEqual([2, 3]);
    expect(meter.selections.map(rangeOf)).toEqual([
      { restricting: '0.0.1.0.0.255', from: '2024-06-15T12:15:00+02:00', to: '2024-06-15T12:30:00+02:00' },
      { restricting: '0.0.1.0.0.255', from: '2024-06-15T11:15:00', to: '2024-06-15T12:30:00' },
    ]);
  });

  test.each([
    [3, 'read-write-denied'],
    [11, 'object-unavailable'],
    [13, 'scope-of-access-violated'],
    [250, 'other-reason'],
  ])('a meter without selective access, which it refuses with %i (%s), gives the whole buffer', async (code) => {
    const meter = meterWith({ select: () => code });
    expect(numbersIn(await read(meter, range))).toEqual([2, 3]);
    expect(meter.asked.slice(2)).toEqual([[`7:${OBIS}:2/1`], [`7:${OBIS}:2/1`], [`7:${OBIS}:2`]]);
  });

  test.each([
    ['SERVICE_NOT_GRANTED', 0],
    ['SERVICE_ERROR', 0],
    // The association is lost to it, and made again each time.
    ['EXCEPTION_RESPONSE', 2],
  ] as const)('so does one that answers with %s', async (code, associations) => {
    const meter = meterWith({ select: () => new BridgeError(code, 'no') });
    expect(numbersIn(await read(meter, range))).toEqual([2, 3]);
    expect(meter.associations()).toBe(associations);
  });

  test.each([
    [1, 'DATA_ACCESS_HARDWARE_FAULT'],
    [4, 'DATA_ACCESS_OBJECT_UNDEFINED'],
    [2, 'DATA_ACCESS_TEMPORARY_FAILURE'],
  ])('a refusal with %i has nothing to do with selective access', async (answer, code) => {
    await expect(read(meterWith({ select: () => answer }), range)).rejects.toMatchObject({ code });
  });

  test('a line that breaks ends it', async () => {
    const meter = meterWith({ select: () => new BridgeError('METER_TIMEOUT', 'silence') });
    await expect(read(meter, range)).rejects.toMatchObject({ code: 'METER_TIMEOUT' });
    expect(meter.selections).toHaveLength(1);
  });

  test('a whole buffer without clock cannot be filtered', async () => {
    const meter = meterWith({ columns: [IMPORT], rows: [[number(1)]], select: () => 13 });
    await expect(read(meter, range)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });

  test('rows without time are believed when the meter chose them', async () => {
    const meter = meterWith({ columns: [IMPORT], select: () => [[number(7)]] });
    expect(numbersIn(await read(meter, range))).toEqual([7]);
  });

  test('rows without deviation take the zone of the clock, summer time by their status', async () => {
    const rows = ROWS.map(([, value], index) => [time(FIRST + index * QUARTER, null), value!]);
    const meter = meterWith({ rows, select: () => rows });
    const profile = await read(meter, range);
    expect(profile.rows.map(({ at }) => at)).toEqual([FIRST + QUARTER, FIRST + 2 * QUARTER]);
  });

  test('the zone of a clock without deviation is its time_zone', async () => {
    const rows = ROWS.map(([, value], index) => [time(FIRST + index * QUARTER, null), value!]);
    const meter = meterWith({ rows, clock: { 2: time(FIRST, null) }, select: () => rows });
    const profile = await read(meter, range);
    expect(profile.rows.map(({ at }) => at)).toEqual([FIRST + QUARTER, FIRST + 2 * QUARTER]);
    expect(rangeOf(meter.selections[0]!).from).toBe('2024-06-15T12:15:00+02:00');
  });

  test('bounds name the moments that were meant', async () => {
    const meter = meterWith({ select: () => [] });
    await read(meter, { kind: 'range', from: FIRST + 10, to: FIRST + 990 });
    const [, from, to] = (meter.selections[0]!.parameters as { readonly value: readonly Data[] }).value;
    expect([from, to].map((bound) => utcOf(dateTimeOf(parseData(dataBytes(bound!)))!))).toEqual([
      FIRST + 10,
      FIRST + 990,
    ]);
  });
});

describe('by entries', () => {
  test('as the meter counts them', async () => {
    const meter = meterWith({ select: () => ROWS.slice(1, 3) });
    expect(numbersIn(await read(meter, { kind: 'entries', first: 2, last: 3 }))).toEqual([2, 3]);
    expect(meter.selections).toMatchObject([{ selector: 2 }]);
    expect(entriesOf(meter.selections[0]!)).toEqual([2, 3, 1, 0]);
  });

  test.each([
    [2, 3, [2, 3]],
    [3, 0, [3, 4]],
    [4, 9, [4]],
    [9, 0, []],
  ])('%i to %i of a meter without selective access', async (first, last, numbers) => {
    expect(numbersIn(await read(meterWith(), { kind: 'entries', first, last }))).toEqual(numbers);
  });
});

describe('the last ones', () => {
  test.each([
    [1, 4],
    [3, 2],
    [4, 1],
    [100, 1],
  ])('%i of four are those from entry %i to the end', async (count, first) => {
    const meter = meterWith({ select: () => ROWS.slice(first - 1) });
    expect(numbersIn(await read(meter, { kind: 'last', count }))).toEqual([1, 2, 3, 4].slice(first - 1));
    expect(entriesOf(meter.selections[0]!)).toEqual([first, 0, 1, 0]);
  });

  test('of a lifo buffer stand at its beginning, and come newest first', async () => {
    const meter = meterWith({
      attributes: { 5: { type: 'enum', value: 2 } },
      rows: NEWEST_FIRST,
      select: () => NEWEST_FIRST.slice(0, 2),
    });
    expect(numbersIn(await read(meter, { kind: 'last', count: 2 }))).toEqual([4, 3]);
    expect(entriesOf(meter.selections[0]!)).toEqual([1, 2, 1, 0]);
  });

  test.each([
    ['fifo', 1, ROWS, [3, 4]],
    ['lifo', 2, NEWEST_FIRST, [4, 3]],
  ] as const)('of a meter without selective access, %s', async (_, method, rows, numbers) => {
    const meter = meterWith({ attributes: { 5: { type: 'enum', value: method } }, rows });
    expect(numbersIn(await read(meter, { kind: 'last', count: 2 }))).toEqual(numbers);
  });

  test('a row captured while we asked is one of them', async () => {
    const meter = meterWith({ select: () => [...ROWS.slice(2), [time(FIRST + 4 * QUARTER), number(5)]] });
    expect(numbersIn(await read(meter, { kind: 'last', count: 2 }))).toEqual([4, 5]);
  });
});
