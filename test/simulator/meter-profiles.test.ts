import { describe, expect, test } from 'vitest';
import { concat } from '../../src/core/bytes.ts';
import { type Data, parseData } from '../../src/dlms/axdr/data.ts';
import { cosemDateTimeOf, dateTimeBytes, dateTimeOf, isoText, utcOf } from '../../src/dlms/axdr/date-time.ts';
import { obisBytes } from '../../src/dlms/axdr/obis.ts';
import { decodeObjectList } from '../../src/dlms/cosem/object-list.ts';
import type { AccessSelection, ActionOutcome } from '../../src/dlms/xdlms/services.ts';
import type { MeterModel } from '../../src/simulator/meter/meter-model.ts';
import { DAILY_PROFILE, EVENT_LOG, LOAD_PROFILE } from '../../src/simulator/meter/profiles.ts';
import { SecureClient, type SecureOptions } from './meter-secure-client.ts';
import { attribute, model, NOW } from './meter-support.ts';

const LOAD = `7:${LOAD_PROFILE}`;
const DAILY = `7:${DAILY_PROFILE}`;
const EVENTS = `7:${EVENT_LOG}`;
const QUARTER = 900_000;
const DAY = 86_400_000;
const YEAR_ROWS = 366 * 96;

function connected(meter: MeterModel = model(), options: SecureOptions = {}): SecureClient {
  return new SecureClient(meter, options).associate();
}

function number(data: Data): number {
  return 'value' in data && typeof data.value === 'number' ? data.value : Number.NaN;
}

/** Data of an attribute, over as many blocks as it takes. */
function read(client: SecureClient, text: string, accessSelection: AccessSelection | null = null): Data {
  let response = client.getRequest({ type: 'normal', attribute: attribute(text), accessSelection });
  const parts: Uint8Array[] = [];
  for (;;) {
    if (response.apdu !== 'get-response' || response.type === 'with-list') throw new Error(response.apdu);
    if (response.type === 'normal') {
      if ('data' in response.result) return response.result.data;
      throw new Error(response.result.dataAccessResult.name);
    }
    if (!('rawData' in response)) throw new Error(response.dataAccessResult.name);
    parts.push(response.rawData);
    if (response.lastBlock) return parseData(concat(parts));
    response = client.getRequest({ type: 'next', blockNumber: response.blockNumber });
  }
}

function rowsIn(data: Data): readonly (readonly Data[])[] {
  if (data.type !== 'array') throw new Error(data.type);
  return data.value.map((row) => (row.type === 'structure' ? row.value : []));
}

const u16 = (value: number): Data => ({ type: 'long-unsigned', value });
const u32 = (value: number): Data => ({ type: 'double-long-unsigned', value });
const time = (at: number, deviation = 0): Data => ({
  type: 'octet-string',
  value: dateTimeBytes(cosemDateTimeOf(at, deviation)),
});

function captureObject(text: string): Data {
  const { classId, instanceId, attributeId } = attribute(text);
  return {
    type: 'structure',
    value: [
      u16(classId),
      { type: 'octet-string', value: obisBytes(instanceId) },
      { type: 'integer', value: attributeId },
      u16(0),
    ],
  };
}

const CLOCK = '8:0.0.1.0.0.255';

function byRange(from: Data, to: Data, columns: readonly string[] = [], restricting = CLOCK): AccessSelection {
  const selected: Data = { type: 'array', value: columns.map(captureObject) };
  return { selector: 1, parameters: { type: 'structure', value: [captureObject(restricting), from, to, selected] } };
}

function byEntry(from: number, to: number, fromColumn = 1, toColumn = 0): AccessSelection {
  return {
    selector: 2,
    parameters: { type: 'structure', value: [u32(from), u32(to), u16(fromColumn), u16(toColumn)] },
  };
}

function momentOf(data: Data | undefined): number | null {
  const dateTime = data === undefined ? null : dateTimeOf(data);
  return dateTime === null ? null : utcOf(dateTime);
}

const moments = (rows: readonly (readonly Data[])[]) => rows.map(([clock]) => momentOf(clock));

/** Rows as the truth has them. */
function texts(rows: readonly (readonly Data[])[], scalers: readonly number[]): string[][] {
  return rows.map((row) =>
    row.map((data, index) => {
      const dateTime = dateTimeOf(data);
      if (dateTime !== null) return isoText(dateTime) ?? '';
      const raw = 'value' in data ? String(data.value) : data.type;
      const scaler = scalers[index] ?? 0;
      return scaler === 0 ? raw : `${raw.slice(0, scaler)}.${raw.slice(scaler)}`.replace(/\.?0+$/, '');
    }),
  );
}

