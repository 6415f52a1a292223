/** Profiles: capture objects and selectors byte by byte; buffers with all that meters leave out of them. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex } from '../../src/core/bytes.ts';
import { type Data, dataBytes, parseData } from '../../src/dlms/axdr/data.ts';
import { cosemDateTimeOf, dateTimeBytes, isoText } from '../../src/dlms/axdr/date-time.ts';
import { NULL_DATA, rangeOf } from '../../src/dlms/axdr/scalar.ts';
import { type BufferShape, profileRows } from '../../src/dlms/cosem/profile-buffer.ts';
import {
  type CaptureObject,
  captureObjectData,
  DEFAULT_CLOCK,
  entrySelection,
  isClockColumn,
  isStatusColumn,
  parseCaptureObject,
  parseCaptureObjects,
  parseSortMethod,
  rangeSelection,
  restrictingObject,
} from '../../src/dlms/cosem/profile-generic.ts';
import { obis } from './arbitraries.ts';

const captureObject: fc.Arbitrary<CaptureObject> = fc.record({
  classId: fc.integer({ min: 1, max: 0xffff }),
  obis,
  attribute: fc.integer({ min: -128, max: 127 }),
  dataIndex: fc.nat(0xffff),
});

const STATUS: CaptureObject = { classId: 1, obis: '0.0.96.10.1.255', attribute: 2, dataIndex: 0 };
const IMPORT: CaptureObject = { classId: 3, obis: '1.0.1.8.0.255', attribute: 2, dataIndex: 0 };

describe('capture objects', () => {
  test('clock, status and register of a real load profile', () => {
    const octets = fromHex(
      `0103
       0204 120008 09060000010000ff 0f02 120000
       0204 120001 0906000060 0a01ff 0f02 120000
       0204 120003 09060100010800ff 0f02 120000`,
    );
    const columns = parseCaptureObjects(parseData(octets));
    expect(columns).toEqual([DEFAULT_CLOCK, STATUS, IMPORT]);
    expect(columns.map(isClockColumn)).toEqual([true, false, false]);
    expect(columns.map(isStatusColumn)).toEqual([false, true, false]);
    expect(toHex(dataBytes({ type: 'array', value: columns.map(captureObjectData) }))).toBe(toHex(octets));
  });

  test('attribute index 0 is taken', () => {
    const [column] = parseCaptureObjects(parseData(fromHex('0101 0204 120008 09060000010000ff 0f00 120000')));
    expect(column).toEqual({ ...DEFAULT_CLOCK, attribute: 0 });
    expect(isClockColumn(column!)).toBe(true);
  });

  test('a data index that is left out is 0', () => {
    const [column] = parseCaptureObjects(parseData(fromHex('0101 0203 120003 09060100010800ff 0f02')));
    expect(column).toEqual(IMPORT);
  });

  test.each([
    ['no array', '00'],
    ['an entry that is none', '0102 0204 120008 09060000010000ff 0f02 120000 1105'],
    ['a logical name of five octets', '0101 0204 120008 090500000100ff 0f02 120000'],
    ['an object of class 0', '0101 0204 120000 0906000000000000 0f00 120000'],
  ])('%s: none of them is believed', (_, octets) => {
    expect(() => parseCaptureObjects(parseData(fromHex(octets)))).toThrow(
      expect.objectContaining({ code: 'MALFORMED' }),
    );
  });

  test('the null object of an unsorted profile sorts by nothing', () => {
    expect(parseCaptureObject(parseData(fromHex('0204 120000 0906000000000000 0f00 120000')))).toBeNull();
    expect(parseCaptureObject(NULL_DATA)).toBeNull();
  });

  test.each([
    [1, 'fifo'],
    [2, 'lifo'],
    [3, 'largest'],
    [6, 'farthest-from-zero'],
    [9, 'fifo'],
  ] as const)('sort_method %i is %s', (value, name) => {
    expect(parseSortMethod({ type: 'enum', value })).toBe(name);
  });

  test('any of them survives encoding', () => {
    fc.assert(
      fc.property(captureObject, (object) => {
        expect(parseCaptureObject(parseData(dataBytes(captureObjectData(object))))).toEqual(object);
      }),
    );
  });
});

describe('selective access', () => {
  const from = Date.UTC(2024, 5, 15, 0, 0);
  const to = Date.UTC(2024, 5, 15, 12, 30);

  test('a range, both bounds in the deviation of the meter', () => {
    const { selector, parameters } = rangeSelection({
      restricting: DEFAULT_CLOCK,
      from,
      to,
      deviation: -120,
      sendsDeviation: true,
    });
    expect(selector).toBe(1);
    expect(toHex(dataBytes(parameters))).toBe(
      toHex(
        fromHex(
          `0204 0204 120008 09060000010000ff 0f02 120000
           090c 07e8060fff02000000ff8800 090c 07e8060fff0e1e0000ff8800 0100`,
        ),
      ),
    );
  });

  test('without deviation the bounds are local all the same; columns can be chosen', () => {
    const { parameters } = rangeSelection({
      restricting: DEFAULT_CLOCK,
      from,
      to: from,
      deviation: -120,
      sendsDeviation: false,
      columns: [DEFAULT_CLOCK, IMPORT],
    });
    const [, first, last, columns] = (parameters as { readonly value: readonly Data[] }).value;
    expect(toHex(dataBytes(first!))).toBe('090c07e8060fff02000000800000');
    expect(last).toEqual(first);
    expect(parseCaptureObjects(columns!)).toEqual([DEFAULT_CLOCK, IMPORT]);
  });

  test('entries are counted from 1, 0 is the last', () => {
    const { selector, parameters } = entrySelection(5, 0);
    expect(selector).toBe(2);
    expect(toHex(dataBytes(parameters))).toBe('0204' + '0600000005' + '0600000000' + '120001' + '120000');
  });

  test('a range goes by the clock that sorts, else by the one captured, else by the meter clock', () => {
    const own = { ...DEFAULT_CLOCK, obis: '0.1.1.0.0.255' };
    const sorting = { ...DEFAULT_CLOCK, obis: '0.2.1.0.0.255' };
    expect(restrictingObject([IMPORT, own], sorting)).toEqual(sorting);
    expect(restrictingObject([IMPORT, own], IMPORT)).toEqual(own);
    expect(restrictingObject([IMPORT], null)).toEqual(DEFAULT_CLOCK);
  });
});

const MIDSUMMER = Date.UTC(2024, 5, 15, 18, 23, 45);
const SHAPE: BufferShape = {
  columns: [DEFAULT_CLOCK, STATUS, IMPORT],
  capturePeriod: 900,
  sortMethod: 'fifo',
  zone: null,
};
const time = (at: number, deviation: number | null = -120, status = 0x80): Data => ({
  type: 'octet-string',
  value: dateTimeBytes({ ...cosemDateTimeOf(at, deviation ?? 0, status), deviation }),
});
const number = (value: number): Data => ({ type: 'double-long-unsigned', value });
const flag = (value: number): Data => ({ type: 'unsigned', value });
const buffer = (...rows: (readonly Data[])[]): Data => ({
  type: 'array',
  value: rows.map((value) => ({ type: 'structure', value })),
});

describe('rows', () => {
  test('of a real buffer: time with deviation, status, value', () => {
    const octets = fromHex(
      `0102 0203 090c07e8060f0614172d00ff8880 1108 0600001391
            0203 00 00 0600001392`,
    );
    const rows = profileRows(parseData(octets), SHAPE);
    expect(rows.map(({ at }) => at)).toEqual([MIDSUMMER, MIDSUMMER + 900_000]);
    expect(rows.map(({ clock }) => clock && isoText(clock))).toEqual([
      '2024-06-15T20:23:45+02:00',
      '2024-06-15T20:38:45+02:00',
    ]);
    expect(rows.map(({ status }) => status)).toEqual([flag(8), flag(8)]);
    expect(rows.map(({ values }) => values[2])).toEqual([number(5009), number(5010)]);
  });

  test('null in the clock column goes back in time in a lifo buffer, over midnight and the turn of a year', () => {
    const newest = Date.UTC(2025, 0, 1, 0, 0);
    const rows = profileRows(
      buffer(
        [time(newest, 0, 0), flag(0), number(3)],
        [NULL_DATA, NULL_DATA, number(2)],
        [NULL_DATA, NULL_DATA, NULL_DATA],
      ),
      { ...SHAPE, sortMethod: 'lifo' },
    );
    expect(rows.map(({ at }) => at)).toEqual([newest, newest - 900_000, newest - 1_800_000]);
    expect(rows[1]?.values[0]).toEqual(time(newest - 900_000, 0, 0));
    expect(rows.map(({ values }) => values[2])).toEqual([number(3), number(2), number(2)]);
  });

  test('a clock that leaves day of week and hundredths open keeps them open; one of type date-time stays one', () => {
    const open = fromHex('07e8060fff14172dffff8880');
    const rows = profileRows(
      buffer([{ type: 'octet-string', value: open }, flag(0), number(1)], [NULL_DATA, flag(0), number(1)]),
      SHAPE,
    );
    expect(toHex((rows[1]!.values[0] as { value: Uint8Array }).value)).toBe('07e8060fff14262dffff8880');
    const typed: Data = { type: 'date-time', value: cosemDateTimeOf(MIDSUMMER, -120) };
    const again = profileRows(buffer([typed, flag(0), number(1)], [NULL_DATA, flag(0), number(1)]), SHAPE);
    expect(again[1]).toMatchObject({ at: MIDSUMMER + 900_000, values: [{ type: 'date-time' }, {}, {}] });
  });

  test('times without deviation take the zone of the meter, and its summer time by their own status', () => {
    const zone = { deviation: -60, daylightSaving: 60 };
    // The autumn hour comes twice: the same local time, told apart by the status alone.
    const rows = profileRows(
      buffer(
        [time(Date.UTC(2024, 9, 27, 2, 30), null, 0x80), flag(0), number(1)],
        [time(Date.UTC(2024, 9, 27, 2, 30), null, 0x00), flag(0), number(2)],
      ),
      { ...SHAPE, zone },
    );
    expect(rows.map(({ at }) => at)).toEqual([Date.UTC(2024, 9, 27, 0, 30), Date.UTC(2024, 9, 27, 1, 30)]);
  });

  test('and name no moment when nobody knows the zone', () => {
    const [row] = profileRows(buffer([time(MIDSUMMER, null), flag(0), number(1)]), SHAPE);
    expect(row).toMatchObject({ at: null, clock: { hour: 18, deviation: null } });
  });

  test('a profile without clock and status has rows without', () => {
    const [row] = profileRows(buffer([number(7)]), { ...SHAPE, columns: [IMPORT] });
    expect(row).toEqual({ at: null, clock: null, status: null, values: [number(7)] });
  });

  test('captured on occasion: null in the clock column is the same moment', () => {
    const shape = { ...SHAPE, capturePeriod: 0 };
    const rows = profileRows(buffer([time(MIDSUMMER), flag(1), number(1)], [NULL_DATA, flag(2), NULL_DATA]), shape);
    expect(rows.map(({ at }) => at)).toEqual([MIDSUMMER, MIDSUMMER]);
  });

  test('deltas add up in the type of the column, across nulls', () => {
    const wide: Data = { type: 'long64-unsigned', value: 2n ** 53n };
    const rows = profileRows(
      buffer(
        [wide, number(100)],
        [
          { type: 'delta-unsigned', value: 1 },
          { type: 'delta-integer', value: -5 },
        ],
        [NULL_DATA, NULL_DATA],
        [
          { type: 'delta-long-unsigned', value: 300 },
          { type: 'delta-double-long', value: 70_000 },
        ],
      ),
      { ...SHAPE, columns: [IMPORT, IMPORT] },
    );
    expect(rows.map(({ values }) => values.map((value) => (value as { value: number | bigint }).value))).toEqual([
      [2n ** 53n, 100],
      [2n ** 53n + 1n, 95],
      [2n ** 53n + 1n, 95],
      [2n ** 53n + 301n, 70_095],
    ]);
    expect(rows[3]?.values.map(({ type }) => type)).toEqual(['long64-unsigned', 'double-long-unsigned']);
  });

  test('a compact-array is a buffer as well', () => {
    const at = toHex((time(MIDSUMMER) as { value: Uint8Array }).value);
    const octets = fromHex(`13 02 03 09 11 06 24 0c${at}0000000001 0c${at}0100000002`);
    const rows = profileRows(parseData(octets), SHAPE);
    expect(rows.map(({ values }) => values[2])).toEqual([number(1), number(2)]);
    expect(rows[1]).toMatchObject({ at: MIDSUMMER, status: flag(1) });
  });

  test.each([
    ['an empty array', '0100'],
    ['null-data', '00'],
  ])('%s has no rows', (_, octets) => {
    expect(profileRows(parseData(fromHex(octets)), SHAPE)).toEqual([]);
  });
});

describe('refused as a whole', () => {
  const first = [time(MIDSUMMER), flag(0), number(1)];
  const open: Data = { type: 'octet-string', value: fromHex('ffffffffff14172d00800080') };
  test.each([
    ['a row with a value too many', buffer(first, [...first, number(2)])],
    ['a row with a value too few', buffer(first, first.slice(1))],
    ['null in the first row', buffer([time(MIDSUMMER), NULL_DATA, number(1)])],
    ['no time in the first row', buffer([NULL_DATA, flag(0), number(1)])],
    ['a delta in the first row', buffer([time(MIDSUMMER), flag(0), { type: 'delta-long', value: 1 }])],
    ['a delta of a time', buffer(first, [{ type: 'delta-long', value: 1 }, flag(0), number(1)])],
    ['a delta below zero', buffer(first, [NULL_DATA, flag(0), { type: 'delta-integer', value: -2 }])],
    ['a delta beyond the type', buffer(first, [NULL_DATA, { type: 'delta-long-unsigned', value: 256 }, number(1)])],
    ['null after a time that names no moment', buffer([open, flag(0), number(1)], [NULL_DATA, flag(0), number(1)])],
    ['a row that is no structure', { type: 'array', value: [number(1)] } satisfies Data],
    ['a buffer that is a number', number(1)],
  ])('%s', (_, data) => {
    expect(() => profileRows(data, SHAPE)).toThrow(expect.objectContaining({ code: 'MALFORMED', layer: 'cosem' }));
  });

  test('null in the clock column of a profile sorted by value: the order says nothing about time', () => {
    expect(() =>
      profileRows(buffer(first, [NULL_DATA, flag(0), number(1)]), { ...SHAPE, sortMethod: 'largest' }),
    ).toThrow(expect.objectContaining({ code: 'MALFORMED' }));
  });
});

/** As a meter compresses: null where a value follows from the row before, a delta where one is close enough. */
function compressed(rows: readonly (readonly Data[])[], keep: readonly boolean[]): Data {
  let kept = 0;
  const keeps = (): boolean => {
    kept += 1;
    return keep[kept % keep.length] === true;
  };
  return buffer(
    ...rows.map((row, index) =>
      row.map((cell, column): Data => {
        const before = rows[index - 1]?.[column];
        if (before === undefined || keeps()) return cell;
        const expected = column === 0 ? time(START + index * 900_000, -60, 0) : before;
        if (toHex(dataBytes(expected)) === toHex(dataBytes(cell))) return NULL_DATA;
        return deltaOf(before, cell) ?? cell;
      }),
    ),
  );
}

