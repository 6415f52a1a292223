/**
 * ACSE APDUs in BER (Green Book 9.4.2): AARQ [APPLICATION 0], AARE [1], RLRQ [2], RLRE [3]. Fields may come in any order: meters
 * put the system title behind the challenge.
 */
import { ByteReader, ByteWriter } from '../../core/bytes.ts';
import { BridgeError, fail } from '../../core/errors.ts';
import type { Codec } from '../axdr/codec.ts';
import { decodeLength, encodeOctetString } from '../axdr/length.ts';
import type { AuthenticationLevel } from '../settings.ts';
import { AUTHENTICATION_LEVELS } from '../settings.ts';
import type { Apdu } from '../xdlms/apdu.ts';
import { encodeApdu } from '../xdlms/apdu.ts';
import {
  aeQualifier,
  applicationContext,
  apTitle,
  authenticationValue,
  decodedUserInformation,
  hex,
  invocationId,
  mechanism,
  octets,
  releaseReason,
  result,
  resultSourceDiagnostic,
  userInformation,
  writeElement,
} from './fields.ts';
import {
  type ApplicationContext,
  ASSOCIATION_RESULTS,
  applicationContextName,
  MECHANISMS,
  mechanismName,
  RELEASE_REQUEST_REASONS,
  RELEASE_RESPONSE_REASONS,
  USER_DIAGNOSTICS,
} from './names.ts';
import type { Aare, Aarq, AcseApdu, UserInformation } from './types.ts';

type AcseName = AcseApdu['apdu'];
interface Field {
  readonly tag: number;
  readonly name: string;
  readonly codec: Codec<never>;
}

const field = <T>(tag: number, name: string, codec: Codec<T>): Field => ({ tag, name, codec: codec as Codec<never> });

/** Fields in the order of the standard. */
const FIELDS: Readonly<Record<AcseName, readonly Field[]>> = {
  aarq: [
    field(0x80, 'protocolVersion', octets),
    field(0xa1, 'applicationContextName', applicationContext),
    field(0xa2, 'calledAPTitle', apTitle),
    field(0xa3, 'calledAEQualifier', aeQualifier),
    field(0xa4, 'calledAPInvocationId', invocationId),
    field(0xa5, 'calledAEInvocationId', invocationId),
    field(0xa6, 'callingAPTitle', apTitle),
    field(0xa7, 'callingAEQualifier', aeQualifier),
    field(0xa8, 'callingAPInvocationId', invocationId),
    field(0xa9, 'callingAEInvocationId', invocationId),
    field(0x8a, 'senderAcseRequirements', octets),
    field(0x8b, 'mechanismName', mechanism),
    field(0xac, 'callingAuthenticationValue', authenticationValue),
    field(0xbd, 'implementationInformation', octets),
    field(0xbe, 'userInformation', userInformation),
  ],
  aare: [
    field(0x80, 'protocolVersion', octets),
    field(0xa1, 'applicationContextName', applicationContext),
    field(0xa2, 'result', result),
    field(0xa3, 'resultSourceDiagnostic', resultSourceDiagnostic),
    field(0xa4, 'respondingAPTitle', apTitle),
    field(0xa5, 'respondingAEQualifier', aeQualifier),
    field(0xa6, 'respondingAPInvocationId', invocationId),
    field(0xa7, 'respondingAEInvocationId', invocationId),
    field(0x88, 'responderAcseRequirements', octets),
    field(0x89, 'mechanismName', mechanism),
    field(0xaa, 'respondingAuthenticationValue', authenticationValue),
    field(0xbd, 'implementationInformation', octets),
    field(0xbe, 'userInformation', userInformation),
  ],
  rlrq: [
    field(0x80, 'reason', releaseReason(RELEASE_REQUEST_REASONS)),
    field(0xbe, 'userInformation', userInformation),
  ],
  rlre: [
    field(0x80, 'reason', releaseReason(RELEASE_RESPONSE_REASONS)),
    field(0xbe, 'userInformation', userInformation),
  ],
};

