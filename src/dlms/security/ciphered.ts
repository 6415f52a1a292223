/**
 * The outside of ciphered APDUs (Green Book 9.2.7): what can be told of them without keys. service-specific (glo-, ded-),
 * general-glo/ded-ciphering, general-ciphering and general-signing.
 */
import { ByteReader, ByteWriter } from '../../core/bytes.ts';
import {
  type Codec,
  choice,
  type FieldCodecs,
  joined,
  octetString,
  optional,
  sequence,
  unsigned8,
} from '../axdr/codec.ts';
import { decodeOctetString, encodeLength } from '../axdr/length.ts';

/** Tags of the service-specific ciphered APDUs, Green Book 9.5: [33..88] and [200..215]. */
export const SERVICE_CIPHERED_TAGS = {
  'glo-initiateRequest': 33,
  'glo-readRequest': 37,
  'glo-writeRequest': 38,
  'glo-initiateResponse': 40,
  'glo-readResponse': 44,
  'glo-writeResponse': 45,
  'glo-confirmedServiceError': 46,
  'glo-unconfirmedWriteRequest': 54,
  'glo-informationReportRequest': 56,
  'ded-initiateRequest': 65,
  'ded-readRequest': 69,
  'ded-writeRequest': 70,
  'ded-initiateResponse': 72,
  'ded-readResponse': 76,
  'ded-writeResponse': 77,
  'ded-confirmedServiceError': 78,
  'ded-unconfirmedWriteRequest': 86,
  'ded-informationReportRequest': 88,
  'glo-get-request': 200,
  'glo-set-request': 201,
  'glo-event-notification-request': 202,
  'glo-action-request': 203,
  'glo-get-response': 204,
  'glo-set-response': 205,
  'glo-action-response': 207,
  'ded-get-request': 208,
  'ded-set-request': 209,
  'ded-event-notification-request': 210,
  'ded-action-request': 211,
  'ded-get-response': 212,
  'ded-set-response': 213,
  'ded-action-response': 215,
} as const;

export const GENERAL_CIPHERED_TAGS = {
  'general-glo-ciphering': 219,
  'general-ded-ciphering': 220,
  'general-ciphering': 221,
  'general-signing': 223,
} as const;

export interface SecurityControl {
  /** Hex text; alone what is encoded. */
  readonly raw: string;
  readonly suite: number;
  readonly authenticated: boolean;
  readonly encrypted: boolean;
  readonly keySet: 'unicast' | 'broadcast';
  readonly compressed: boolean;
}

/** Security header, contents and tag; what the length octets of a ciphered APDU enclose. */
export interface Protected {
  readonly securityControl: SecurityControl;
  readonly invocationCounter: number;
  /** Ciphertext when `encrypted`, else the APDU itself. */
  readonly ciphertextOrPlain: Uint8Array;
  /** 12 octets when `authenticated`, else null. */
  readonly authenticationTag: Uint8Array | null;
}

export interface ServiceCiphered extends Protected {
  readonly apdu: keyof typeof SERVICE_CIPHERED_TAGS;
}

export interface GeneralGloDedCiphering extends Protected {
  readonly apdu: 'general-glo-ciphering' | 'general-ded-ciphering';
  /** Empty when the sender leaves it to configuration. */
  readonly systemTitle: Uint8Array;
  /** `ciphertextOrPlain` again, present only when it is encrypted; ignored when encoding. */
  readonly ciphertext?: Uint8Array;
}

export type KeyInfo =
  | { readonly identifiedKey: { readonly keyId: number } }
  | { readonly wrappedKey: { readonly kekId: number; readonly keyCipheredData: Uint8Array } }
  | { readonly agreedKey: { readonly keyParameters: Uint8Array; readonly keyCipheredData: Uint8Array } };

/** Fields before the contents in general-ciphering and general-signing. */
export interface GeneralHeader {
  readonly transactionId: Uint8Array;
  readonly originatorSystemTitle: Uint8Array;
  readonly recipientSystemTitle: Uint8Array;
  readonly dateTime: Uint8Array;
  readonly otherInformation: Uint8Array;
}

export interface GeneralCiphering extends GeneralHeader, Protected {
  readonly apdu: 'general-ciphering';
  readonly keyInfo: KeyInfo | null;
}

export interface GeneralSigning extends GeneralHeader {
  readonly apdu: 'general-signing';
  readonly content: Uint8Array;
  readonly signature: Uint8Array;
}

export type CipheredApdu = ServiceCiphered | GeneralGloDedCiphering | GeneralCiphering | GeneralSigning;

