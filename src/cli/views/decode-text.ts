/** What `decode` and `listen` found, as a tree for people: one line for each field, numbers with their names. */
import { fromHex } from '../../core/bytes.ts';
import { decimal, scaled, scaledText } from '../../core/decimal.ts';
import type { JsonValue } from '../../core/json.ts';
import { isoText, parseDateTime } from '../../dlms/axdr/date-time.ts';
import { obisText } from '../../dlms/axdr/obis.ts';
import { attributeName, className, methodName } from '../../dlms/cosem/classes.ts';
import { octetsText } from '../../dlms/cosem/data-value.ts';
import { obisName } from '../../dlms/cosem/obis-names.ts';
import { unitSymbol } from '../../dlms/cosem/units.ts';
import { attempt } from '../../dlms/decode/attempt.ts';
import type { Decoded } from '../../dlms/decode/bytes.ts';
import type { JsonObject } from '../../dlms/decode/present.ts';

const INDENT = '  ';
/** Simple elements of an array stand in one line up to this length. */
const SHORT = 60;
/** Already told in the heading. */
const HEADINGS = ['layer', 'apdu', 'offset', 'kind'];
const OBIS = /^\d{1,3}(?:\.\d{1,3}){5}$/;
const OBIS_OCTETS = 6;
const DATE_TIME_OCTETS = 12;
/** An octet-string of this length is shown as a date-time when its year is believable. */
const YEARS = { first: 2000, last: 2099 } as const;

/** The whole result: layers, APDUs, what was left out, what is wrong. */
export function decodedText({ layers, apdus, discarded, error }: Decoded): string {
  const lines = [
    ...layers.flatMap((layer) => [layerHeading(layer), ...members(layer, 1)]),
    ...apdus.flatMap((apdu, index) => apduLines(apdu, apdus.length > 1 ? ` ${index + 1}` : '')),
    ...discarded.map(({ offset, length, reason }) => `discarded ${length} octets at ${offset}: ${reason}`),
    ...(error === null ? [] : [`error ${error.code}: ${error.message}`, `${INDENT}${error.hint}`]),
  ];
  return lines.length === 0 ? 'nothing was found' : lines.join('\n');
}

/** One APDU, or what stands in its place. */
export function apduLines(apdu: JsonObject, number = ''): string[] {
  if (apdu.valid === false && apdu.apdu === undefined) return [`not decoded${number}`, ...members(apdu, 1)];
  // The items are the body, item by item.
  const { body, ...others } = apdu;
  const shown = apdu.items === undefined ? apdu : others;
  return [`APDU${number}: ${String(apdu.apdu ?? apdu.kind ?? 'Data')}`, ...members(shown, 1)];
}

function layerHeading({ layer, offset, kind, apdu }: JsonObject): string {
  const place = offset === undefined ? '' : ` at ${String(offset)}`;
  const what = kind ?? apdu;
  return `${String(layer)}${what === undefined ? '' : ` ${String(what)}`}${place}`;
}

function members(object: JsonObject, depth: number): string[] {
  return Object.entries(object).flatMap(([name, value]) =>
    depth === 1 && HEADINGS.includes(name) ? [] : field(name, value, object, depth),
  );
}

function field(name: string, value: JsonValue, beside: JsonObject, depth: number): string[] {
  const margin = INDENT.repeat(depth);
  if (Array.isArray(value)) {
    if (value.length === 0) return [`${margin}${name}: none`];
    const simple = value.every((one) => typeof one === 'string' || typeof one === 'number') ? value.join(' ') : null;
    if (simple !== null && simple.length <= SHORT) return [`${margin}${name}: ${simple}`];
    return [`${margin}${name}: ${value.length}`, ...value.flatMap((one) => element(one as JsonValue, depth + 1))];
  }
  if (!isObject(value)) return [`${margin}${name}: ${scalar(name, value, beside)}`];
  const short = inOneLine(value);
  if (short !== null) return [`${margin}${name}: ${short}`];
  if (isData(value)) return [`${margin}${name}: ${dataHeading(value)}`, ...elements(value, depth + 1)];
  return [`${margin}${name}:`, ...members(value, depth + 1)];
}

/** One of an array. */
function element(value: JsonValue, depth: number): string[] {
  const margin = INDENT.repeat(depth);
  if (!isObject(value)) return [`${margin}${Array.isArray(value) ? valueText(value) : String(value)}`];
  if (typeof value.type === 'string' && 'obis' in value) return [`${margin}${itemText(value)}`];
  const short = inOneLine(value);
  if (short !== null) return [`${margin}${short}`];
  if (isData(value)) return [`${margin}${dataHeading(value)}`, ...elements(value, depth + 1)];
  const [first = '', ...others] = members(value, depth + 1);
  return [`${margin}- ${first.trimStart()}`, ...others];
}

