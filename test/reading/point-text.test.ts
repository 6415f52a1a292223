/** The notation of points: what it reads, what it refuses, and that everything it prints reads back. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  changedOptions,
  DEFAULT_POINT_OPTIONS,
  optionsFault,
  type PointOptions,
} from '../../src/reading/point-options.ts';
import {
  keyedPointText,
  parseKeyedPoint,
  parseKeyedPoints,
  parsePoint,
  pointText,
} from '../../src/reading/point-text.ts';
import { codeOf } from '../support/error-code.ts';

const VOLTAGE = { classId: 3, obis: '1.0.32.7.0.255', attribute: 2 };

describe('a point', () => {
  test.each([
    ['1.0.1.8.0.255', { classId: null, obis: '1.0.1.8.0.255', attribute: 2 }],
    ['3:1-0:32.7.0', VOLTAGE],
    ['3:1-0:32.7.0*255:2', VOLTAGE],
    ['8:0.0.1.0.0.255:3', { classId: 8, obis: '0.0.1.0.0.255', attribute: 3 }],
    ['4:1.0.1.6.0.255:5', { classId: 4, obis: '1.0.1.6.0.255', attribute: 5 }],
  ])('%s', (text, point) => {
    expect(parsePoint(text)).toEqual(point);
    expect(parsePoint(pointText(point))).toEqual(point);
  });

  test.each(['', '1.0.1.8', '1.0.1.8.0.256', '70000:1.0.1.8.0.255', '1.0.1.8.0.255:0', '1.0.1.8.0.255:128', 'x'])(
    'refused: "%s"',
    (text) => expect(codeOf(() => parsePoint(text))).toBe('INVALID_POINT'),
  );
});

describe('options', () => {
  const options = (words: string): Partial<PointOptions> =>
    changedOptions(parseKeyedPoint(`3:1.0.32.7.0.255=v${words}`).options);

  test.each([
    ['', {}],
    ['@on-change', { publish: 'on-change' }],
    ['@on-change:900', { publish: 'on-change', maxSilenceMs: 900_000 }],
    ['@attribute', { kind: 'attribute', publish: 'on-change' }],
    ['@attribute@always', { kind: 'attribute' }],
    ['@scaler:-3@unit:V', { scaler: -3, unit: 'V' }],
    ['@factor:0.001@decimal:3@unit:kWh', { factor: '0.001', type: 'decimal', decimals: 3, unit: 'kWh' }],
    ['@integer', { type: 'integer' }],
    ['@string@text:latin1', { type: 'string', text: 'latin1' }],
    ['@text:windows-1251', { text: 'windows-1251' }],
    ['@unit:a\\,b\\@c\\\\', { unit: 'a,b@c\\' }],
  ])('%s', (words, expected) => expect(options(words)).toEqual(expected));

  test.each([
    '@',
    '@nonsense',
    '@unit:',
    '@scaler:x',
    '@scaler:129',
    '@factor:0',
    '@factor:0.0',
    '@factor:1e3',
    '@factor:',
    '@decimal:0',
    '@decimal:17',
    '@integer@string',
    '@text:klingon',
    '@always:5',
    '@on-change:0',
    '@on-change:-1',
    '@attribute@attribute',
    '@always@on-change',
  ])('refused: "%s"', (words) => expect(codeOf(() => options(words))).toBe('INVALID_POINT'));

  test('several points, with separators in keys', () => {
    const points = parseKeyedPoints('1.0.1.8.0.255=a\\,b, 3:1.0.32.7.0.255=c@string,');
    expect(points.map(({ key, options: { type } }) => [key, type])).toEqual([
      ['a,b', null],
      ['c', 'string'],
    ]);
    expect(codeOf(() => parseKeyedPoints('1.0.1.8.0.255'))).toBe('INVALID_POINT');
    expect(codeOf(() => parseKeyedPoints(`1.0.1.8.0.255=${'k'.repeat(256)}`))).toBe('INVALID_POINT');
  });
});

const word = fc.string({ minLength: 1, maxLength: 20 }).filter((text) => text === text.trim() && !/\p{Cc}/u.test(text));
const anyOptions = fc
  .record<PointOptions>({
    unit: fc.option(word),
    scaler: fc.option(fc.integer({ min: -128, max: 127 })),
    factor: fc.option(fc.constantFrom('0.001', '-2', '1000', '0.50')),
    type: fc.option(fc.constantFrom('integer', 'decimal', 'string', 'boolean')),
    decimals: fc.option(fc.integer({ min: 1, max: 16 })),
    text: fc.option(fc.constantFrom('hex', 'ascii', 'latin1', 'utf-8', 'koi8-r', 'date-time')),
    publish: fc.constantFrom('always', 'on-change'),
    maxSilenceMs: fc.option(fc.integer({ min: 100, max: 31_536_000_000 })),
    kind: fc.constantFrom('telemetry', 'attribute'),
  })
  .filter((options) => optionsFault(options) === null);

test('property: what is printed reads back, alone and in a list', () => {
  const point = fc.record({
    classId: fc.option(fc.integer({ min: 0, max: 0xffff })),
    obis: fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 6, maxLength: 6 }).map((groups) => groups.join('.')),
    attribute: fc.integer({ min: 1, max: 127 }),
    key: word,
    options: anyOptions,
  });
  fc.assert(
    fc.property(fc.array(point, { minLength: 1, maxLength: 4 }), (points) => {
      const texts = points.map(keyedPointText);
      expect(texts.map(parseKeyedPoint)).toEqual(points);
      expect(parseKeyedPoints(texts.join(','))).toEqual(points);
    }),
  );
  expect(changedOptions(DEFAULT_POINT_OPTIONS)).toEqual({});
});
