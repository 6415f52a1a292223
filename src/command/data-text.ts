/** COSEM data as people write it on the command line: `TYPE:TEXT`, with the types of the Data vocabulary. */
import { fromHex } from '../core/bytes.ts';
import { asBridgeError, BridgeError, fail } from '../core/errors.ts';
import { type Data, type DataTypeName, dataBytes } from '../dlms/axdr/data.ts';
import { type CosemDateTime, cosemDateTimeOf, dateTimeBytes, dateTimeOf } from '../dlms/axdr/date-time.ts';
import { NULL_DATA, TAGS } from '../dlms/axdr/scalar.ts';

/** `unsigned:5`, `boolean:true`, `null-data`; null when no type stands before the text. Throws INVALID_VALUE. */
export function parseTypedData(text: string): Data | null {
  const colon = text.indexOf(':');
  const type = colon < 0 ? text : text.slice(0, colon);
  if (!isTypeName(type) || (colon < 0 && type !== 'null-data')) return null;
  return dataOfText(type, colon < 0 ? '' : text.slice(colon + 1));
}

function isTypeName(text: string): text is DataTypeName {
  return Object.hasOwn(TAGS, text);
}

/**
 * Data of a type from its text. Numbers are raw, without scaler; octet-strings are hex, or text in double quotes;
 * date-times ISO 8601; arrays and structures JSON, `[{"type":"unsigned","value":5}, ...]`. Throws INVALID_VALUE.
 */
export function dataOfText(type: DataTypeName, text: string): Data {
  const data = unchecked(type, text);
  dataBytes(data);
  return data;
}

/** The same for an attribute whose present value is known, which tells the type; also that an octet-string is a date-time. */
export function dataLike(present: Data, text: string, isDateTime: boolean): Data {
  if (present.type === 'null-data' || present.type === 'compact-array') {
    return fail('INVALID_VALUE', `the attribute holds ${present.type}, which does not tell the type of "${text}"`, {
      hint: 'write the type before the value, as in unsigned:5',
    });
  }
  if (present.type === 'octet-string' && isDateTime && ISO.test(text)) {
    return { type: 'octet-string', value: dateTimeBytes(dateTimeOfText(text)) };
  }
  return dataOfText(present.type, text);
}

function unchecked(type: DataTypeName, text: string): Data {
  switch (type) {
    case 'null-data':
      return NULL_DATA;
    case 'dont-care':
      return { type };
    case 'boolean':
      return { type, value: booleanOf(text) };
    case 'bit-string':
      return { type, value: text };
    case 'octet-string':
      return { type, value: octetsOf(text) };
    case 'visible-string':
      return { type, value: matching(text, /^[\x20-\x7e\xa0-\xff]*$/, 'a visible-string: write utf8-string') };
    case 'utf8-string':
      return { type, value: text };
    case 'long64':
    case 'long64-unsigned':
      return { type, value: BigInt(matching(text, /^[+-]?\d+$/, 'a whole number').replace('+', '')) };
    case 'float32':
    case 'float64':
      return { type, value: Number(matching(text, /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i, 'a number')) };
    case 'date-time':
      return { type, value: dateTimeOfText(text) };
    case 'date': {
      const { year, month, dayOfMonth, dayOfWeek } = dateTimeOfText(`${matching(text, DATE, 'a date')}T00:00:00Z`);
      return { type, value: { year, month, dayOfMonth, dayOfWeek } };
    }
    case 'time': {
      const { hour, minute, second, hundredths } = dateTimeOfText(`2000-01-01T${matching(text, TIME, 'a time')}Z`);
      return { type, value: { hour, minute, second, hundredths } };
    }
    case 'array':
    case 'structure':
      return { type, value: membersOf(text) };
    case 'compact-array':
      return fail('INVALID_VALUE', 'a compact-array cannot be written here: write an array');
    default:
      return { type, value: Number(matching(text, /^[+-]?\d{1,15}$/, 'a whole number')) };
  }
}

const DATE = /^\d{4}-\d\d-\d\d$/;
const TIME = /^\d\d:\d\d(?::\d\d(?:\.\d{1,2})?)?$/;
const ISO = /^(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)(Z|[+-]\d\d:\d\d)?$/;

function matching(text: string, pattern: RegExp, what: string): string {
  return pattern.test(text) ? text : fail('INVALID_VALUE', `"${text.slice(0, 40)}" is not ${what}`);
}

function booleanOf(text: string): boolean {
  const matched = matching(text.toLowerCase(), /^(?:true|false|1|0)$/, 'a boolean: write true or false');
  return matched === 'true' || matched === '1';
}

function octetsOf(text: string): Uint8Array {
  const quoted = /^"(.*)"$/s.exec(text)?.[1];
  if (quoted !== undefined) return new TextEncoder().encode(quoted);
  return fromHex(matching(text, /^(?:[0-9a-f]{2}\s*)*$/i, 'hex; text stands in double quotes'));
}

/** ISO 8601; without offset the deviation stays unspecified. */
function dateTimeOfText(text: string): CosemDateTime {
  const [, local = '', offset] = ISO.exec(matching(text, ISO, 'an ISO 8601 date-time')) ?? [];
  const utc = Date.parse(`${local}Z`);
  const deviation = offset === undefined || offset === 'Z' ? 0 : -signedMinutes(offset);
  const dateTime = cosemDateTimeOf(utc + deviation * 60_000, deviation);
  const isCalendarDay = !Number.isNaN(utc) && new Date(utc).toISOString().startsWith(local.slice(0, 16));
  if (!isCalendarDay || dateTimeOf({ type: 'octet-string', value: dateTimeBytes(dateTime) }) === null) {
    return fail('INVALID_VALUE', `"${text}" is no date-time`);
  }
  return offset === undefined ? { ...dateTime, deviation: null } : dateTime;
}

function signedMinutes(offset: string): number {
  const minutes = Number(offset.slice(1, 3)) * 60 + Number(offset.slice(4, 6));
  return offset.startsWith('-') ? -minutes : minutes;
}

function membersOf(text: string): readonly Data[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new BridgeError(
      'INVALID_VALUE',
      `arrays and structures are written in JSON: ${asBridgeError(cause).message}`,
      {
        cause,
      },
    );
  }
  if (!Array.isArray(parsed)) return fail('INVALID_VALUE', 'an array or structure is a JSON array of {"type","value"}');
  return parsed.map(memberOf);
}

function memberOf(member: unknown): Data {
  const { type, value = '' } = (member ?? {}) as { readonly type?: unknown; readonly value?: unknown };
  if (typeof type !== 'string' || !isTypeName(type)) {
    return fail('INVALID_VALUE', `a member is {"type","value"}, not ${JSON.stringify(member)?.slice(0, 60)}`);
  }
  return dataOfText(type, Array.isArray(value) ? JSON.stringify(value) : String(value));
}