/** What a client makes of compressed rows. */
function expanded(rows: readonly (readonly Data[])[], stepMs: number): Data[][] {
  const whole: Data[][] = [];
  for (const row of rows) {
    const before = whole.at(-1);
    whole.push(
      row.map((data, index) => {
        const last = before?.[index];
        if (data.type !== 'null-data' || last === undefined) return data;
        const moment = momentOf(last);
        return moment === null ? last : time(moment + stepMs, -60);
      }),
    );
  }
  return whole;
}

describe('the load profile', () => {
  test('describes itself', () => {
    const client = connected();
    expect(client.data(`${LOAD}:3`)).toEqual({
      type: 'array',
      value: [CLOCK, '1:0.0.96.10.1.255', '3:1.0.1.8.0.255', '3:1.0.2.8.0.255'].map(captureObject),
    });
    expect([4, 7, 8].map((id) => number(client.data(`${LOAD}:${id}`)))).toEqual([900, YEAR_ROWS, YEAR_ROWS]);
    expect(client.data(`${LOAD}:5`)).toEqual({ type: 'enum', value: 1 });
    expect(client.data(`${LOAD}:6`)).toEqual(captureObject(CLOCK));
    const listed = decodeObjectList(read(client, '15:0.0.40.0.0.255')).find(({ obis }) => obis === LOAD_PROFILE);
    expect(listed?.attributes[1]).toEqual({ id: 2, access: 'read-only', selectors: [1, 2] });
  });

  test('has every quarter of a year, to the one before now', () => {
    const client = connected(model({ maxPdu: 60_000 }), { maxPdu: 60_000 });
    client.now = NOW + 123_456;
    const rows = rowsIn(read(client, LOAD));
    expect(rows).toHaveLength(YEAR_ROWS);
    expect(moments(rows).every((moment, index) => moment === NOW - (YEAR_ROWS - 1 - index) * QUARTER)).toBe(true);
    const imports = rows.map((row) => number(row[2] as Data));
    expect(imports.every((value, index) => index === 0 || value >= (imports[index - 1] ?? 0))).toBe(true);
  });

  test('says what the register said then', () => {
    const meter = model();
    const client = connected(meter);
    client.now = NOW + 10_000;
    const [row] = rowsIn(read(client, LOAD, byEntry(YEAR_ROWS, 0)));
    client.now = NOW;
    expect(row?.slice(2)).toEqual([client.data('3:1.0.1.8.0.255'), client.data('3:1.0.2.8.0.255')]);
  });

  test('knows resets of the registers before and after', () => {
    const client = connected();
    client.now = NOW + QUARTER / 2;
    client.call('3:1.0.1.8.0.255:1');
    client.now = NOW + QUARTER;
    const [before, after] = rowsIn(read(client, LOAD, byEntry(YEAR_ROWS - 1, 0))).map((row) => number(row[2] as Data));
    expect(before).toBeGreaterThan(100_000);
    expect(after).toBeLessThan(1000);
  });

  test('marks power failures and a clock that was set', () => {
    const client = connected(model({ maxPdu: 60_000 }), { maxPdu: 60_000 });
    const statuses = rowsIn(read(client, LOAD)).map((row) => number(row[1] as Data));
    expect(new Set(statuses)).toEqual(new Set([0, 0x80]));
    expect(statuses.filter((status) => status === 0x80).length).toBeGreaterThan(10);
    client.now = NOW + 1000;
    client.call(`${CLOCK}:6`, { type: 'long', value: 5 });
    client.now = NOW + QUARTER;
    expect(client.data('1:0.0.96.10.1.255')).toEqual({ type: 'unsigned', value: 0x20 });
  });

  test('is cleared by its reset', () => {
    const client = connected();
    client.now = NOW + 1000;
    expect(client.call(`${LOAD}:1`, { type: 'integer', value: 0 })).toMatchObject({ result: { code: 0 } });
    expect(client.data(`${LOAD}:7`)).toEqual(u32(0));
    expect(client.data(LOAD)).toEqual({ type: 'array', value: [] });
    client.now = NOW + 2 * QUARTER;
    expect(moments(rowsIn(client.data(LOAD)))).toEqual([NOW + QUARTER, NOW + 2 * QUARTER]);
  });
});

