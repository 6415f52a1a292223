import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decimal,
  decimalFromDouble,
  decimalFromSingle,
  decimalText,
  isInteger,
  normalised,
  parseDecimal,
  scaled,
  scaledText,
  significantDigits,
} from '../../src/core/decimal.ts';
import { BridgeError } from '../../src/core/errors.ts';

describe('decimalText', () => {
  test.each([
    [2305n, -1, '230.5'],
    [-5n, -3, '-0.005'],
    [0n, -4, '0'],
    [5n, 3, '5000'],
    [100n, -2, '1'],
    [18446744073709551615n, 0, '18446744073709551615'],
    [18446744073709551615n, -3, '18446744073709551.615'],
    [-100n, -1, '-10'],
  ])('%s * 10^%s is %s', (coefficient, exponent, text) => {
    expect(decimalText(decimal(coefficient, exponent))).toBe(text);
  });
});

describe('parseDecimal', () => {
  test.each(['', '-', '.', 'abc', '1e', '1.2.3', '0x10', '1e401', 'NaN', 'Infinity', ' '])('refuses %j', (text) => {
    expect(() => parseDecimal(text)).toThrow(BridgeError);
  });
  test('reads exponents', () => {
    expect(decimalText(parseDecimal('1.5e-3'))).toBe('0.0015');
    expect(decimalText(parseDecimal('-25E2'))).toBe('-2500');
  });
});

test('text and back is the same value', () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }),
      fc.integer({ min: -30, max: 30 }),
      (coefficient, exponent) => {
        const value = decimal(coefficient, exponent);
        expect(normalised(parseDecimal(decimalText(value)))).toEqual(normalised(value));
      },
    ),
  );
});

test('a double comes back as the same double', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      const text = decimalText(decimalFromDouble(value)!);
      expect(Number(text)).toBe(value === 0 ? 0 : value);
    }),
  );
});

test('a single precision float prints as its shortest decimal', () => {
  expect(decimalText(decimalFromSingle(Math.fround(230.1))!)).toBe('230.1');
  expect(decimalText(decimalFromSingle(Math.fround(0.1))!)).toBe('0.1');
  fc.assert(
    fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
      expect(Math.fround(Number(decimalText(decimalFromSingle(value)!)))).toBe(value === 0 ? 0 : value);
    }),
  );
});

test('no number, no decimal', () => {
  expect(decimalFromDouble(Number.NaN)).toBeNull();
  expect(decimalFromSingle(Number.POSITIVE_INFINITY)).toBeNull();
});

test('a scaler shifts without rounding', () => {
  expect(decimalText(scaled(decimal(9007199254740993n), -3))).toBe('9007199254740.993');
});

test('significant digits and integers', () => {
  expect(significantDigits(decimal(230500n, -3))).toBe(4);
  expect(isInteger(decimal(230000n, -3))).toBe(true);
  expect(isInteger(decimal(230500n, -3))).toBe(false);
});

test('a scaled quantity keeps its decimals at every value', () => {
  expect([2300n, -2300n, 0n, 5n].map((raw) => scaledText(decimal(raw, -1)))).toEqual(['230.0', '-230.0', '0.0', '0.5']);
  expect(scaledText(decimal(5n, -3))).toBe('0.005');
  expect(scaledText(decimal(5n, 3))).toBe('5000');
  expect(scaledText(decimalFromSingle(230)!)).toBe('230.0');
  expect(scaledText(decimalFromDouble(1e21)!)).toBe('1000000000000000000000.0');
});
