/**
 * A stored reading's value in the form in which ThingsBoard keeps it as it was measured:
 * - an integer within int64 and a decimal of up to 16 decimals are JSON numbers with all their digits; a quantity with
 *   decimals keeps them at every value (230.0), since the server keeps 230 as an integer and 230.5 as a double;
 * - more decimals would be stored as text: they are rounded to 16, in decimal, half away from zero;
 * - an integer beyond int64 is stored as text in any case: it goes as a string of its digits, so that no JSON reader
 *   on the way rounds it;
 * - a string that looks like a number would be stored as that number ("000123" -> 123): it goes with a leading `#`.
 *   A string that is such a form already gets one more, so `meterText` finds the original of each.
 */
import {
  type Decimal,
  decimalText,
  isInteger,
  normalised,
  parseDecimal,
  scaledText,
  withDecimal,
  withDecimals,
} from '../../core/decimal.ts';
import { JsonDecimal, type JsonValue, writeJson } from '../../core/json.ts';
import type { StoredReading } from '../../store/local/types.ts';

export const MAX_DECIMALS = 16;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/** What NumberUtils.isParsable of the server takes for a number (digits of any script), with `#`s before it. */
const NUMERIC_FORM = /^#*-?(?:\p{Nd}+(?:\.\p{Nd}+)?|\.\p{Nd}+)$/u;

/** Numbers that stand in JSON as they are stored: within int64, with at most 16 decimals. Nearly all are. */
const AS_STORED = /^(?:0|-?[1-9]\d{0,17})(?:\.\d{1,16})?$/;

/** The JSON text of a reading's value. Throws INVALID_VALUE when a number's text is none. */
export function telemetryText(reading: Pick<StoredReading, 'type' | 'text'>): string {
  const { type, text } = reading;
  return type === 'number' && AS_STORED.test(text) ? text : writeJson(telemetryValue(reading));
}

/** The JSON value of a reading. Throws INVALID_VALUE when a number's text is none. */
export function telemetryValue({ type, text }: Pick<StoredReading, 'type' | 'text'>): JsonValue {
  if (type === 'boolean') return text === 'true';
  if (type === 'string') return NUMERIC_FORM.test(text) ? `#${text}` : text;
  const value = rounded(parseDecimal(text), MAX_DECIMALS);
  return beyondInt64(value) ? decimalText(value) : new JsonDecimal(value, scaledText);
}

/** The meter's own text of a string as `telemetryValue` published it. */
export function meterText(published: string): string {
  return published.startsWith('#') && NUMERIC_FORM.test(published) ? published.slice(1) : published;
}

function beyondInt64(value: Decimal): boolean {
  if (!isInteger(value)) return false;
  const integer = BigInt(decimalText(value));
  return integer < INT64_MIN || integer > INT64_MAX;
}

/** The value with at most `decimals` decimals, halves away from zero, and of a rounded one no more than it needs. */
function rounded(value: Decimal, decimals: number): Decimal {
  return value.exponent >= -decimals ? value : withDecimal(normalised(withDecimals(value, decimals)));
}
