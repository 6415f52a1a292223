/** COSEM data as values for people and programs: numbers in decimal, text as text, other octets as hex. */
import { toHex } from '../../core/bytes.ts';
import { type Decimal, decimal, decimalFromDouble, decimalFromSingle, scaled } from '../../core/decimal.ts';
import type { Data } from '../axdr/data.ts';
import { type CosemDateTime, dateText, dateTimeBytes, dateTimeOf, isoText, timeText } from '../axdr/date-time.ts';

export type CosemValue = Decimal | string | boolean | null | readonly CosemValue[];

export interface ValueOptions {
  /** Exponent of ten for the number that the value is; numbers inside arrays and structures have scalers of their own. */
  readonly scaler?: number;
  /** An octet-string of twelve octets is a date-time; nothing in it tells. Holds inside arrays and structures too. */
  readonly dateTime?: boolean;
  /** As in `dateTimeOf`. */
  readonly invertedDeviation?: boolean;
}

const FIRST_PRINTABLE = 0x20;
const LAST_PRINTABLE = 0x7e;

/**
 * The value of data. Integers and floats become decimals, enumerations unscaled ones; octet-strings of printable ASCII
 * text, others lower-case hex; date-times ISO 8601 (hex of their octets when they have wildcards); null-data, don't-care
 * and NaN null.
 */
function cosemValueOf(data: Data, options: ValueOptions = {}): CosemValue {
  const { scaler = 0, dateTime = false, invertedDeviation = false } = options;
  switch (data.type) {
    case 'null-data':
    case 'dont-care':
      return null;
    case 'boolean':
    case 'bit-string':
    case 'visible-string':
    case 'utf8-string':
      return data.value;
    case 'octet-string': {
      const moment = dateTime ? dateTimeOf(data, { invertedDeviation }) : null;
      return moment === null ? octetsText(data.value) : dateTimeText(moment);
    }
    case 'date-time':
      return dateTimeText(dateTimeOf(data, { invertedDeviation }) ?? data.value);
    case 'date':
      return dateText(data.value);
    case 'time':
      return timeText(data.value);
    case 'array':
    case 'structure':
    case 'compact-array':
      return data.value.map((element) => cosemValueOf(element, { dateTime, invertedDeviation }));
    case 'float32':
      return scaledFloat(decimalFromSingle(data.value), scaler);
    case 'float64':
      return scaledFloat(decimalFromDouble(data.value), scaler);
    case 'enum':
      return decimal(data.value);
    default:
      return scaled(decimal(data.value), scaler);
  }
}

/** Exported by the shorter name; inside a module that name would shadow a global. */
export { cosemValueOf as cosemValue };

function scaledFloat(value: Decimal | null, scaler: number): Decimal | null {
  return value === null ? null : scaled(value, scaler);
}

function dateTimeText(dateTime: CosemDateTime): string {
  return isoText(dateTime) ?? toHex(dateTimeBytes(dateTime));
}

/** Printable ASCII as text, anything else as lower-case hex. */
export function octetsText(octets: Uint8Array): string {
  for (const octet of octets) if (octet < FIRST_PRINTABLE || octet > LAST_PRINTABLE) return toHex(octets);
  return Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('latin1');
}
