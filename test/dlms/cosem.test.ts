/** COSEM: access rights, scalers, units, values for people. */
import { describe, expect, test } from 'vitest';
import { fromHex } from '../../src/core/bytes.ts';
import { type Decimal, decimalText } from '../../src/core/decimal.ts';
import type { Data } from '../../src/dlms/axdr/data.ts';
import { parseDateTime } from '../../src/dlms/axdr/date-time.ts';
import { attributeAccess, attributeMode, methodAccess, methodMode } from '../../src/dlms/cosem/access-rights.ts';
import { type CosemValue, cosemValue as cosemValueOf } from '../../src/dlms/cosem/data-value.ts';
import { parseScalerUnit, scalerUnitData } from '../../src/dlms/cosem/scaler-unit.ts';
import { unitSymbol } from '../../src/dlms/cosem/units.ts';
import { codeOf } from '../support/error-code.ts';

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
