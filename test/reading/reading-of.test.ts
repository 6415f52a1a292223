/** COSEM data to readings under each option of a point. */
import { describe, expect, test } from 'vitest';
import { fromHex } from '../../src/core/bytes.ts';
import { scaledText } from '../../src/core/decimal.ts';
import type { Data } from '../../src/dlms/axdr/data.ts';
import { DEFAULT_POINT_OPTIONS, type PointOptions } from '../../src/reading/point-options.ts';
import { readingOf } from '../../src/reading/reading-of.ts';
import { codeOf } from '../support/error-code.ts';

const octets = (hex: string): Data => ({ type: 'octet-string', value: fromHex(hex) });
const number = (value: number): Data => ({ type: 'double-long-unsigned', value });
const WH = { scaler: 1, unit: 30 };

function read(data: Data, options: Partial<PointOptions> = {}, scalerUnit: typeof WH | null = null) {
  const measured = { key: 'k', obis: '1.0.1.8.0.255', data, scalerUnit, ts: 5 };
  const reading = readingOf({ ...measured, options: { ...DEFAULT_POINT_OPTIONS, ...options } });
  if (reading === null) return null;
  const { value } = reading;
  return { ...reading, value: typeof value === 'object' ? scaledText(value) : value };
}

describe('numbers', () => {
  test.each<[Partial<PointOptions>, string, string | null]>([
    [{}, '12340', 'Wh'],
    [{ unit: 'kWh', factor: '0.001' }, '12.34', 'kWh'],
    [{ unit: 'kWh', factor: '0.001', type: 'decimal', decimals: 1 }, '12.3', 'kWh'],
    [{ scaler: -2 }, '12.34', 'Wh'],
    [{ type: 'decimal' }, '12340.0', 'Wh'],
    [{ factor: '-1.5', type: 'integer' }, '-18510', 'Wh'],
    [{ factor: '0.0005', type: 'integer' }, '6', 'Wh'],
  ])('1234 * 10^1 Wh with %j', (options, value, unit) => {
    expect(read(number(1234), options, WH)).toMatchObject({ value, unit });
  });

  test('a decimal has the same digits at every value, an integer never any', () => {
    for (const value of [0, 1, 230, 2305, 4_294_967_295]) {
      expect(read(number(value), { scaler: -1, type: 'decimal', decimals: 3 })?.value).toMatch(/^\d+\.\d{3}$/);
      expect(read(number(value), { scaler: -1, type: 'integer' })?.value).toMatch(/^\d+$/);
    }
    const single: Data = { type: 'float32', value: Math.fround(230.1) };
    expect(read(single, { type: 'decimal', decimals: 2 })?.value).toBe('230.10');
    expect(read(single, { type: 'integer' })?.value).toBe('230');
    expect(read({ type: 'float32', value: Number.NaN }, { type: 'integer' })).toBeNull();
  });

  test('halves go away from zero', () => {
    const rounded = (value: number) => read({ type: 'double-long', value }, { scaler: -1, type: 'integer' })?.value;
    expect([25, 24, -25, -24].map(rounded)).toEqual(['3', '2', '-3', '-2']);
  });
});

describe('types', () => {
  test.each<[Data, Partial<PointOptions>, string | boolean]>([
    [number(1), { type: 'boolean' }, true],
    [number(0), { type: 'boolean' }, false],
    [{ type: 'boolean', value: true }, { type: 'integer' }, '1'],
    [{ type: 'boolean', value: true }, { type: 'string' }, 'true'],
    [number(7), { type: 'string', scaler: -1 }, '0.7'],
    [octets('31322e35'), { type: 'decimal', decimals: 2 }, '12.50'],
    [octets('31'), { type: 'boolean' }, true],
  ])('%j as %j is %s', (data, options, value) => expect(read(data, options)?.value).toBe(value));

  test.each<[Data, Partial<PointOptions>]>([
    [octets('6162'), { type: 'integer' }],
    [octets('6162'), { type: 'boolean' }],
    [octets(''), { type: 'decimal' }],
    [{ type: 'array', value: [] }, { type: 'decimal' }],
  ])('%j is never %j', (data, options) => expect(codeOf(() => read(data, options))).toBe('VALUE_TYPE_MISMATCH'));
});

describe('text', () => {
  test.each([
    ['414243', null, 'ABC'],
    ['41ff', null, '41ff'],
    ['414243', 'hex', '414243'],
    ['4142430000', 'ascii', 'ABC'],
    ['20204120', 'ascii', 'A'],
    ['41e942', 'ascii', 'A\ufffdB'],
    ['41e942', 'latin1', 'A\u00e9B'],
    ['41c3a9', 'utf-8', 'A\u00e9'],
    ['cff0e8', 'windows-1251', '\u041f\u0440\u0438'],
    ['07e8060f0614172d00ff8880', 'date-time', '2024-06-15T20:23:45+02:00'],
  ])('%s as %s', (hex, text, expected) => expect(read(octets(hex), { text })?.value).toBe(expected));

  test('a number is none of text', () => expect(read(number(5), { text: 'ascii' })?.value).toBe('5'));
});

test('an attribute says that it is one, telemetry does not', () => {
  expect(read(number(1), { kind: 'attribute' })).toMatchObject({ kind: 'attribute' });
  expect(read(number(1))).not.toHaveProperty('kind');
});
