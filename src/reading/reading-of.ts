/** COSEM data to readings: scaler applied in decimal, unit named, typed as the point wants it, time chosen. */
import {
  type Decimal,
  decimal,
  decimalText,
  parseDecimal,
  scaledText,
  significantDigits,
  times,
  withDecimal,
  withDecimals,
} from '../core/decimal.ts';
import { fail } from '../core/errors.ts';
import { JsonDecimal, type JsonValue, writeJson } from '../core/json.ts';
import type { Data } from '../dlms/axdr/data.ts';
import { type CosemValue, cosemValue } from '../dlms/cosem/data-value.ts';
import type { ScalerUnit } from '../dlms/cosem/scaler-unit.ts';
import { unitSymbol } from '../dlms/cosem/units.ts';
import { DEFAULT_POINT_OPTIONS, type PointOptions, type ValueType } from './point-options.ts';
import type { Reading, ReadingValue } from './reading.ts';
import { decodeText } from './text-encoding.ts';

export interface Measured {
  readonly key: string;
  readonly obis: string;
  readonly data: Data;
  /** As the meter has it; null where it has none or was not asked. */
  readonly scalerUnit: ScalerUnit | null;
  /** As in `dateTimeOf`. */
  readonly invertedDeviation?: boolean;
  /** Milliseconds UTC. */
  readonly ts: number;
  /** The attribute holds a date-time in an octet-string. */
  readonly dateTime?: boolean;
  readonly options?: PointOptions;
}

/**
 * The reading, or null where the meter gave no value (null-data, NaN). Arrays and structures become JSON text.
 * Throws VALUE_TYPE_MISMATCH when the value cannot be of the type that the point is to have.
 */
export function readingOf(measured: Measured): Reading | null {
  const { key, obis, scalerUnit, ts, options = DEFAULT_POINT_OPTIONS } = measured;
  const raw = rawValue(measured, options);
  if (raw === null) return null;
  const scaled = typeof raw === 'object' && options.factor !== null ? times(raw, parseDecimal(options.factor)) : raw;
  return {
    key,
    ts,
    value: options.type === null ? scaled : typed(key, scaled, options.type, options.decimals),
    unit: options.unit ?? (scalerUnit === null ? null : unitSymbol(scalerUnit.unit)),
    obis,
    quality: 'good',
    ...(options.kind === 'attribute' ? { kind: options.kind } : {}),
  };
}

function rawValue(
  { data, scalerUnit, dateTime = false, invertedDeviation = false }: Measured,
  { scaler, text }: PointOptions,
): ReadingValue | null {
  if (text !== null && text !== 'date-time' && data.type === 'octet-string') return decodeText(data.value, text);
  const value = cosemValue(data, {
    scaler: scaler ?? scalerUnit?.scaler ?? 0,
    dateTime: dateTime || text === 'date-time',
    invertedDeviation,
  });
  return Array.isArray(value) ? writeJson(jsonOf(value)) : (value as ReadingValue | null);
}

/** The value as the one type that its key has in ThingsBoard. */
function typed(key: string, value: ReadingValue, type: ValueType, decimals: number | null): ReadingValue {
  switch (type) {
    case 'string':
      return typeof value === 'object' ? scaledText(value) : String(value);
    case 'boolean':
      return truth(value) ?? mismatch(key, value, type);
    case 'integer':
      return withDecimals(number(value) ?? mismatch(key, value, type), 0);
    case 'decimal': {
      const exact = number(value) ?? mismatch(key, value, type);
      return decimals === null ? withDecimal(exact) : withDecimals(exact, decimals);
    }
  }
}

function number(value: ReadingValue): Decimal | null {
  if (typeof value === 'object') return value;
  if (typeof value === 'boolean') return decimal(value ? 1 : 0);
  return /^\s*[+-]?\d{1,40}(?:\.\d{1,40})?\s*$/.test(value) ? parseDecimal(value) : null;
}

function truth(value: ReadingValue): boolean | null {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'object') return value.coefficient !== 0n;
  return { true: true, false: false, '1': true, '0': false }[value.trim().toLowerCase()] ?? null;
}

function mismatch(key: string, value: ReadingValue, type: ValueType): never {
  const text = typeof value === 'object' ? decimalText(value) : String(value);
  return fail('VALUE_TYPE_MISMATCH', `"${text.slice(0, 40)}" of "${key}" is no ${type}`);
}

/** A COSEM value for JSON output: decimals of up to 15 significant digits as numbers, longer ones as text with all digits. */
export function jsonOf(value: CosemValue): JsonValue {
  if (Array.isArray(value)) return value.map((item) => jsonOf(item as CosemValue));
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  return decimalJson(value as Decimal);
}

/** See CLI.md, `read`: a JSON number where 15 significant digits are enough, else a string with all digits. */
export function decimalJson(value: Decimal): JsonValue {
  return significantDigits(value) <= 15 ? new JsonDecimal(value) : decimalText(value);
}