const TAGS: Readonly<Record<AcseName, number>> = { aarq: 0x60, aare: 0x61, rlrq: 0x62, rlre: 0x63 };
const NAMES = Object.keys(TAGS) as AcseName[];
const MANDATORY: Readonly<Record<AcseName, readonly string[]>> = {
  aarq: ['applicationContextName'],
  aare: ['applicationContextName', 'result', 'resultSourceDiagnostic'],
  rlrq: [],
  rlre: [],
};

/** The bit string that says: authentication functional unit. */
const AUTHENTICATION_UNIT = Uint8Array.of(0x07, 0x80);

/** Whether the first octet is the tag of an ACSE APDU. */
export function isAcseTag(tag: number): boolean {
  return tag >= TAGS.aarq && tag <= TAGS.rlre;
}

/**
 * Decodes one whole ACSE APDU, user-information included. Throws TRUNCATED, MALFORMED or TRAILING_BYTES. User-information
 * that cannot be read does not spoil a rejection: then its `decoded` is null.
 */
export function decodeAcse(bytes: Uint8Array): AcseApdu {
  const reader = new ByteReader(bytes, 'acse');
  const tag = reader.u8('ACSE tag');
  const apdu = NAMES.find((name) => TAGS[name] === tag);
  if (apdu === undefined) return reader.fail('MALFORMED', `tag ${hex(tag)} is no ACSE APDU`);
  const contents = new ByteReader(reader.take(decodeLength(reader), apdu), 'acse');
  reader.expectEnd(apdu);

  const value: Record<string, unknown> = { apdu };
  const fieldOrder: string[] = [];
  while (contents.remaining > 0) decodeField(contents, apdu, value, fieldOrder);
  for (const name of MANDATORY[apdu]) if (!(name in value)) contents.fail('MALFORMED', `${apdu} without ${name}`);
  value.fieldOrder = fieldOrder;
  return withUserInformation(value as unknown as AcseApdu);
}

function decodeField(contents: ByteReader, apdu: AcseName, value: Record<string, unknown>, order: string[]): void {
  const tag = contents.u8('field tag');
  const found = FIELDS[apdu].find((one) => one.tag === tag);
  if (found === undefined) contents.fail('MALFORMED', `tag ${hex(tag)} is no field of ${apdu}`);
  if (found.name in value) contents.fail('MALFORMED', `${found.name} twice in ${apdu}`);
  const inner = new ByteReader(contents.take(decodeLength(contents), found.name), 'acse');
  value[found.name] = found.codec.decode(inner);
  inner.expectEnd(found.name);
  order.push(hex(tag));
}

function withUserInformation(value: AcseApdu): AcseApdu {
  if (value.userInformation === undefined) return value;
  try {
    return { ...value, userInformation: decodedUserInformation(value.userInformation) };
  } catch (error) {
    if (error instanceof BridgeError && value.apdu === 'aare' && value.result.code !== 0) return value;
    throw error;
  }
}

/** Encodes an ACSE APDU; in the order of the standard, or in its `fieldOrder`. */
export function encodeAcse(apdu: AcseApdu): Uint8Array {
  const contents = new ByteWriter();
  for (const { tag, name, codec } of ordered(FIELDS[apdu.apdu], apdu.fieldOrder)) {
    const value = (apdu as unknown as Readonly<Record<string, unknown>>)[name];
    if (value === undefined || value === null) continue;
    const inner = new ByteWriter();
    codec.encode(inner, value as never);
    writeElement(contents, tag, inner.finish());
  }
  const writer = new ByteWriter(contents.length + 4).u8(TAGS[apdu.apdu]);
  encodeOctetString(writer, contents.finish());
  return writer.finish();
}

