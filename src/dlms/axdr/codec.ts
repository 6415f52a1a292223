/**
 * A-XDR (IEC 61334-6) as values: a codec reads and writes one type, combinators make larger ones from smaller. An APDU is
 * then described once, field by field in the order of the standard, and decoding cannot drift from encoding.
 */
import type { ByteReader, ByteWriter } from '../../core/bytes.ts';
import { fail } from '../../core/errors.ts';
import { type Data, decodeData, encodeData } from './data.ts';
import { decodeCount, decodeOctetString, encodeLength, encodeOctetString } from './length.ts';
import { decodeObis, encodeObis } from './obis.ts';

export interface Codec<T> {
  decode(reader: ByteReader): T;
  encode(writer: ByteWriter, value: T): void;
}

/** A codec for each field of an object, in the order in which they are transmitted. */
export type FieldCodecs<T> = { readonly [Name in keyof T]-?: Codec<T[Name]> };

export const unsigned8: Codec<number> = {
  decode: (reader) => reader.u8('Unsigned8'),
  encode: (writer, value) => void writer.u8(fitting(value, 0, 0xff)),
};

export const unsigned16: Codec<number> = {
  decode: (reader) => reader.u16('Unsigned16'),
  encode: (writer, value) => void writer.u16(fitting(value, 0, 0xffff)),
};

export const unsigned32: Codec<number> = {
  decode: (reader) => reader.u32('Unsigned32'),
  encode: (writer, value) => void writer.u32(fitting(value, 0, 0xffffffff)),
};

export const integer8: Codec<number> = {
  decode: (reader) => reader.i8('Integer8'),
  encode: (writer, value) => void writer.u8(fitting(value, -0x80, 0x7f)),
};

function fitting(value: number, smallest: number, largest: number): number {
  if (Number.isInteger(value) && value >= smallest && value <= largest) return value;
  return fail('INVALID_VALUE', `${value} is not in the range ${smallest} to ${largest}`, { layer: 'axdr' });
}

/** Any octet but 00 is true; true is written 01. */
export const boolean: Codec<boolean> = {
  decode: (reader) => reader.u8('BOOLEAN') !== 0,
  encode: (writer, value) => void writer.u8(value ? 1 : 0),
};

export const octetString: Codec<Uint8Array> = {
  decode: (reader) => decodeOctetString(reader),
  encode: encodeOctetString,
};
export const logicalName: Codec<string> = { decode: decodeObis, encode: encodeObis };
export const dataValue: Codec<Data> = { decode: decodeData, encode: encodeData };

/** An OPTIONAL element: a flag 00 or 01, and the element after 01. Absent is null. */
export function optional<T>(codec: Codec<T>): Codec<T | null> {
  return {
    decode: (reader) => (decodeFlag(reader) ? codec.decode(reader) : null),
    encode(writer, value) {
      writer.u8(value === null ? 0 : 1);
      if (value !== null) codec.encode(writer, value);
    },
  };
}

/** The flag of an OPTIONAL or DEFAULT element. Anything but 00 and 01 shows that the octets are something else. */
export function decodeFlag(reader: ByteReader): boolean {
  const flag = reader.u8('optional flag');
  if (flag > 1) reader.fail('MALFORMED', `${flag} stands where 0 or 1 tells whether an optional element follows`);
  return flag === 1;
}

/** A SEQUENCE OF: a count and the elements. */
export function listOf<T>(codec: Codec<T>): Codec<readonly T[]> {
  return {
    decode(reader) {
      const count = decodeCount(reader, 'list');
      const elements: T[] = [];
      for (let index = 0; index < count; index += 1) elements.push(codec.decode(reader));
      return elements;
    },
    encode(writer, elements) {
      encodeLength(writer, elements.length);
      for (const element of elements) codec.encode(writer, element);
    },
  };
}

/** A SEQUENCE: its elements one after the other. */
export function sequence<T extends object>(fields: FieldCodecs<T>): Codec<T> {
  const names = Object.keys(fields) as (keyof T)[];
  return {
    decode(reader) {
      const value: Partial<T> = {};
      for (const name of names) value[name] = fields[name].decode(reader);
      return value as T;
    },
    encode(writer, value) {
      for (const name of names) fields[name].encode(writer, value[name]);
    },
  };
}

/** Two sequences in one object, the second after the first. */
export function joined<A extends object, B extends object>(first: Codec<A>, second: Codec<B>): Codec<A & B> {
  return {
    decode: (reader) => ({ ...first.decode(reader), ...second.decode(reader) }),
    encode(writer, value) {
      first.encode(writer, value);
      second.encode(writer, value);
    },
  };
}

/** An alternative of a CHOICE that is shown as an object with one member, the name of the alternative. */
export type Alternatives<T> = {
  readonly [Name in T extends unknown ? keyof T : never]: readonly [
    choice: number,
    codec: Codec<T extends { readonly [K in Name]: infer Value } ? Value : never>,
  ];
};

/** A CHOICE: an octet that says which alternative follows, shown as `{name: value}`. */
export function choice<T extends object>(what: string, alternatives: Alternatives<T>): Codec<T> {
  const entries = Object.entries(alternatives) as [string, readonly [number, Codec<unknown>]][];
  return {
    decode(reader) {
      const octet = reader.u8(what);
      const found = entries.find(([, [number]]) => number === octet);
      if (found === undefined) return reader.fail('MALFORMED', `${octet} is no choice of ${what}`);
      const [name, [, codec]] = found;
      return { [name]: codec.decode(reader) } as T;
    },
    encode(writer, value) {
      const found = entries.find(([name]) => name in value);
      if (found === undefined) return fail('INVALID_VALUE', `no choice of ${what} in the value`, { layer: 'axdr' });
      const [name, [octet, codec]] = found;
      writer.u8(octet);
      codec.encode(writer, (value as Record<string, unknown>)[name]);
    },
  };
}
