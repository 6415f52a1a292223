/** What protects a virtual meter: authentication, keys, security policy; from options to a value that is consistent. */
import { fromHex, sameBytes } from '../../core/bytes.ts';
import { fail } from '../../core/errors.ts';
import { ecdhSecret, publicKeyOf } from '../../dlms/security/elliptic-curve.ts';
import { SYSTEM_TITLE_OCTETS } from '../../dlms/security/gcm.ts';
import type { HlsVariant } from '../../dlms/security/hls.ts';
import { certificateKey } from '../../dlms/security/key-material.ts';
import { type SecurityPolicy, type SuiteId, securitySuite } from '../../dlms/security/suite.ts';
import type { AuthenticationLevel } from '../../dlms/settings.ts';

export interface SecurityOptions {
  /** What every APDU must have, after the association stands; anything but none wants the ciphered context. Default none. */
  readonly security?: SecurityPolicy;
  /** Default 0. */
  readonly suite?: SuiteId;
  /** Global unicast encryption key; default `defaultKeys(suite)` where one is needed. */
  readonly blockCipherKey?: Uint8Array;
  /** Default as above. */
  readonly authenticationKey?: Uint8Array;
  /** 16 hex digits; by default each meter has one that follows from its serial number. */
  readonly systemTitle?: string;
  /** The meter's private key for HLS with ECDSA, on the curve of the suite. */
  readonly signingKey?: Uint8Array;
  /** The client's public key for HLS with ECDSA. */
  readonly clientPublicKey?: Uint8Array;
  /** Of `signingKey`, in DER: sent in the AARE. */
  readonly certificate?: Uint8Array;
  /** In DER: a client that sends a certificate of this authority needs no `clientPublicKey`. */
  readonly clientAuthority?: Uint8Array;
  /** Answers are authenticated and encrypted, whatever their requests were. */
  readonly tagsAnswers?: boolean;
  /** How authentication `high` is computed; default `aes-ecb`. */
  readonly hlsVariant?: HlsVariant;
  /** Key encryption key: what travels wrapped is wrapped under it. */
  readonly masterKey?: Uint8Array;
  /** The meter's private key for key agreement, and the client's public one. */
  readonly agreementKey?: Uint8Array;
  readonly clientAgreementKey?: Uint8Array;
  /** Associations with every client stand from the beginning; a ciphered one with the client of this system title, 16 hex digits. */
  readonly preEstablished?: { readonly clientTitle: string | null };
  /** The last counter that the meter took of a client, for a meter that was talked to before; by default none. */
  readonly invocationCounter?: number;
}

export interface MeterSecurity {
  readonly policy: SecurityPolicy;
  readonly suite: SuiteId;
  readonly systemTitle: Uint8Array;
  readonly hlsVariant: HlsVariant;
  readonly tagsAnswers: boolean;
  /** null: associations are opened. */
  readonly preEstablished: { readonly clientTitle: Uint8Array } | null;
  /** null: the meter knows no ciphering. */
  readonly keys: MeterKeys | null;
  readonly masterKey: Uint8Array | null;
  readonly agreement: { readonly privateKey: Uint8Array; readonly clientPublicKey: Uint8Array } | null;
  /** For HLS with ECDSA, general-signing, and one-pass key agreement. */
  readonly signatures: MeterSignatures | null;
}

/** The keys of now: they can be changed by the security setup object. An association keeps those that it was opened with. */
export interface MeterKeys {
  encryption: Uint8Array;
  authentication: Uint8Array;
}

export interface MeterSignatures {
  readonly privateKey: Uint8Array;
  /** null: only a certificate tells it. */
  readonly clientPublicKey: Uint8Array | null;
  readonly certificate: Uint8Array | null;
  readonly clientAuthority: Uint8Array | null;
}

/** The keys of meters for which none were given: 00 01 02 ... and D0 D1 D2 ..., as the examples of the standard have them. */
export function defaultKeys(suite: SuiteId): {
  readonly blockCipherKey: Uint8Array;
  readonly authenticationKey: Uint8Array;
} {
  const { keyOctets } = securitySuite(suite);
  const countedFrom = (first: number): Uint8Array =>
    Uint8Array.from({ length: keyOctets }, (_, index) => first + index);
  return { blockCipherKey: countedFrom(0x00), authenticationKey: countedFrom(0xd0) };
}