describe('selective access', () => {
  const from = NOW - 10 * QUARTER;

  test('by range includes both ends, in any zone, and without a deviation in that of the meter', () => {
    const client = connected();
    const expected = [from, from + QUARTER, from + 2 * QUARTER];
    const to = from + 2 * QUARTER;
    const local = (at: number): Data => ({
      type: 'octet-string',
      value: dateTimeBytes({ ...cosemDateTimeOf(at, -60), deviation: null }),
    });
    expect(moments(rowsIn(read(client, LOAD, byRange(time(from), time(to)))))).toEqual(expected);
    expect(moments(rowsIn(read(client, LOAD, byRange(time(from, 300), time(to, -120)))))).toEqual(expected);
    expect(moments(rowsIn(read(client, LOAD, byRange(local(from), local(to)))))).toEqual(expected);
    const asDateTime = { type: 'date-time', value: cosemDateTimeOf(to, 0) } as const;
    expect(moments(rowsIn(read(client, LOAD, byRange(time(from - QUARTER + 1000), asDateTime))))).toEqual(expected);
    expect(rowsIn(read(client, LOAD, byRange(time(NOW + 1000), time(NOW + DAY))))).toEqual([]);
    expect(rowsIn(read(client, LOAD, byRange(time(to), time(from))))).toEqual([]);
  });

  test('by range has open ends', () => {
    const client = connected();
    const open: Data = {
      type: 'octet-string',
      value: Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x80, 0, 0xff),
    };
    expect(moments(rowsIn(read(client, LOAD, byRange(time(NOW - QUARTER), open))))).toEqual([NOW - QUARTER, NOW]);
    const oldest = NOW - (YEAR_ROWS - 1) * QUARTER;
    expect(moments(rowsIn(read(client, LOAD, byRange(open, time(oldest)))))).toEqual([oldest]);
  });

  test('by range gives the columns asked for, in that order', () => {
    const client = connected();
    const columns = ['3:1.0.2.8.0.255', CLOCK];
    const rows = rowsIn(read(client, LOAD, byRange(time(from), time(from + QUARTER), columns)));
    expect(rows.map((row) => row.map(({ type }) => type))).toEqual(
      Array(2).fill(['double-long-unsigned', 'octet-string']),
    );
  });

  test('by entry counts from 1, and 0 is the last', () => {
    const client = connected();
    const oldest = NOW - (YEAR_ROWS - 1) * QUARTER;
    expect(moments(rowsIn(read(client, LOAD, byEntry(1, 2))))).toEqual([oldest, oldest + QUARTER]);
    expect(moments(rowsIn(read(client, LOAD, byEntry(YEAR_ROWS - 1, 0))))).toEqual([NOW - QUARTER, NOW]);
    expect(moments(rowsIn(read(client, LOAD, byEntry(YEAR_ROWS, YEAR_ROWS + 7))))).toEqual([NOW]);
    expect(rowsIn(read(client, LOAD, byEntry(YEAR_ROWS + 1, 0)))).toEqual([]);
    const cut = rowsIn(read(client, LOAD, byEntry(1, 1, 2, 3)));
    expect(cut.map((row) => row.map(({ type }) => type))).toEqual([['unsigned', 'double-long-unsigned']]);
  });

  test.each<[string, AccessSelection, string]>([
    ['an unknown selector', { selector: 7, parameters: { type: 'null-data' } }, 'scope-of-access-violated'],
    ['no structure', { selector: 1, parameters: u32(1) }, 'type-unmatched'],
    ['a range without dates', byRange(u32(1), u32(2)), 'type-unmatched'],
    ['a range of another object', byRange(u32(1), u32(2), [], '3:1.0.1.8.0.255'), 'scope-of-access-violated'],
    ['a column that is not there', byRange(time(from), time(NOW), ['3:1.0.9.8.0.255']), 'object-undefined'],
    ['entries of another type', { ...byRange(time(from), time(NOW)), selector: 2 }, 'type-unmatched'],
  ])('refuses %s', (_, selection, reason) => {
    expect(() => read(connected(), LOAD, selection)).toThrow(reason);
  });

  test('must be negotiated', () => {
    const client = connected(model(), { bits: ['get'] });
    expect(() => read(client, LOAD, byEntry(1, 1))).toThrow('exception-response');
  });

  test('exists as methods too, whose answer comes in blocks', () => {
    const client = connected(model(), { maxPdu: 200 });
    const [classId, instanceId] = [7, LOAD_PROFILE];
    const wanted = byRange(time(from), time(NOW));
    let response = client.action({
      type: 'normal',
      method: { classId, instanceId, methodId: 3 },
      parameters: wanted.parameters,
    });
    const parts: Uint8Array[] = [];
    while (response.apdu === 'action-response' && response.type === 'with-pblock') {
      parts.push(response.rawData);
      if (response.lastBlock) break;
      response = client.action({ type: 'next-pblock', blockNumber: response.blockNumber });
    }
    expect(parts.length).toBeGreaterThan(1);
    // Result success, return parameters present, data.
    const whole = concat(parts);
    expect([...whole.subarray(0, 3)]).toEqual([0, 1, 0]);
    expect(parseData(whole.subarray(3))).toEqual(read(client, LOAD, wanted));
    const short = client.call(`${LOAD}:4`, byEntry(YEAR_ROWS, 0).parameters) as Partial<ActionOutcome>;
    expect(short.returnParameters).toEqual({ data: read(client, LOAD, byEntry(YEAR_ROWS, 0)) });
    expect(client.call(`${LOAD}:4`)).toMatchObject({ result: { code: 12 } });
  });
});

