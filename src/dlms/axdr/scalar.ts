/** The simple types of Data: their tags, and their contents without the tag, as compact arrays have them too. */
import type { ByteReader, ByteWriter } from '../../core/bytes.ts';
import { fail } from '../../core/errors.ts';
import type { CompactArray, Data, NumberType } from './data.ts';
import { decodeDate, decodeDateTime, decodeTime, encodeDate, encodeDateTime, encodeTime } from './date-time.ts';
import { decodeLength, decodeOctetString, encodeLength, encodeOctetString } from './length.ts';

/** Tags of the CHOICE, Green Book 9.5. */
export const TAGS = {
  'null-data': 0,
  array: 1,
  structure: 2,
  boolean: 3,
  'bit-string': 4,
  'double-long': 5,
  'double-long-unsigned': 6,
  'octet-string': 9,
  'visible-string': 10,
  'utf8-string': 12,
  bcd: 13,
  integer: 15,
  long: 16,
  unsigned: 17,
  'long-unsigned': 18,
  'compact-array': 19,
  long64: 20,
  'long64-unsigned': 21,
  enum: 22,
  float32: 23,
  float64: 24,
  'date-time': 25,
  date: 26,
  time: 27,
  'delta-integer': 28,
  'delta-long': 29,
  'delta-double-long': 30,
  'delta-unsigned': 31,
  'delta-long-unsigned': 32,
  'delta-double-long-unsigned': 33,
  'dont-care': 255,
} as const;

export type DataTypeName = keyof typeof TAGS;
export type Scalar = Exclude<Data, CompactArray | { readonly type: 'array' | 'structure' }>;

export const NULL_DATA: Scalar = Object.freeze({ type: 'null-data' });
const DONT_CARE: Scalar = Object.freeze({ type: 'dont-care' });
const TRUE: Scalar = Object.freeze({ type: 'boolean', value: true });
const FALSE: Scalar = Object.freeze({ type: 'boolean', value: false });

const NAMES: ReadonlyMap<number, DataTypeName> = new Map(
  Object.entries(TAGS).map(([name, tag]) => [tag, name as DataTypeName]),
);

/** The type of a tag, undefined when the tag is not assigned. */
export function typeOfTag(tag: number): DataTypeName | undefined {
  return NAMES.get(tag);
}

const BITS_OF_OCTET = Array.from({ length: 256 }, (_, octet) => octet.toString(2).padStart(8, '0'));

/** Reads the contents of a simple type whose tag was read. Any boolean but 00 is true. */
export function decodeScalar(reader: ByteReader, tag: number): Scalar {
  switch (tag) {
    case TAGS['null-data']:
      return NULL_DATA;
    case TAGS.boolean:
      return reader.u8('boolean') === 0 ? FALSE : TRUE;
    case TAGS['bit-string']:
      return { type: 'bit-string', value: decodeBits(reader) };
    case TAGS['double-long']:
      return { type: 'double-long', value: reader.i32('double-long') };
    case TAGS['double-long-unsigned']:
      return { type: 'double-long-unsigned', value: reader.u32('double-long-unsigned') };
    case TAGS['octet-string']:
      return { type: 'octet-string', value: decodeOctetString(reader) };
    case TAGS['visible-string']:
      return { type: 'visible-string', value: text(decodeOctetString(reader, 'visible-string'), 'latin1') };
    case TAGS['utf8-string']:
      return { type: 'utf8-string', value: text(decodeOctetString(reader, 'utf8-string'), 'utf8') };
    case TAGS.bcd:
      return { type: 'bcd', value: reader.i8('bcd') };
    case TAGS.integer:
      return { type: 'integer', value: reader.i8('integer') };
    case TAGS.long:
      return { type: 'long', value: reader.i16('long') };
    case TAGS.unsigned:
      return { type: 'unsigned', value: reader.u8('unsigned') };
    case TAGS['long-unsigned']:
      return { type: 'long-unsigned', value: reader.u16('long-unsigned') };
    case TAGS.long64:
      return { type: 'long64', value: reader.i64('long64') };
    case TAGS['long64-unsigned']:
      return { type: 'long64-unsigned', value: reader.u64('long64-unsigned') };
    case TAGS.enum:
      return { type: 'enum', value: reader.u8('enum') };
    case TAGS.float32:
      return { type: 'float32', value: reader.f32('float32') };
    case TAGS.float64:
      return { type: 'float64', value: reader.f64('float64') };
    case TAGS['date-time']:
      return { type: 'date-time', value: decodeDateTime(reader) };
    case TAGS.date:
      return { type: 'date', value: decodeDate(reader) };
    case TAGS.time:
      return { type: 'time', value: decodeTime(reader) };
    case TAGS['delta-integer']:
      return { type: 'delta-integer', value: reader.i8('delta-integer') };
    case TAGS['delta-long']:
      return { type: 'delta-long', value: reader.i16('delta-long') };
    case TAGS['delta-double-long']:
      return { type: 'delta-double-long', value: reader.i32('delta-double-long') };
    case TAGS['delta-unsigned']:
      return { type: 'delta-unsigned', value: reader.u8('delta-unsigned') };
    case TAGS['delta-long-unsigned']:
      return { type: 'delta-long-unsigned', value: reader.u16('delta-long-unsigned') };
    case TAGS['delta-double-long-unsigned']:
      return { type: 'delta-double-long-unsigned', value: reader.u32('delta-double-long-unsigned') };
    case TAGS['dont-care']:
      return DONT_CARE;
    default:
      return reader.fail('MALFORMED', `tag ${tag} is no type of the Data CHOICE`);
  }
}

