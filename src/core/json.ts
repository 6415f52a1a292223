/**
 * A small JSON writer that prints what JSON.stringify cannot: integers beyond 2^53 and decimals digit by digit,
 * as JSON number tokens, and octets as lower-case hex.
 */
import { type Decimal, decimalText, parseDecimal } from './decimal.ts';

export type JsonValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | JsonDecimal
  | Date
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue | undefined };

/** A decimal that is to stand in JSON as a number token, written with `text`. */
export class JsonDecimal {
  readonly text: string;
  constructor(value: Decimal, text: (value: Decimal) => string = decimalText) {
    this.text = text(value);
  }
}

/**
 * Prints a value as JSON. bigint and JsonDecimal become number tokens with all their digits, Uint8Array lower-case
 * hex, Date ISO 8601; object members that are undefined are left out. `indent` spaces per level, 0 for one line.
 */
export function writeJson(value: JsonValue, indent = 0): string {
  return write(value, indent, '');
}

function write(value: JsonValue, indent: number, margin: string): string {
  if (value === null) return 'null';
  switch (typeof value) {
    case 'bigint':
      return value.toString();
    case 'number':
      return Number.isFinite(value) ? String(value) : 'null';
    case 'boolean':
      return String(value);
    case 'string':
      return JSON.stringify(value);
  }
  if (value instanceof JsonDecimal) return value.text;
  if (value instanceof Uint8Array) return `"${Buffer.from(value).toString('hex')}"`;
  if (value instanceof Date) return JSON.stringify(value);
  const inner = margin + ' '.repeat(indent);
  if (Array.isArray(value)) {
    return enclose(
      '[',
      value.map((item) => write(item as JsonValue, indent, inner)),
      ']',
      indent,
      margin,
      inner,
    );
  }
  const members: string[] = [];
  for (const [key, member] of Object.entries(value)) {
    if (member === undefined) continue;
    members.push(`${JSON.stringify(key)}:${indent > 0 ? ' ' : ''}${write(member as JsonValue, indent, inner)}`);
  }
  return enclose('{', members, '}', indent, margin, inner);
}

function enclose(open: string, items: string[], close: string, indent: number, margin: string, inner: string): string {
  if (items.length === 0) return open + close;
  if (indent === 0) return open + items.join(',') + close;
  return `${open}\n${inner}${items.join(`,\n${inner}`)}\n${margin}${close}`;
}

/** A string whole, so that no digits in it are taken for a number; or a number. */
const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const EXACT = '\u0000number';

/**
 * Reads back what `writeJson` wrote: a number that a JavaScript number would print otherwise (`0.0000001`, integers
 * beyond 2^53) comes as a JsonDecimal with the same text. Throws SyntaxError.
 */
export function parseJson(text: string): JsonValue {
  let exact = false;
  const marked = text.replace(STRING_OR_NUMBER, (token) => {
    if (token.startsWith('"') || String(Number(token)) === token) return token;
    exact = true;
    return JSON.stringify({ [EXACT]: token });
  });
  return JSON.parse(marked, exact ? revive : undefined) as JsonValue;
}

function revive(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !(EXACT in value)) return value;
  const token = String(value[EXACT]);
  return new JsonDecimal(parseDecimal(token), () => token);
}
