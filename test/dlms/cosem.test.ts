/** COSEM: object lists, access rights, scalers, units, values for people. */
import { describe, expect, test } from 'vitest';
import { concat, fromHex } from '../../src/core/bytes.ts';
import { type Decimal, decimalText } from '../../src/core/decimal.ts';
import { type Data, dataBytes } from '../../src/dlms/axdr/data.ts';
import { parseDateTime } from '../../src/dlms/axdr/date-time.ts';
import { attributeAccess, attributeMode, methodAccess, methodMode } from '../../src/dlms/cosem/access-rights.ts';
import { attributeName, CLASSES, className, methodName } from '../../src/dlms/cosem/classes.ts';
import { type CosemValue, cosemValue as cosemValueOf } from '../../src/dlms/cosem/data-value.ts';
import {
  type CosemObject,
  decodeObjectList,
  encodeObjectList,
  parseObjectList,
} from '../../src/dlms/cosem/object-list.ts';
import { parseScalerUnit, scalerUnitData } from '../../src/dlms/cosem/scaler-unit.ts';
import { unitSymbol } from '../../src/dlms/cosem/units.ts';
import { codeOf } from '../support/error-code.ts';

function association(version: number): CosemObject {
  return {
    classId: 15,
    version,
    obis: '0.0.40.0.0.255',
    attributes: [{ id: 2, access: 'read-only' }],
    methods: [{ id: 1, access: 'access' }],
  };
}
const REGISTER: CosemObject = {
  classId: 3,
  version: 0,
  obis: '1.0.1.8.0.255',
  attributes: [
    { id: 1, access: 'read-only' },
    { id: 2, access: 'read-and-write' },
    { id: 3, access: 'no-access' },
  ],
  methods: [{ id: 1, access: 'no-access' }],
};
const PROFILE: CosemObject = {
  classId: 7,
  version: 1,
  obis: '1.0.99.1.0.255',
  attributes: [{ id: 2, access: 'read-only', selectors: [1, 2] }],
  methods: [],
};
const VENDOR: CosemObject = { classId: 9000, version: 3, obis: '0.128.96.0.0.255', attributes: [], methods: [] };

describe('object list', () => {
  test.each([0, 1, 2, 3])('of association version %i, as a server writes it', (version) => {
    const objects = [association(version), REGISTER, PROFILE, VENDOR];
    expect(decodeObjectList(encodeObjectList(objects, version))).toEqual(objects);
    expect(parseObjectList(dataBytes(encodeObjectList(objects, version)))).toEqual(objects);
  });

  test('without an association in it, the version is given', () => {
    const list = encodeObjectList([REGISTER], 3);
    expect(decodeObjectList(list, 3)).toEqual([REGISTER]);
  });

  test('inactive objects are left out', () => {
    const inactive = { ...VENDOR, obis: '0.0.127.0.0.0' };
    expect(decodeObjectList(encodeObjectList([inactive, REGISTER], 1))).toEqual([REGISTER]);
  });

  test('a wrong count of entries does not matter', () => {
    const entries = dataBytes(encodeObjectList([association(1), REGISTER], 1)).subarray(2);
    for (const count of [0, 1, 3, 100]) {
      expect(parseObjectList(concat([Uint8Array.of(1, count), entries]))).toEqual([association(1), REGISTER]);
    }
  });

  test('an entry that the octets end within is left out', () => {
    const bytes = dataBytes(encodeObjectList([association(1), REGISTER], 1));
    expect(parseObjectList(bytes.subarray(0, bytes.length - 3))).toEqual([association(1)]);
  });

  test('entries with other than four members', () => {
    const name: Data = { type: 'octet-string', value: fromHex('0100010800ff') };
    const head: readonly Data[] = [{ type: 'long-unsigned', value: 3 }, { type: 'unsigned', value: 0 }, name];
    const list: Data = {
      type: 'array',
      value: [
        { type: 'structure', value: head },
        { type: 'structure', value: head.slice(0, 2) },
        { type: 'null-data' },
      ],
    };
    expect(decodeObjectList(list)).toEqual([
      { classId: 3, version: 0, obis: '1.0.1.8.0.255', attributes: [], methods: [] },
    ]);
  });

  test('something else than an array', () => {
    expect(decodeObjectList({ type: 'null-data' })).toEqual([]);
    expect(codeOf(() => parseObjectList(fromHex('1101')))).toBe('MALFORMED');
  });
});