/** The length of a bit-string counts bits. */
function decodeBits(reader: ByteReader): string {
  const count = decodeLength(reader);
  const octets = reader.take(Math.ceil(count / 8), 'bit-string');
  let bits = '';
  for (const octet of octets) bits += BITS_OF_OCTET[octet];
  return bits.slice(0, count);
}

function text(octets: Uint8Array, encoding: 'latin1' | 'utf8'): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString(encoding);
}

/** Writes the contents of a simple type, without the tag. True is written 01. */
export function encodeScalar(writer: ByteWriter, data: Scalar): void {
  switch (data.type) {
    case 'null-data':
    case 'dont-care':
      return;
    case 'boolean':
      writer.u8(data.value ? 1 : 0);
      return;
    case 'bit-string':
      encodeBits(writer, data.value);
      return;
    case 'octet-string':
      encodeOctetString(writer, data.value);
      return;
    case 'visible-string':
      encodeOctetString(writer, Buffer.from(data.value, 'latin1'));
      return;
    case 'utf8-string':
      encodeOctetString(writer, Buffer.from(data.value, 'utf8'));
      return;
    case 'long64':
      if (BigInt.asIntN(64, data.value) !== data.value) unfit(data.type, data.value);
      writer.i64(data.value);
      return;
    case 'long64-unsigned':
      if (BigInt.asUintN(64, data.value) !== data.value) unfit(data.type, data.value);
      writer.u64(data.value);
      return;
    case 'date-time':
      encodeDateTime(writer, data.value);
      return;
    case 'date':
      encodeDate(writer, data.value);
      return;
    case 'time':
      encodeTime(writer, data.value);
      return;
    case 'float32':
      writer.f32(data.value);
      return;
    case 'float64':
      writer.f64(data.value);
      return;
    default:
      encodeInteger(writer, data.type, data.value);
  }
}

function encodeBits(writer: ByteWriter, bits: string): void {
  if (/[^01]/.test(bits)) fail('INVALID_VALUE', 'a bit-string is written with 0 and 1', { layer: 'axdr' });
  encodeLength(writer, bits.length);
  for (let at = 0; at < bits.length; at += 8) writer.u8(Number.parseInt(bits.slice(at, at + 8).padEnd(8, '0'), 2));
}

type IntegerType = Exclude<NumberType, 'float32' | 'float64'>;

/** Octets of an integer type, and whether it has a sign. */
const INTEGERS: Readonly<Record<IntegerType, readonly [octets: 1 | 2 | 4, signed: boolean]>> = {
  integer: [1, true],
  long: [2, true],
  'double-long': [4, true],
  unsigned: [1, false],
  'long-unsigned': [2, false],
  'double-long-unsigned': [4, false],
  bcd: [1, true],
  enum: [1, false],
  'delta-integer': [1, true],
  'delta-long': [2, true],
  'delta-double-long': [4, true],
  'delta-unsigned': [1, false],
  'delta-long-unsigned': [2, false],
  'delta-double-long-unsigned': [4, false],
};

/** The smallest and largest value of an integer type. */
export function rangeOf(type: IntegerType): readonly [smallest: number, largest: number] {
  const [octets, signed] = INTEGERS[type];
  const values = 2 ** (8 * octets);
  return signed ? [-values / 2, values / 2 - 1] : [0, values - 1];
}

function encodeInteger(writer: ByteWriter, type: IntegerType, value: number): void {
  const [smallest, largest] = rangeOf(type);
  if (!Number.isInteger(value) || value < smallest || value > largest) unfit(type, value);
  const [octets] = INTEGERS[type];
  if (octets === 1) writer.u8(value);
  else if (octets === 2) writer.u16(value);
  else writer.u32(value);
}

function unfit(type: DataTypeName, value: number | bigint): never {
  fail('INVALID_VALUE', `${value} does not fit ${type}`, { layer: 'axdr' });
}
