/** The byte vectors of test/vectors/, and the comparison that `check.mjs` there makes. */
import { readdirSync, readFileSync } from 'node:fs';
import { fromHex, toHex } from '../../src/core/bytes.ts';

export interface Vector {
  readonly id: string;
  readonly layer: string;
  readonly hex: string;
  readonly context: Readonly<Record<string, unknown>>;
  readonly expect: Readonly<Record<string, unknown>>;
}

const DIRECTORY = new URL('../vectors/', import.meta.url);

export function loadVectors(name: string): readonly Vector[] {
  return JSON.parse(readFileSync(new URL(`${name}.json`, DIRECTORY), 'utf8')) as Vector[];
}

export const bytesOf = (vector: Vector): Uint8Array => fromHex(vector.hex);
export const isNegative = (vector: Vector): boolean => vector.expect.valid === false;
export const unitOf = (vector: Vector): string | null => (vector.context.unit as string | undefined) ?? null;

/** Field names that stand in any `expect`. */
const vocabulary = new Set<string>();
for (const file of readdirSync(DIRECTORY).filter((name) => name.endsWith('.json'))) {
  for (const vector of loadVectors(file.replace('.json', ''))) learn(vector.expect);
}

function learn(value: unknown): void {
  if (value === null || typeof value !== 'object') return;
  for (const [key, member] of Object.entries(value)) {
    if (!Array.isArray(value)) vocabulary.add(key);
    learn(member);
  }
}

const checker = readFileSync(new URL('check.mjs', DIRECTORY), 'utf8');
/** Annotations of the corpus, not properties of the bytes: the same expression that `check.mjs` uses. */
const ANNOTATION = new RegExp(/^const ANNOTATION = \/(.*)\/;$/m.exec(checker)?.[1] ?? 'missing');

/** A decoded value as JSON shows it: octets as hex text, 64-bit integers as decimal text. */
export function shown(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return value.map(shown);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, shown(member)]));
}

/** Where a decoded value differs from what the vector expects; empty when it does not. */
export function differences(want: unknown, got: unknown): string[] {
  return compare(want, shown(got), '');
}

function compare(want: unknown, got: unknown, path: string): string[] {
  if (want === null || typeof want !== 'object') {
    return sameLeaf(want, got) ? [] : [`${path}: ${JSON.stringify(got)}, not ${JSON.stringify(want)}`];
  }
  if (Array.isArray(want)) {
    if (!Array.isArray(got) || got.length !== want.length) return [`${path}: not ${want.length} items`];
    return want.flatMap((member, index) => compare(member, got[index], `${path}[${index}]`));
  }
  if (got === null || typeof got !== 'object') return [`${path}: ${JSON.stringify(got)}, not an object`];
  return Object.entries(want)
    .filter(([key]) => vocabulary.has(key) && !ANNOTATION.test(key))
    .flatMap(([key, member]) => compare(member, (got as Record<string, unknown>)[key], path ? `${path}.${key}` : key));
}

function sameLeaf(want: unknown, got: unknown): boolean {
  if (want === got) return true;
  if (want === null) return got === undefined || got === null;
  if (typeof want === 'string' && typeof got === 'string') return want.toLowerCase() === got.toLowerCase();
  return String(want) === String(got) && typeof got !== 'object';
}
