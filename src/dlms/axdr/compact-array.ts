/**
 * compact-array (Green Book 9.5): the type of the elements is told once, then come their contents without tags.
 * Inside, an array has a fixed count and a structure its members; neither repeats them in the contents.
 */
import { ByteReader, ByteWriter } from '../../core/bytes.ts';
import { fail } from '../../core/errors.ts';
import type { Budget, CompactArray, Data } from './data.ts';
import { decodeCount, decodeOctetString, encodeLength, encodeOctetString } from './length.ts';
import { type DataTypeName, decodeScalar, encodeScalar, type Scalar, TAGS, typeOfTag } from './scalar.ts';

export type TypeDescription =
  | { readonly type: Scalar['type'] }
  | { readonly type: 'array'; readonly count: number; readonly element: TypeDescription }
  | { readonly type: 'structure'; readonly members: readonly TypeDescription[] };

const MAX_DEPTH = 32;

/** Reads a compact-array whose tag was read. */
export function decodeCompactArray(reader: ByteReader, budget: Budget): CompactArray {
  const typeDescription = decodeDescription(reader, budget, 0);
  const contents = new ByteReader(decodeOctetString(reader, 'compact-array contents'), reader.layer);
  const value: Data[] = [];
  while (contents.remaining > 0) {
    const start = contents.offset;
    value.push(decodeContents(contents, typeDescription, budget));
    if (contents.offset === start) contents.fail('MALFORMED', 'compact-array contents for elements that have none');
  }
  return { type: 'compact-array', elementType: typeDescription.type, typeDescription, value };
}

/** A type description that is all of the octets; several in a row are the members of a structure. */
export function parseTypeDescription(octets: Uint8Array, budget: Budget): TypeDescription {
  const reader = new ByteReader(octets, 'axdr');
  const members = [decodeDescription(reader, budget, 0)];
  while (reader.remaining > 0) members.push(decodeDescription(reader, budget, 0));
  const [only] = members;
  return members.length === 1 && only !== undefined ? only : { type: 'structure', members };
}

/** One value of a described type, whose contents without tags are all of the octets. Throws TRUNCATED, TRAILING_BYTES. */
export function parseContents(octets: Uint8Array, description: TypeDescription, budget: Budget): Data {
  const reader = new ByteReader(octets, 'axdr');
  const value = decodeContents(reader, description, budget);
  reader.expectEnd('contents');
  return value;
}

function decodeDescription(reader: ByteReader, budget: Budget, depth: number): TypeDescription {
  if (depth === MAX_DEPTH) reader.fail('LIMIT_EXCEEDED', `a type nested deeper than ${MAX_DEPTH} levels`);
  const tag = reader.u8('type description');
  const type = typeOfTag(tag);
  switch (type) {
    case undefined:
    case 'compact-array':
      return reader.fail('MALFORMED', `tag ${tag} cannot be the type of compact-array elements`);
    case 'array': {
      const count = reader.u16('array count');
      const element = decodeDescription(reader, budget, depth + 1);
      // Fifteen octets could otherwise unfold to a million elements, again and again in one APDU.
      if (!takesOctets(element)) reader.fail('MALFORMED', 'an array of elements without contents in a compact-array');
      return { type, count, element };
    }
    case 'structure': {
      const count = decodeCount(reader, 'structure type');
      spend(reader, budget, count);
      return { type, members: Array.from({ length: count }, () => decodeDescription(reader, budget, depth + 1)) };
    }
    default:
      return { type };
  }
}

function takesOctets(description: TypeDescription): boolean {
  switch (description.type) {
    case 'null-data':
    case 'dont-care':
      return false;
    case 'array':
      return description.count > 0 && takesOctets(description.element);
    case 'structure':
      return description.members.some(takesOctets);
    default:
      return true;
  }
}

function decodeContents(reader: ByteReader, description: TypeDescription, budget: Budget): Data {
  spend(reader, budget, 1);
  switch (description.type) {
    case 'array': {
      const value: Data[] = [];
      for (let index = 0; index < description.count; index += 1) {
        value.push(decodeContents(reader, description.element, budget));
      }
      return { type: 'array', value };
    }
    case 'structure':
      return { type: 'structure', value: description.members.map((member) => decodeContents(reader, member, budget)) };
    default:
      return decodeScalar(reader, TAGS[description.type]);
  }
}

/** Members without contents make elements out of nothing: they count as well. */
function spend(reader: ByteReader, budget: Budget, elements: number): void {
  budget.elements -= elements;
  if (budget.elements < 0) reader.fail('LIMIT_EXCEEDED', 'a compact-array of too many elements');
}

/** Writes a compact-array without its tag. Throws INVALID_VALUE when an element is not of the described type. */
export function encodeCompactArray(writer: ByteWriter, array: CompactArray): void {
  encodeDescription(writer, array.typeDescription);
  const contents = new ByteWriter();
  for (const element of array.value) encodeContents(contents, array.typeDescription, element);
  encodeOctetString(writer, contents.finish());
}

function encodeDescription(writer: ByteWriter, description: TypeDescription): void {
  writer.u8(TAGS[description.type]);
  if (description.type === 'array') {
    writer.u16(description.count);
    encodeDescription(writer, description.element);
  } else if (description.type === 'structure') {
    encodeLength(writer, description.members.length);
    for (const member of description.members) encodeDescription(writer, member);
  }
}

function encodeContents(writer: ByteWriter, description: TypeDescription, data: Data): void {
  switch (data.type) {
    case 'array':
      if (description.type !== 'array' || data.value.length !== description.count) mismatch(description, data);
      for (const element of data.value) encodeContents(writer, description.element, element);
      break;
    case 'structure':
      if (description.type !== 'structure' || data.value.length !== description.members.length) {
        mismatch(description, data);
      }
      description.members.forEach((member, index) => {
        encodeContents(writer, member, data.value[index] as Data);
      });
      break;
    default:
      if (data.type === 'compact-array' || data.type !== description.type) mismatch(description, data);
      encodeScalar(writer, data);
  }
}

function mismatch(description: TypeDescription, data: Data): never {
  const described: DataTypeName = description.type;
  fail('INVALID_VALUE', `${data.type} in a compact-array of ${described}`, { layer: 'axdr' });
}