/** A manufacturer's FLAG id and a serial number of eight digits. */
export function systemTitleOf(serialNumber: string): Uint8Array {
  return Uint8Array.from([...Buffer.from('SIM', 'latin1'), ...fromHex(serialNumber.padStart(10, '0'))]);
}

/** Throws INVALID_VALUE for options that do not fit one another. */
export function meterSecurityOf(
  options: SecurityOptions,
  authentication: AuthenticationLevel,
  serialNumber: string,
): MeterSecurity {
  const { security: policy = 'none', suite = 0, systemTitle } = options;
  const wantsKeys =
    policy !== 'none' ||
    authentication === 'gmac' ||
    options.blockCipherKey !== undefined ||
    options.authenticationKey !== undefined;
  return {
    policy,
    suite,
    systemTitle: systemTitle === undefined ? systemTitleOf(serialNumber) : checkedTitle(systemTitle),
    hlsVariant: options.hlsVariant ?? 'aes-ecb',
    tagsAnswers: options.tagsAnswers ?? false,
    preEstablished: preEstablishedOf(options, policy),
    keys: wantsKeys ? keysOf(options, suite) : null,
    masterKey: options.masterKey ?? null,
    agreement: agreementOf(options, suite),
    signatures: authentication === 'ecdsa' || options.signingKey !== undefined ? signaturesOf(options, suite) : null,
  };
}

function checkedTitle(text: string): Uint8Array {
  const title = fromHex(text);
  return title.length === SYSTEM_TITLE_OCTETS ? title : refuse(`a system title has 16 hex digits, not ${text.length}`);
}

function preEstablishedOf(
  { preEstablished }: SecurityOptions,
  policy: SecurityPolicy,
): MeterSecurity['preEstablished'] {
  if (preEstablished === undefined) return null;
  const { clientTitle } = preEstablished;
  if (clientTitle !== null) return { clientTitle: checkedTitle(clientTitle) };
  return policy === 'none'
    ? { clientTitle: new Uint8Array(0) }
    : refuse('a ciphered association needs the title of the client');
}

function keysOf(options: SecurityOptions, suite: SuiteId): MeterSecurity['keys'] {
  const defaults = defaultKeys(suite);
  const { blockCipherKey: encryption = defaults.blockCipherKey } = options;
  const { authenticationKey: authentication = defaults.authenticationKey } = options;
  const { keyOctets } = securitySuite(suite);
  for (const key of [encryption, authentication]) {
    if (key.length !== keyOctets) refuse(`keys of suite ${suite} have ${keyOctets} octets, not ${key.length}`);
  }
  return { encryption, authentication };
}

function agreementOf(options: SecurityOptions, suite: SuiteId): MeterSecurity['agreement'] {
  const { agreementKey: privateKey, clientAgreementKey: clientPublicKey } = options;
  if (privateKey === undefined && clientPublicKey === undefined) return null;
  const { curve } = securitySuite(suite);
  if (curve === null) return refuse('key agreement needs suite 1 or 2');
  if (privateKey === undefined || clientPublicKey === undefined) {
    return refuse("key agreement needs the meter's private key and the client's public key");
  }
  // Fails for what are no keys of this curve.
  ecdhSecret(curve, privateKey, clientPublicKey);
  return { privateKey, clientPublicKey };
}

function signaturesOf(options: SecurityOptions, suite: SuiteId): MeterSignatures {
  const { signingKey: privateKey, clientPublicKey = null, certificate = null, clientAuthority = null } = options;
  const { curve } = securitySuite(suite);
  if (curve === null) return refuse('signatures need suite 1 or 2');
  if (privateKey === undefined || (clientPublicKey === null && clientAuthority === null)) {
    return refuse(
      "signatures need the meter's private key, and the client's public key or the authority that certifies it",
    );
  }
  // Fails for what are no keys of this curve; what comes of it is of no use here.
  const own = publicKeyOf(curve, privateKey);
  if (clientPublicKey !== null) ecdhSecret(curve, privateKey, clientPublicKey);
  if (certificate !== null && !sameBytes(certificateKey(certificate, 'the certificate').key, own)) {
    refuse('the certificate is not that of the signing key');
  }
  return { privateKey, clientPublicKey, certificate, clientAuthority };
}

function refuse(message: string): never {
  return fail('INVALID_VALUE', message, { layer: 'simulator' });
}