function ordered(fields: readonly Field[], order: readonly string[] | undefined): readonly Field[] {
  if (order === undefined) return fields;
  const place = ({ tag }: Field): number => {
    const found = order.indexOf(hex(tag));
    return found < 0 ? order.length : found;
  };
  return [...fields].sort((a, b) => place(a) - place(b));
}

/** User-information that holds this APDU. */
export function userInformationOf(apdu: Apdu): UserInformation {
  return { hex: encodeApdu(apdu), decoded: apdu };
}

export interface AarqParameters {
  readonly referencing: 'ln' | 'sn';
  readonly authentication: AuthenticationLevel;
  /** LLS password or the client's HLS challenge; without one for level none. */
  readonly authenticationValue: Uint8Array | null;
  /** Usually an initiateRequest, or its ciphered form. */
  readonly userInformation: Apdu;
  /** Ciphered application context; needs a system title. */
  readonly ciphered?: boolean;
  readonly systemTitle?: Uint8Array;
  /** Of the client's signing key, in DER. */
  readonly certificate?: Uint8Array;
}

/** The AARQ of a client. */
export function aarqOf(parameters: AarqParameters): Aarq {
  const { authentication, authenticationValue: value, systemTitle } = parameters;
  return {
    apdu: 'aarq',
    applicationContextName: applicationContextName(contextOf(parameters.referencing, parameters.ciphered ?? false)),
    ...(systemTitle && { callingAPTitle: systemTitle }),
    ...(parameters.certificate && { callingAEQualifier: parameters.certificate }),
    ...(authentication !== 'none' && {
      senderAcseRequirements: AUTHENTICATION_UNIT,
      mechanismName: mechanismName(MECHANISMS[AUTHENTICATION_LEVELS.indexOf(authentication)] ?? 'NONE'),
      callingAuthenticationValue: { choice: 'charstring', hex: value ?? new Uint8Array(0) } as const,
    }),
    userInformation: userInformationOf(parameters.userInformation),
  };
}

export function contextOf(referencing: 'ln' | 'sn', ciphered: boolean): ApplicationContext {
  const plain = referencing === 'ln' ? 'LN' : 'SN';
  return ciphered ? `${plain}_WITH_CIPHERING` : plain;
}

export interface AareParameters {
  readonly context: ApplicationContext;
  /** Codes of result and of the service user's diagnostic; see `ASSOCIATION_RESULTS` and `USER_DIAGNOSTICS`. */
  readonly result: number;
  readonly diagnostic: number;
  readonly userInformation?: Apdu;
  readonly systemTitle?: Uint8Array;
  /** Of the server's signing key, in DER. */
  readonly certificate?: Uint8Array;
  /** The server's HLS challenge and mechanism. */
  readonly challenge?: { readonly authentication: AuthenticationLevel; readonly value: Uint8Array };
}

/** The AARE of a server. */
export function aareOf({ context, result: code, diagnostic, ...rest }: AareParameters): Aare {
  if (code === 0 && rest.userInformation === undefined)
    fail('INVALID_VALUE', 'an accepting AARE needs user-information');
  return {
    apdu: 'aare',
    applicationContextName: applicationContextName(context),
    result: { code, name: ASSOCIATION_RESULTS.nameOf(code) },
    resultSourceDiagnostic: {
      source: 'acse-service-user',
      code: diagnostic,
      name: USER_DIAGNOSTICS.nameOf(diagnostic),
    },
    ...(rest.systemTitle && { respondingAPTitle: rest.systemTitle }),
    ...(rest.certificate && { respondingAEQualifier: rest.certificate }),
    ...(rest.challenge && {
      responderAcseRequirements: AUTHENTICATION_UNIT,
      mechanismName: mechanismName(MECHANISMS[AUTHENTICATION_LEVELS.indexOf(rest.challenge.authentication)] ?? 'NONE'),
      respondingAuthenticationValue: { choice: 'charstring', hex: rest.challenge.value } as const,
    }),
    ...(rest.userInformation && { userInformation: userInformationOf(rest.userInformation) }),
  };
}