describe('access rights', () => {
  test('are enumerated up to version 2', () => {
    expect(attributeAccess(3, 0)).toBe('read-and-write');
    expect(attributeAccess(4, 1)).toBe('authenticated-read-only');
    expect(attributeAccess(9, 1)).toBe('mode-9');
    expect(methodAccess(2, 2)).toBe('authenticated-access');
  });

  test('are bits from version 3 on', () => {
    expect(attributeAccess(0b0000_0101, 3)).toBe('authenticated-read-only');
    expect(attributeAccess(0b1110_1111, 3)).toBe(
      'authenticated-read-and-write+encrypted-request+authenticated-response+encrypted-response+signed-response',
    );
    expect(methodAccess(0b0100_0001, 3)).toBe('access+encrypted-response');
  });

  test('there and back', () => {
    for (let mode = 0; mode < 256; mode += 1) expect(attributeMode(attributeAccess(mode, 3), 3)).toBe(mode);
    for (let mode = 0; mode < 256; mode += 1) {
      // Bit 1 says nothing for a method.
      if ((mode & 2) === 0) expect(methodMode(methodAccess(mode, 3), 3)).toBe(mode);
    }
    for (let mode = 0; mode < 7; mode += 1) expect(attributeMode(attributeAccess(mode, 2), 2)).toBe(mode);
    expect(codeOf(() => attributeMode('read-only+encrypted-request', 2))).toBe('INVALID_VALUE');
    expect(codeOf(() => attributeMode('sometimes', 3))).toBe('INVALID_VALUE');
  });
});

test('scaler and unit', () => {
  expect(parseScalerUnit(scalerUnitData({ scaler: -2, unit: 27 }))).toEqual({ scaler: -2, unit: 27 });
  expect(parseScalerUnit({ type: 'null-data' })).toBeNull();
  expect(parseScalerUnit({ type: 'structure', value: [{ type: 'integer', value: 0 }] })).toBeNull();
});

test('units', () => {
  expect([27, 29, 30, 33, 35].map(unitSymbol)).toEqual(['W', 'var', 'Wh', 'A', 'V']);
  expect(unitSymbol(255)).toBeNull();
  expect(unitSymbol(200)).toBe('unit-200');
});

describe('classes', () => {
  test('names', () => {
    expect(attributeName(3, 3)).toBe('scaler_unit');
    expect(attributeName(7, 8)).toBe('profile_entries');
    expect(attributeName(8, 9)).toBe('clock_base');
    expect(methodName(70, 2)).toBe('remote_reconnect');
    expect(methodName(12, 1)).toBeNull();
    expect(attributeName(9000, 1)).toBe('logical_name');
    expect(attributeName(9000, 2)).toBeNull();
    expect(className(9000)).toBe('class 9000');
  });

  test('each stands once and its names are distinct', () => {
    expect(new Set(CLASSES.map(({ id }) => id)).size).toBe(CLASSES.length);
    for (const { attributes, methods } of CLASSES) {
      expect(new Set(attributes).size).toBe(attributes.length);
      const named = methods.filter((name) => name !== null);
      expect(new Set(named).size).toBe(named.length);
    }
  });
});

describe('values', () => {
  const shown = (value: CosemValue): unknown => {
    if (Array.isArray(value)) return value.map(shown);
    return value !== null && typeof value === 'object' ? decimalText(value as Decimal) : value;
  };
  const octets = (hex: string): Data => ({ type: 'octet-string', value: fromHex(hex) });

  test.each<[string, Data, unknown]>([
    ['an integer', { type: 'long', value: -2305 }, '-230.5'],
    ['a 64-bit counter', { type: 'long64-unsigned', value: 18446744073709551615n }, '1844674407370955161.5'],
    ['a float', { type: 'float32', value: Math.fround(230.1) }, '23.01'],
    ['NaN', { type: 'float64', value: Number.NaN }, null],
    ['an enumeration', { type: 'enum', value: 5 }, '5'],
    ['a boolean', { type: 'boolean', value: true }, true],
    ['null', { type: 'null-data' }, null],
    ['text', octets('4b464d31'), 'KFM1'],
    ['other octets', octets('0100FF'), '0100ff'],
    ['no octets', octets(''), ''],
    ['twelve octets', octets('07e8060f0614172d00ff8880'), '07e8060f0614172d00ff8880'],
    ['a list', { type: 'array', value: [{ type: 'unsigned', value: 7 }, octets('41')] }, ['7', 'A']],
  ])('%s, scaler -1', (_, data, value) => {
    expect(shown(cosemValueOf(data, { scaler: -1 }))).toEqual(value);
  });

  test('date-times', () => {
    const octetString = octets('07e8060f0614172d00ff8880');
    expect(cosemValueOf(octetString, { dateTime: true })).toBe('2024-06-15T20:23:45+02:00');
    expect(cosemValueOf({ type: 'structure', value: [octetString] }, { dateTime: true })).toEqual([
      '2024-06-15T20:23:45+02:00',
    ]);
    expect(cosemValueOf(octets('4142'), { dateTime: true })).toBe('AB');
    const rule = fromHex('ffff03fe0702000000800000');
    expect(cosemValueOf({ type: 'date-time', value: parseDateTime(rule) })).toBe('ffff03fe0702000000800000');
  });
});
