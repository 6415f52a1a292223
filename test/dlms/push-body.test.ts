/** Layouts of push bodies, and the values unfolded from them. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHex } from '../../src/core/bytes.ts';
import type { Data } from '../../src/dlms/axdr/data.ts';
import { obisBytes } from '../../src/dlms/axdr/obis.ts';
import { scalerUnitData } from '../../src/dlms/cosem/scaler-unit.ts';
import { type PushItem, readPushBody } from '../../src/dlms/push/body.ts';
import { pushRegisters } from '../../src/dlms/push/registers.ts';
import { codeOf } from '../support/error-code.ts';
import { data as anyData } from './arbitraries.ts';

const structure = (...value: Data[]): Data => ({ type: 'structure', value });
const array = (...value: Data[]): Data => ({ type: 'array', value });
const obis = (text: string): Data => ({ type: 'octet-string', value: obisBytes(text) });
const text = (value: string): Data => ({ type: 'octet-string', value: Uint8Array.from(Buffer.from(value)) });
const u32 = (value: number): Data => ({ type: 'double-long-unsigned', value });
const volts = scalerUnitData({ scaler: -1, unit: 35 });
const VOLTAGE = '1.0.32.7.0.255';
const IMPORT = '1.0.1.8.0.255';

const short = (items: readonly PushItem[]): unknown[] =>
  items.map(({ obis: name, data, scalerUnit }) => [
    name,
    'value' in data && typeof data.value === 'number' ? data.value : data.type,
    scalerUnit === null ? null : scalerUnit.scaler,
  ]);
const registersOf = (body: Data): unknown[] => short(pushRegisters(readPushBody(body).items) as unknown as PushItem[]);

describe('flat', () => {
  test('pairs, triples and plain values, mixed', () => {
    const body = structure(text('KFM_001'), obis(VOLTAGE), u32(2300), volts, obis(IMPORT), u32(7), u32(8), {
      type: 'null-data',
    });
    const { layout, items } = readPushBody(body);
    expect(layout).toBe('flat');
    expect(short(items)).toEqual([
      [null, 'octet-string', null],
      [VOLTAGE, 2300, -1],
      [IMPORT, 7, null],
      [null, 8, null],
      [null, 'null-data', null],
    ]);
  });
  test('an OBIS code at the very end has no value', () => {
    expect(short(readPushBody(structure(u32(1), obis(IMPORT))).items)).toEqual([
      [null, 1, null],
      [null, 'octet-string', null],
    ]);
  });
  test('six digits of text are no OBIS code', () => {
    expect(short(readPushBody(structure(text('123456'), u32(1))).items)).toEqual([
      [null, 'octet-string', null],
      [null, 1, null],
    ]);
  });
  test('a value that looks like an OBIS code is the value of the one before it', () => {
    expect(short(readPushBody(structure(obis('0.6.25.9.0.255'), obis('0.6.25.9.0.255'), u32(1))).items)).toEqual([
      ['0.6.25.9.0.255', 'octet-string', null],
      [null, 1, null],
    ]);
  });
  test('a structure of two numbers is a scaler and unit only with these types', () => {
    const pair = structure(u32(1), u32(35));
    expect(short(readPushBody(structure(obis(VOLTAGE), u32(2300), pair)).items)).toEqual([
      [VOLTAGE, 2300, null],
      [null, 'structure', null],
    ]);
  });
  test('nothing at all', () => {
    expect(readPushBody(structure())).toEqual({ layout: 'flat', items: [] });
  });
});

describe('list of structures', () => {
  test('entries of two and three, and what is no entry', () => {
    const body = array(
      structure(obis(IMPORT), u32(7)),
      structure(obis(VOLTAGE), u32(2300), volts),
      u32(9),
      structure(u32(1), u32(2)),
    );
    const { layout, items } = readPushBody(body);
    expect(layout).toBe('list-of-structures');
    expect(short(items)).toEqual([
      [IMPORT, 7, null],
      [VOLTAGE, 2300, -1],
      [null, 9, null],
      [null, 'structure', null],
    ]);
  });
});

describe('push object list', () => {
  const entry = (classId: number, name: string, attributeId: number, ...more: Data[]): Data =>
    structure(
      { type: 'long-unsigned', value: classId },
      obis(name),
      { type: 'integer', value: attributeId },
      { type: 'long-unsigned', value: 0 },
      ...more,
    );
  const itself = entry(40, '0.8.25.9.0.255', 2);

  test('which is its own first entry', () => {
    const { layout, items } = readPushBody(structure(array(itself, entry(3, IMPORT, 2)), u32(7)));
    expect(layout).toBe('push-object-list');
    expect(items).toMatchObject([
      { obis: '0.8.25.9.0.255', isList: true },
      { obis: IMPORT, attribute: { classId: 3, attributeId: 2, dataIndex: 0 }, data: u32(7), isList: false },
    ]);
  });
  test('which does not name itself', () => {
    const { items } = readPushBody(structure(array(entry(3, IMPORT, 2), entry(3, VOLTAGE, 2)), u32(7), u32(8)));
    expect(short(items)).toEqual([
      [IMPORT, 7, null],
      [VOLTAGE, 8, null],
    ]);
  });
  test('of a later version has longer entries', () => {
    const list = array(itself, entry(3, IMPORT, 2, structure({ type: 'enum', value: 0 }, { type: 'null-data' })));
    expect(readPushBody(structure(list, u32(7))).layout).toBe('push-object-list');
  });
  test.each([
    ['a value too few', [u32(7)]],
    ['values too many', [u32(7), u32(8), u32(9), u32(10)]],
  ])('%s: refused, for values would change places', (_, values) => {
    const list = array(itself, entry(3, IMPORT, 2), entry(3, VOLTAGE, 2));
    expect(codeOf(() => readPushBody(structure(list, ...values)))).toBe('MALFORMED');
  });
});

describe('registers', () => {
  test('from a flat body whose entries are structures', () => {
    const body = structure(
      obis('0.0.1.0.0.255'),
      text('clock'),
      structure(obis(IMPORT), u32(7)),
      structure(obis(VOLTAGE), u32(2300), volts),
    );
    expect(registersOf(body)).toEqual([
      ['0.0.1.0.0.255', 'octet-string', null],
      [IMPORT, 7, null],
      [VOLTAGE, 2300, -1],
    ]);
  });
  test('from pairs whose value carries scaler and unit inside', () => {
    expect(registersOf(structure(obis(VOLTAGE), structure(u32(2314), volts)))).toEqual([[VOLTAGE, 2314, -1]]);
  });
  test('from lists in lists', () => {
    const body = structure(
      u32(1),
      array(structure(obis(IMPORT), u32(7)), array(structure(obis(VOLTAGE), u32(2300), volts))),
    );
    expect(registersOf(body)).toEqual([
      [null, 1, null],
      [IMPORT, 7, null],
      [VOLTAGE, 2300, -1],
    ]);
  });
  test('keep their place, for a positional mapping', () => {
    const items = readPushBody(structure(u32(5), obis(IMPORT), u32(6), u32(7))).items;
    expect(pushRegisters(items).map(({ position }) => position)).toEqual([0, 1, 2]);
  });
  test('leave structures that mean something else alone', () => {
    expect(registersOf(structure(structure(u32(1), u32(2))))).toEqual([[null, 'structure', null]]);
  });
  test('the object list is none', () => {
    const list = array(
      structure(
        { type: 'long-unsigned', value: 40 },
        obis('0.8.25.9.0.255'),
        { type: 'integer', value: 2 },
        { type: 'long-unsigned', value: 0 },
      ),
    );
    expect(registersOf(structure(list))).toEqual([]);
  });
});

test('a simple body is one value', () => {
  const body: Data = { type: 'octet-string', value: fromHex('00') };
  expect(readPushBody(body)).toMatchObject({ layout: 'value', items: [{ obis: null, data: body }] });
});

test('any data can be read', () => {
  fc.assert(
    fc.property(anyData, (body) => {
      const code = codeOf(() => pushRegisters(readPushBody(body).items));
      expect(['none', 'MALFORMED']).toContain(code);
    }),
  );
});
