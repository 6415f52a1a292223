/** Decoded values as JSON, in the vocabulary of the vectors: octets as lower-case hex, 64-bit integers as decimal strings. */
import { toHex } from '../../core/bytes.ts';
import type { JsonValue } from '../../core/json.ts';

export type JsonObject = { readonly [key: string]: JsonValue };

/** Presents any decoded value. What is undefined is left out; NaN and infinities, which JSON has not, become text. */
export function present(value: unknown): JsonValue {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return toHex(value);
  if (Array.isArray(value)) return value.map(present);
  return presentObject(value as object);
}

/** The same for an object, whose members are presented one by one. */
export function presentObject(value: object): JsonObject {
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, member]) => (member === undefined ? [] : [[key, present(member)]])),
  );
}
