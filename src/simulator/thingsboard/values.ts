/**
 * What the real server makes of a telemetry document (its JsonConverter, CE 4.3): which type each value gets, and which
 * documents it refuses in which way.
 */
import { decimalText, parseDecimal } from '../../core/decimal.ts';
import { type JsonNode, jsonTreeText } from './json-tree.ts';

/** One value as the database holds it. */
export type StoredValue =
  | { readonly type: 'LONG'; readonly value: bigint }
  | { readonly type: 'DOUBLE'; readonly value: number }
  | { readonly type: 'STRING'; readonly value: string }
  | { readonly type: 'BOOLEAN'; readonly value: boolean }
  /** An object or array, as JSON text. */
  | { readonly type: 'JSON'; readonly value: string };

export interface Entry {
  /** Milliseconds UTC. */
  readonly ts: number;
  readonly values: ReadonlyMap<string, StoredValue>;
}

/** syntax: JsonSyntaxException, answered as an invalid payload; exception: any other, which closes the channel. */
export type Conversion<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly fault: 'syntax' | 'exception' };

const SYNTAX = { ok: false, fault: 'syntax' } as const;
const EXCEPTION = { ok: false, fault: 'exception' } as const;

const MAX_DECIMALS = 16;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
/** More digits or a larger exponent than this are never a LONG or DOUBLE. */
const MAX_NUMBER_SIZE = 400;
/** commons-lang3 NumberUtils.isParsable: digits, at most one point, which is not the last character; no exponent. */
const PARSABLE = /^-?(?:\d+(?:\.\d+)?|\.\d+)$/;

/** Telemetry: one object or an array of objects, each `{k:v}` or `{"ts":ms,"values":{}}`. */
export function telemetryEntries(node: JsonNode, now: number): Conversion<readonly Entry[]> {
  const items = node.kind === 'array' ? node.items : [node];
  const entries: Entry[] = [];
  for (const item of items) {
    const entry = telemetryEntry(item, now);
    if (!entry.ok) return entry;
    entries.push(entry.value);
  }
  return { ok: true, value: entries };
}

function telemetryEntry(node: JsonNode, now: number): Conversion<Entry> {
  if (node.kind !== 'object') return SYNTAX;
  const ts = node.members.get('ts');
  const values = node.members.get('values');
  if (ts === undefined || values === undefined) return withTime(now, node);
  const time = timeOf(ts);
  return time === null || values.kind !== 'object' ? EXCEPTION : withTime(time, values);
}

function withTime(ts: number, node: JsonNode): Conversion<Entry> {
  const values = keyValues(node);
  return values.ok ? { ok: true, value: { ts, values: values.value } } : values;
}

/** Gson's getAsLong: numbers are cut to integers, numeric strings are taken, anything else throws. */
function timeOf(node: JsonNode): number | null {
  if (node.kind === 'number') return Math.trunc(Number(node.text));
  if (node.kind === 'string' && /^[+-]?\d+$/.test(node.text)) return Number(node.text);
  return null;
}

/** `{k:v}`; null values are skipped. */
export function keyValues(node: JsonNode): Conversion<ReadonlyMap<string, StoredValue>> {
  if (node.kind !== 'object') return SYNTAX;
  const values = new Map<string, StoredValue>();
  for (const [key, member] of node.members) {
    const value = storedValue(member);
    if (value !== null) values.set(key, value);
  }
  return { ok: true, value: values };
}

function storedValue(node: JsonNode): StoredValue | null {
  switch (node.kind) {
    case 'null':
      return null;
    case 'boolean':
      return { type: 'BOOLEAN', value: node.value };
    case 'number':
      return numericValue(node.text);
    case 'string':
      return PARSABLE.test(node.text) ? numericValue(node.text) : { type: 'STRING', value: node.text };
    default:
      return { type: 'JSON', value: jsonTreeText(node) };
  }
}

/** buildNumericKeyValueProto: integers to LONG (STRING beyond int64), up to 16 decimals DOUBLE, more STRING. */
function numericValue(text: string): StoredValue {
  const exponent = /e(.*)$/i.exec(text)?.[1];
  const hasExponent = exponent !== undefined;
  if (text.length > MAX_NUMBER_SIZE || Math.abs(Number(exponent ?? 0)) > MAX_NUMBER_SIZE) {
    return { type: 'STRING', value: text };
  }
  const value = parseDecimal(text);
  const plain = hasExponent ? decimalText(value) : text;
  const whole = !decimalText(value).includes('.');
  const simpleDouble = text.includes('.') && !hasExponent;
  if (whole && !simpleDouble) {
    const integer = BigInt(decimalText(value));
    return integer < INT64_MIN || integer > INT64_MAX
      ? { type: 'STRING', value: plain }
      : { type: 'LONG', value: integer };
  }
  return -value.exponent <= MAX_DECIMALS ? { type: 'DOUBLE', value: Number(plain) } : { type: 'STRING', value: plain };
}

/** A key the server cannot store: the whole request fails after its PUBACK. */
export function storableKey(key: string): boolean {
  return key.trim() !== '' && key.length <= 255;
}