const START = Date.UTC(2024, 11, 31, 20);

function deltaOf(before: Data, cell: Data): Data | null {
  if (before.type !== cell.type || !('value' in before) || !('value' in cell)) return null;
  const difference = Number(cell.value) - Number(before.value);
  for (const type of ['delta-integer', 'delta-unsigned', 'delta-long', 'delta-double-long'] as const) {
    const [smallest, largest] = rangeOf(type);
    if (difference >= smallest && difference <= largest) return { type, value: difference };
  }
  return null;
}

test('whatever a meter leaves out comes back', () => {
  const row = fc.tuple(fc.nat(3), fc.integer({ min: 0, max: 0xffff_ffff }), fc.bigInt({ min: 0n, max: 2n ** 50n }));
  fc.assert(
    fc.property(fc.array(row, { maxLength: 12 }), fc.array(fc.boolean(), { minLength: 1 }), (values, keep) => {
      const rows = values.map(([status, energy, fine], index): readonly Data[] => [
        time(START + index * 900_000, -60, 0),
        flag(status),
        number(energy),
        { type: 'long64-unsigned', value: fine },
      ]);
      const octets = dataBytes(compressed(rows, keep));
      const columns = [DEFAULT_CLOCK, STATUS, IMPORT, IMPORT];
      const read = profileRows(parseData(octets), { ...SHAPE, columns });
      expect(read.map(({ values: cells }) => cells.map((cell) => toHex(dataBytes(cell))))).toEqual(
        rows.map((cells) => cells.map((cell) => toHex(dataBytes(cell)))),
      );
      expect(read.map(({ at }) => at)).toEqual(rows.map((_, index) => START + index * 900_000));
    }),
  );
});

test('no data is taken for rows that it has not', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (octets) => {
      try {
        for (const row of profileRows(parseData(octets), SHAPE)) expect(row.values).toHaveLength(3);
      } catch (error) {
        expect(error).toMatchObject({ name: 'BridgeError' });
      }
    }),
  );
});
