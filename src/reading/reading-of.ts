/** COSEM data to readings: scaler applied in decimal, unit named, time chosen. */
import { type Decimal, decimalText, significantDigits } from '../core/decimal.ts';
import { JsonDecimal, type JsonValue, writeJson } from '../core/json.ts';
import type { Data } from '../dlms/axdr/data.ts';
import { type CosemValue, cosemValue } from '../dlms/cosem/data-value.ts';
import type { ScalerUnit } from '../dlms/cosem/scaler-unit.ts';
import { unitSymbol } from '../dlms/cosem/units.ts';
import type { Reading } from './reading.ts';

export interface Measured {
  readonly key: string;
  readonly obis: string;
  readonly data: Data;
  readonly scalerUnit: ScalerUnit | null;
  /** Milliseconds UTC. */
  readonly ts: number;
}

/** The reading, or null where the meter gave no value (null-data, NaN). Arrays and structures become JSON text. */
export function readingOf({ key, obis, data, scalerUnit, ts }: Measured): Reading | null {
  const value = cosemValue(data, { scaler: scalerUnit?.scaler ?? 0 });
  if (value === null) return null;
  return {
    key,
    ts,
    value: Array.isArray(value) ? writeJson(jsonOf(value)) : (value as Decimal | string | boolean),
    unit: scalerUnit === null ? null : unitSymbol(scalerUnit.unit),
    obis,
    quality: 'good',
  };
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
