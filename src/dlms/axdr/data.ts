/**
 * Data, the CHOICE that every COSEM value is (Green Book 9.5, type Data), in A-XDR. Decoded values are views of the
 * octets given, not copies.
 */
import { ByteReader, ByteWriter } from '../../core/bytes.ts';
import { decodeCompactArray, encodeCompactArray, type TypeDescription } from './compact-array.ts';
import type { CosemDate, CosemDateTime, CosemTime } from './date-time.ts';
import { decodeCount, encodeLength } from './length.ts';
import { type DataTypeName, decodeScalar, encodeScalar, TAGS } from './scalar.ts';

export type { DataTypeName } from './scalar.ts';

export type Data =
  | { readonly type: 'null-data' | 'dont-care' }
  | { readonly type: 'array' | 'structure'; readonly value: readonly Data[] }
  | { readonly type: 'boolean'; readonly value: boolean }
  /** Text of 0 and 1, the first bit first. */
  | { readonly type: 'bit-string'; readonly value: string }
  | { readonly type: NumberType; readonly value: number }
  | { readonly type: 'long64' | 'long64-unsigned'; readonly value: bigint }
  | { readonly type: 'octet-string'; readonly value: Uint8Array }
  | { readonly type: 'visible-string' | 'utf8-string'; readonly value: string }
  | { readonly type: 'date-time'; readonly value: CosemDateTime }
  | { readonly type: 'date'; readonly value: CosemDate }
  | { readonly type: 'time'; readonly value: CosemTime }
  | CompactArray;

export type NumberType =
  | 'integer'
  | 'long'
  | 'double-long'
  | 'unsigned'
  | 'long-unsigned'
  | 'double-long-unsigned'
  | 'bcd'
  | 'enum'
  | 'float32'
  | 'float64'
  | 'delta-integer'
  | 'delta-long'
  | 'delta-double-long'
  | 'delta-unsigned'
  | 'delta-long-unsigned'
  | 'delta-double-long-unsigned';

export interface CompactArray {
  readonly type: 'compact-array';
  readonly elementType: DataTypeName;
  /** What the octets say about the elements, nested types included. */
  readonly typeDescription: TypeDescription;
  readonly value: readonly Data[];
}

/** How many elements one value may still unfold to; shared by all levels of it. */
export interface Budget {
  elements: number;
}

const MAX_DEPTH = 32;
/** A year of quarter-hour rows with 20 columns is 735,000. */
const MAX_ELEMENTS = 1_000_000;

/** Reads one value. Throws TRUNCATED, MALFORMED (unknown tag, bad date), LIMIT_EXCEEDED (32 levels, 1,000,000 elements). */
export function decodeData(reader: ByteReader): Data {
  return decodeElement(reader, { elements: MAX_ELEMENTS }, 0);
}

function decodeElement(reader: ByteReader, budget: Budget, depth: number): Data {
  const tag = reader.u8('data tag');
  switch (tag) {
    case TAGS.array:
      return { type: 'array', value: decodeElements(reader, budget, depth) };
    case TAGS.structure:
      return { type: 'structure', value: decodeElements(reader, budget, depth) };
    case TAGS['compact-array']:
      return decodeCompactArray(reader, budget);
    default:
      return decodeScalar(reader, tag);
  }
}

function decodeElements(reader: ByteReader, budget: Budget, depth: number): Data[] {
  const count = decodeCount(reader, 'array or structure');
  if (depth === MAX_DEPTH) reader.fail('LIMIT_EXCEEDED', `data nested deeper than ${MAX_DEPTH} levels`);
  budget.elements -= count;
  if (budget.elements < 0) reader.fail('LIMIT_EXCEEDED', `data of more than ${MAX_ELEMENTS} elements`);
  const elements: Data[] = [];
  for (let index = 0; index < count; index += 1) elements.push(decodeElement(reader, budget, depth + 1));
  return elements;
}

/** One value that is all of the octets. */
export function parseData(octets: Uint8Array): Data {
  const reader = new ByteReader(octets, 'axdr');
  const data = decodeData(reader);
  reader.expectEnd('value');
  return data;
}

/** Writes one value. Throws INVALID_VALUE when a number does not fit its type. */
export function encodeData(writer: ByteWriter, data: Data): void {
  switch (data.type) {
    case 'array':
    case 'structure':
      writer.u8(TAGS[data.type]);
      encodeLength(writer, data.value.length);
      for (const element of data.value) encodeData(writer, element);
      return;
    case 'compact-array':
      writer.u8(TAGS['compact-array']);
      encodeCompactArray(writer, data);
      return;
    default:
      writer.u8(TAGS[data.type]);
      encodeScalar(writer, data);
  }
}

export function dataBytes(data: Data): Uint8Array {
  const writer = new ByteWriter();
  encodeData(writer, data);
  return writer.finish();
}
