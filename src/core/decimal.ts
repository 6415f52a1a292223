/**
 * Exact decimal numbers: coefficient * 10^exponent. A meter's raw integer and its scaler are exactly that
 * (Blue Book, scal_unit_type: value = raw * 10^scaler), so no reading ever passes through binary floating point.
 */
import { fail } from './errors.ts';

export interface Decimal {
  readonly coefficient: bigint;
  readonly exponent: number;
}

const MAX_EXPONENT = 400;

export function decimal(coefficient: bigint | number, exponent = 0): Decimal {
  return { coefficient: BigInt(coefficient), exponent };
}

/** The same value shifted by a power of ten: how a scaler is applied. */
export function scaled(value: Decimal, scaler: number): Decimal {
  return { coefficient: value.coefficient, exponent: value.exponent + scaler };
}

/** The exact product. */
export function times(a: Decimal, b: Decimal): Decimal {
  return { coefficient: a.coefficient * b.coefficient, exponent: a.exponent + b.exponent };
}

/** The value with exactly `decimals` decimals, halves away from zero. */
export function withDecimals(value: Decimal, decimals: number): Decimal {
  const surplus = -decimals - value.exponent;
  if (surplus <= 0) return { coefficient: value.coefficient * 10n ** BigInt(-surplus), exponent: -decimals };
  const divisor = 10n ** BigInt(surplus);
  const half = value.coefficient < 0n ? -divisor / 2n : divisor / 2n;
  return { coefficient: (value.coefficient + half) / divisor, exponent: -decimals };
}

/** The same value with no trailing zeros in the coefficient. */
export function normalised(value: Decimal): Decimal {
  let { coefficient, exponent } = value;
  if (coefficient === 0n) return { coefficient: 0n, exponent: 0 };
  while (coefficient % 10n === 0n) {
    coefficient /= 10n;
    exponent += 1;
  }
  return { coefficient, exponent };
}

/** Plain decimal notation: `230.5`, `-0.001`, `18446744073709551615`. No exponent, no trailing zeros. */
export function decimalText(value: Decimal): string {
  return plainText(normalised(value));
}

/**
 * The same with every decimal that the exponent stands for: 2300 * 10^-1 is `230.0`. A quantity with decimals then
 * looks like one at every value, and a receiver that tells integers from decimals by the point keeps one type for it.
 */
export function scaledText(value: Decimal): string {
  return plainText(value);
}

function plainText({ coefficient, exponent }: Decimal): string {
  const negative = coefficient < 0n;
  const digits = (negative ? -coefficient : coefficient).toString();
  const sign = negative ? '-' : '';
  if (exponent >= 0) return coefficient === 0n ? '0' : sign + digits + '0'.repeat(exponent);
  const padded = digits.padStart(1 - exponent, '0');
  return `${sign}${padded.slice(0, exponent)}.${padded.slice(exponent)}`;
}

/** Parses `-12.50`, `1e-3`. Throws INVALID_VALUE. */
export function parseDecimal(text: string): Decimal {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d+))?$/i.exec(text.trim());
  const whole = match?.[2] ?? '';
  const fraction = match?.[3] ?? '';
  const exponent = Number(match?.[4] ?? 0);
  if (match === null || whole + fraction === '' || Math.abs(exponent) > MAX_EXPONENT) {
    return fail('INVALID_VALUE', `"${text.slice(0, 40)}" is no decimal number`);
  }
  const coefficient = BigInt(whole + fraction) * (match[1] === '-' ? -1n : 1n);
  return { coefficient, exponent: exponent - fraction.length };
}

/**
 * A 64-bit float as the shortest decimal that reads back as the same float, with one decimal at least (see
 * `scaledText`); null for NaN and infinities.
 */
export function decimalFromDouble(value: number): Decimal | null {
  return Number.isFinite(value) ? withDecimal(parseDecimal(String(value))) : null;
}

/** A 32-bit float likewise: 230.1 stays 230.1 and does not become 230.10000610351562. */
export function decimalFromSingle(value: number): Decimal | null {
  if (!Number.isFinite(value)) return null;
  for (let precision = 1; precision <= 9; precision += 1) {
    const text = value.toPrecision(precision);
    if (Math.fround(Number(text)) === value) return withDecimal(parseDecimal(text));
  }
  return withDecimal(parseDecimal(String(value)));
}

/** The same value with a negative exponent, for `scaledText` to show a decimal. */
export function withDecimal(value: Decimal): Decimal {
  if (value.exponent < 0) return value;
  return { coefficient: value.coefficient * 10n ** BigInt(value.exponent + 1), exponent: -1 };
}

export function isInteger(value: Decimal): boolean {
  return normalised(value).exponent >= 0;
}

/** How many significant digits the value has. */
export function significantDigits(value: Decimal): number {
  const { coefficient } = normalised(value);
  return (coefficient < 0n ? -coefficient : coefficient).toString().length;
}
