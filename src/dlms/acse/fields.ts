/** Contents of the fields of ACSE APDUs in BER (definite lengths), behind their context tags. */
import { ByteReader, ByteWriter } from '../../core/bytes.ts';
import type { Codec } from '../axdr/codec.ts';
import { decodeLength, decodeOctetString, encodeOctetString } from '../axdr/length.ts';
import type { NameTable } from '../axdr/names.ts';
import { decodeApdu } from '../xdlms/apdu.ts';
import {
  ASSOCIATION_RESULTS,
  applicationContextNameOf,
  mechanismNameOf,
  oidBytes,
  oidText,
  PROVIDER_DIAGNOSTICS,
  USER_DIAGNOSTICS,
} from './names.ts';
import type {
  ApplicationContextName,
  AuthenticationValue,
  CodeName,
  MechanismName,
  ResultSourceDiagnostic,
  UserInformation,
} from './types.ts';

const INTEGER = 0x02;
const OCTET_STRING = 0x04;
const OBJECT_IDENTIFIER = 0x06;

/** Reads one tag, length and contents that must be all of the octets; gives the contents. */
export function readElement(reader: ByteReader, tag: number, what: string): Uint8Array {
  const found = reader.u8(what);
  if (found !== tag) reader.fail('MALFORMED', `tag ${hex(found)} in ${what}, not ${hex(tag)}`);
  const contents = reader.take(decodeLength(reader), what);
  reader.expectEnd(what);
  return contents;
}

export function writeElement(writer: ByteWriter, tag: number, contents: Uint8Array): void {
  writer.u8(tag);
  encodeOctetString(writer, contents);
}

export function hex(tag: number): string {
  return tag.toString(16).padStart(2, '0');
}

/** An element of the given tag inside the field, as EXPLICIT tagging has it. */
function inside<T>(tag: number, what: string, codec: Codec<T>): Codec<T> {
  return {
    decode(reader) {
      const contents = new ByteReader(readElement(reader, tag, what), reader.layer);
      const value = codec.decode(contents);
      contents.expectEnd(what);
      return value;
    },
    encode(writer, value) {
      const contents = new ByteWriter();
      codec.encode(contents, value);
      writeElement(writer, tag, contents.finish());
    },
  };
}

/** All that is left. */
export const octets: Codec<Uint8Array> = {
  decode: (reader) => reader.rest(),
  encode: (writer, value) => void writer.bytes(value),
};

const integerContents: Codec<number> = {
  decode(reader) {
    const contents = reader.rest();
    if (contents.length === 0 || contents.length > 4)
      reader.fail('MALFORMED', `an INTEGER of ${contents.length} octets`);
    return contents.reduce((value, octet) => value * 0x100 + octet, (contents[0] ?? 0) >= 0x80 ? -1 : 0);
  },
  encode(writer, value) {
    if (value >= -0x80 && value < 0x80) writer.u8(value);
    else if (value >= -0x8000 && value < 0x8000) writer.u16(value);
    else writer.u32(value);
  },
};

export const apTitle: Codec<Uint8Array> = inside(OCTET_STRING, 'AP-title', octets);
export const aeQualifier: Codec<Uint8Array> = inside(OCTET_STRING, 'AE-qualifier', octets);
export const invocationId: Codec<number> = inside(INTEGER, 'invocation identifier', integerContents);

const contextOid: Codec<ApplicationContextName> = {
  decode: (reader) => applicationContextNameOf(oidText(reader.rest())),
  encode: (writer, { oid }) => void writer.bytes(oidBytes(oid)),
};
export const applicationContext = inside(OBJECT_IDENTIFIER, 'application-context-name', contextOid);

/** [11] and [9] IMPLICIT: no inner tag. */
export const mechanism: Codec<MechanismName> = {
  decode: (reader) => mechanismNameOf(oidText(reader.rest())),
  encode: (writer, { oid }) => void writer.bytes(oidBytes(oid)),
};

const AUTHENTICATION_CHOICES = { charstring: 0x80, bitstring: 0x81, external: 0xa2, other: 0xa3 } as const;

export const authenticationValue: Codec<AuthenticationValue> = {
  decode(reader) {
    const tag = reader.u8('authentication value');
    const found = Object.entries(AUTHENTICATION_CHOICES).find(([, number]) => number === tag);
    if (found === undefined) return reader.fail('MALFORMED', `${hex(tag)} is no choice of Authentication-value`);
    const contents = decodeOctetString(reader, 'authentication value');
    return { choice: found[0] as AuthenticationValue['choice'], hex: contents };
  },
  encode: (writer, value) => writeElement(writer, AUTHENTICATION_CHOICES[value.choice], value.hex),
};

export const result: Codec<CodeName> = inside(INTEGER, 'result', {
  decode(reader) {
    const code = integerContents.decode(reader);
    return { code, name: ASSOCIATION_RESULTS.nameOf(code) };
  },
  encode: (writer, { code }) => integerContents.encode(writer, code),
});

const USER = 0xa1;
const PROVIDER = 0xa2;

export const resultSourceDiagnostic: Codec<ResultSourceDiagnostic> = {
  decode(reader) {
    const tag = reader.peek();
    if (tag !== USER && tag !== PROVIDER) return reader.fail('MALFORMED', 'no choice of Associate-source-diagnostic');
    const code = inside(tag, 'result-source-diagnostic', invocationId).decode(reader);
    return tag === USER
      ? { source: 'acse-service-user', code, name: USER_DIAGNOSTICS.nameOf(code) }
      : { source: 'acse-service-provider', code, name: PROVIDER_DIAGNOSTICS.nameOf(code) };
  },
  encode(writer, { source, code }) {
    const tag = source === 'acse-service-user' ? USER : PROVIDER;
    inside(tag, 'result-source-diagnostic', invocationId).encode(writer, code);
  },
};

/** Contents are read, but what they hold is decoded by `decodedUserInformation`, for a rejection may hold anything. */
export const userInformation: Codec<UserInformation> = {
  decode: (reader) => ({ hex: readElement(reader, OCTET_STRING, 'user-information'), decoded: null }),
  encode: (writer, value) => writeElement(writer, OCTET_STRING, value.hex),
};

export function decodedUserInformation({ hex: inner }: UserInformation): UserInformation {
  return { hex: inner, decoded: decodeApdu(inner) };
}

/** [0] IMPLICIT INTEGER with names: the reason of a release. */
export function releaseReason(table: NameTable<string>): Codec<string> {
  return {
    decode: (reader) => table.nameOf(integerContents.decode(reader)),
    encode: (writer, name) => integerContents.encode(writer, table.codeOf(name)),
  };
}