/** A value with a name of its own: `result: object-undefined (4)`, an error, a date-time, simple Data. */
function inOneLine(value: JsonObject): string | null {
  const { code, name, message, hex, year } = value;
  if (typeof code === 'number' && typeof name === 'string') return `${name} (${code})`;
  if (typeof code === 'string' && typeof message === 'string') return `${code}: ${message}`;
  if (typeof hex === 'string' && year !== undefined) return `${dateTimeIn(hex) ?? 'with wildcards'} (${hex})`;
  if (!isData(value) || Array.isArray(value.value)) return null;
  const data = value.value;
  if (data === undefined) return String(value.type);
  if (isObject(data)) return `${String(value.type)} ${inOneLine(data) ?? Object.values(data).join(' ')}`;
  return `${String(value.type)} ${value.type === 'octet-string' ? octetString(String(data)) : String(data)}`;
}

function isData(value: JsonObject): boolean {
  const names = Object.keys(value);
  return typeof value.type === 'string' && names.every((name) => name === 'type' || name === 'value');
}

function dataHeading({ type, value }: JsonObject): string {
  return `${String(type)} of ${Array.isArray(value) ? value.length : 0}`;
}

function elements({ value }: JsonObject, depth: number): string[] {
  return Array.isArray(value) ? value.flatMap((one) => element(one as JsonValue, depth)) : [];
}

/** An item of a push: `1.0.32.7.0.255 voltage L1, instantaneous: 230.5 V (long-unsigned 2305, scaler -1)`. */
function itemText({ obis, classId, attributeId, type, value, scaler, unit }: JsonObject): string {
  const name = typeof obis === 'string' ? obisName(obis) : null;
  const object = typeof obis === 'string' ? `${obis}${name === null ? '' : ` ${name}`}` : 'by its place';
  const attribute =
    typeof classId === 'number' && typeof attributeId === 'number'
      ? ` [${className(classId)}, ${attributeText(classId, attributeId)}]`
      : '';
  const raw = type === 'octet-string' ? octetString(String(value)) : valueText(value ?? null);
  const symbol = typeof unit === 'number' ? (unitSymbol(unit) ?? '') : '';
  const text = typeof scaler === 'number' ? `${scaledOf(raw, scaler)} ${symbol}`.trim() : raw;
  const origin = text === raw ? String(type) : `${String(type)} ${raw}, scaler ${String(scaler)}`;
  return `${object}${attribute}: ${text} (${origin})`;
}

function scaledOf(raw: string, scaler: number): string {
  return /^-?\d+$/.test(raw) ? scaledText(scaled(decimal(BigInt(raw)), scaler)) : raw;
}

function attributeText(classId: number, attributeId: number): string {
  return `attribute ${attributeId}${named(attributeName(classId, attributeId))}`;
}

function named(name: string | null): string {
  return name === null ? '' : ` ${name}`;
}

function scalar(name: string, value: JsonValue, { classId }: JsonObject): string {
  if (typeof value === 'number') {
    if (name === 'classId') return `${value} (${className(value)})`;
    if (name === 'unit') return `${value}${bracketed(unitSymbol(value))}`;
    if (name === 'attributeId' && typeof classId === 'number')
      return `${value}${bracketed(attributeName(classId, value))}`;
    if (name === 'methodId' && typeof classId === 'number') return `${value}${bracketed(methodName(classId, value))}`;
  }
  if (typeof value === 'string' && OBIS.test(value)) return `${value}${bracketed(obisName(value))}`;
  return value === null ? 'none' : String(value);
}

function bracketed(name: string | null): string {
  return name === null ? '' : ` (${name})`;
}

/** Values of arrays and structures without their types. */
function valueText(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map((one) => valueText(one as JsonValue)).join(', ')}]`;
  if (value === null) return 'null';
  return isObject(value) ? (inOneLine(value) ?? Object.values(value).join(' ')) : String(value);
}

/** Hex, and what the octets look like. */
function octetString(hex: string): string {
  const octets = fromHex(hex);
  const text = octetsText(octets);
  if (octets.length === 0) return '(empty)';
  if (text !== hex) return `${hex} "${text}"`;
  if (octets.length === OBIS_OCTETS && octets[OBIS_OCTETS - 1] === 0xff) {
    const obis = obisText(octets);
    return `${hex} (${obis}${named(obisName(obis))})`;
  }
  return `${hex}${bracketed(octets.length === DATE_TIME_OCTETS ? dateTimeIn(hex) : null)}`;
}

function dateTimeIn(hex: string): string | null {
  const octets = fromHex(hex);
  const year = ((octets[0] ?? 0) << 8) | (octets[1] ?? 0);
  if (year < YEARS.first || year > YEARS.last) return null;
  return attempt(() => isoText(parseDateTime(octets))).value;
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