const TAG_OCTETS = 12;
const HEADER_OCTETS = 5;
const BIT = { authenticated: 0x10, encrypted: 0x20, broadcast: 0x40, compressed: 0x80 } as const;

/** From its octet: bits 0-3 suite, 4 authentication, 5 encryption, 6 key set, 7 compression. */
export function securityControlOf(octet: number): SecurityControl {
  return {
    raw: octet.toString(16).padStart(2, '0'),
    suite: octet & 0x0f,
    authenticated: (octet & BIT.authenticated) !== 0,
    encrypted: (octet & BIT.encrypted) !== 0,
    keySet: (octet & BIT.broadcast) !== 0 ? 'broadcast' : 'unicast',
    compressed: (octet & BIT.compressed) !== 0,
  };
}

/** The octets that the length of a ciphered APDU encloses. Throws TRUNCATED when header or tag have no room. */
export function parseProtected(octets: Uint8Array): Protected {
  const reader = new ByteReader(octets, 'security');
  const securityControl = securityControlOf(reader.u8('security control'));
  const invocationCounter = reader.u32('invocation counter');
  const tagOctets = securityControl.authenticated ? TAG_OCTETS : 0;
  if (reader.remaining < tagOctets) {
    reader.fail('TRUNCATED', `an authentication tag of ${TAG_OCTETS} octets in ${reader.remaining}`);
  }
  return {
    securityControl,
    invocationCounter,
    ciphertextOrPlain: reader.take(reader.remaining - tagOctets),
    authenticationTag: securityControl.authenticated ? reader.take(TAG_OCTETS) : null,
  };
}

const protectedCodec: Codec<Protected> = {
  decode: (reader) => parseProtected(decodeOctetString(reader, 'ciphered contents')),
  encode(writer: ByteWriter, { securityControl, invocationCounter, ciphertextOrPlain, authenticationTag }) {
    encodeLength(writer, HEADER_OCTETS + ciphertextOrPlain.length + (authenticationTag?.length ?? 0));
    writer.u8(Number.parseInt(securityControl.raw, 16)).u32(invocationCounter).bytes(ciphertextOrPlain);
    if (authenticationTag !== null) writer.bytes(authenticationTag);
  },
};

const keyInfoCodec: Codec<KeyInfo> = choice<KeyInfo>('key-info', {
  identifiedKey: [0, sequence<{ readonly keyId: number }>({ keyId: unsigned8 })],
  wrappedKey: [
    1,
    sequence<{ readonly kekId: number; readonly keyCipheredData: Uint8Array }>({
      kekId: unsigned8,
      keyCipheredData: octetString,
    }),
  ],
  agreedKey: [
    2,
    sequence<{ readonly keyParameters: Uint8Array; readonly keyCipheredData: Uint8Array }>({
      keyParameters: octetString,
      keyCipheredData: octetString,
    }),
  ],
});

const generalHeader: FieldCodecs<GeneralHeader> = {
  transactionId: octetString,
  originatorSystemTitle: octetString,
  recipientSystemTitle: octetString,
  dateTime: octetString,
  otherInformation: octetString,
};

/** The fields before the contents as they are transmitted: what tags and signatures cover of them. */
export function generalHeaderBytes(header: GeneralHeader): Uint8Array {
  const writer = new ByteWriter();
  sequence<GeneralHeader>(generalHeader).encode(writer, header);
  return writer.finish();
}

/** Bodies behind the tag. */
export const serviceCipheredCodec: Codec<Protected> = protectedCodec;

const titled = joined(sequence<{ readonly systemTitle: Uint8Array }>({ systemTitle: octetString }), protectedCodec);

export const generalGloDedCodec: Codec<Omit<GeneralGloDedCiphering, 'apdu'>> = {
  decode(reader) {
    const value = titled.decode(reader);
    return value.securityControl.encrypted ? { ...value, ciphertext: value.ciphertextOrPlain } : value;
  },
  encode: (writer, value) => titled.encode(writer, value),
};

export const generalCipheringCodec: Codec<Omit<GeneralCiphering, 'apdu'>> = joined(
  sequence<GeneralHeader & { readonly keyInfo: KeyInfo | null }>({ ...generalHeader, keyInfo: optional(keyInfoCodec) }),
  protectedCodec,
);

export const generalSigningCodec: Codec<Omit<GeneralSigning, 'apdu'>> = sequence<Omit<GeneralSigning, 'apdu'>>({
  ...generalHeader,
  content: octetString,
  signature: octetString,
});