describe('other forms', () => {
  test.each([['fifo'], ['lifo']] as const)('%s, compressed to null-data, expands to the same rows', (order) => {
    const compressed = connected(model({ profiles: { compressed: true, order } }), { maxPdu: 0 });
    const plain = connected(model({ profiles: { order } }), { maxPdu: 0 });
    for (const [profile, step] of [
      [LOAD, QUARTER],
      [DAILY, DAY],
      [EVENTS, 0],
    ] as const) {
      const wanted = byEntry(1, 60);
      const rows = rowsIn(read(compressed, profile, wanted));
      expect(rows[0]?.some(({ type }) => type === 'null-data')).toBe(false);
      // Events alternate, and have no period: nothing there is as in the row before.
      const hasNulls = rows
        .slice(1)
        .flat()
        .some(({ type }) => type === 'null-data');
      expect(hasNulls).toBe(step > 0);
      expect(expanded(rows, order === 'fifo' ? step : -step)).toEqual(rowsIn(read(plain, profile, wanted)));
    }
    expect(plain.data(`${LOAD}:5`)).toEqual({ type: 'enum', value: order === 'fifo' ? 1 : 2 });
  });

  test('lifo has the newest first, as entries too', () => {
    const client = connected(model({ profiles: { order: 'lifo' } }));
    expect(moments(rowsIn(read(client, LOAD, byEntry(1, 2))))).toEqual([NOW, NOW - QUARTER]);
    const range = byRange(time(NOW - QUARTER), time(NOW));
    expect(moments(rowsIn(read(client, LOAD, range)))).toEqual([NOW, NOW - QUARTER]);
    const oldest = NOW - (YEAR_ROWS - 1) * QUARTER;
    expect(moments(rowsIn(read(client, LOAD, byEntry(YEAR_ROWS, 0))))).toEqual([oldest]);
  });

  test('the daily profile stands at local midnight, with 64 bits', () => {
    const client = connected();
    const [last] = rowsIn(read(client, DAILY, byEntry(400, 0)));
    expect(momentOf(last?.[0])).toBe(Date.UTC(2026, 5, 14, 23));
    expect(last?.map(({ type }) => type)).toEqual([
      'octet-string',
      'unsigned',
      'double-long-unsigned',
      'double-long-unsigned',
      'long64-unsigned',
    ]);
    expect(number(client.data(`${DAILY}:4`))).toBe(86_400);
  });

  test('the event log has what happened, and what clients did', () => {
    const client = connected();
    const codes = () => rowsIn(read(client, EVENTS)).map((row) => number(row[1] as Data));
    expect(new Set(codes())).toEqual(new Set([1, 2]));
    expect(number(client.data(`${EVENTS}:4`))).toBe(0);
    client.call('70:0.0.96.3.10.255:1');
    client.call('70:0.0.96.3.10.255:1');
    client.call('70:0.0.96.3.10.255:2');
    client.call(`${CLOCK}:6`, { type: 'long', value: 30 });
    expect(codes().slice(-5)).toEqual([2, 62, 63, 4, 5]);
    expect(client.data('1:0.0.96.11.0.255')).toEqual({ type: 'unsigned', value: 5 });
    expect(moments(rowsIn(read(client, EVENTS))).at(-1)).toBe(NOW);
    client.call(`${EVENTS}:1`);
    expect(codes()).toEqual([255]);
    expect(rowsIn(read(client, EVENTS, byRange(time(NOW), time(NOW))))).toHaveLength(1);
  });
});

describe('truth', () => {
  test.each<[string, string, readonly number[]]>([
    [LOAD, LOAD_PROFILE, []],
    [DAILY, DAILY_PROFILE, [0, 0, 0, 0, -3]],
    [EVENTS, EVENT_LOG, []],
  ])('of %s is what a range gives', (text, obis, scalers) => {
    const meter = model();
    const client = connected(meter);
    const [from, to] = [NOW - 40 * DAY, NOW - 2 * DAY];
    const rows = rowsIn(read(client, text, byRange(time(from), time(to))));
    const truth = meter.profileRows(NOW, obis, from, to);
    expect(rows.length).toBeGreaterThan(1);
    expect(texts(rows, scalers)).toEqual(truth.map(({ values }) => values));
    expect(moments(rows)).toEqual(truth.map(({ at }) => at));
    expect(truth[0]?.values[0]).toMatch(/^2026-05-\d\dT\d\d:\d\d:\d\d\+01:00$/);
  });

  test('knows no other profiles', () => {
    expect(() => model().profileRows(NOW, '1.0.99.2.0.255', 0, NOW)).toThrow(
      expect.objectContaining({ code: 'INVALID_VALUE' }),
    );
  });
});
