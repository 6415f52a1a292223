/**
 * High level security (Green Book 9.2.2.2.2.4, 9.2.7.4): after the AARE the client sends f(StoC), pass 3, and the server answers
 * f(CtoS), pass 4, both through method reply_to_HLS_authentication. Whoever answers proves its secret by the challenge of the
 * other.
 *
 *   high     manufacturer specific: see `HLS_VARIANTS`
 *   md5      MD5(challenge || secret)
 *   sha1     SHA-1(challenge || secret)
 *   gmac     SC || IC || GMAC(SC || AK || challenge)
 *   sha256   SHA-256(secret || own title || other's title || challenge || own challenge)
 *   ecdsa    signature over own title || other's title || challenge || own challenge
 */
import { createCipheriv, createHash } from 'node:crypto';
import { ByteReader, ByteWriter, concat, sameBytes } from '../../core/bytes.ts';
import { BridgeError, fail } from '../../core/errors.ts';
import type { AuthenticationLevel } from '../settings.ts';
import { type Protected, parseProtected } from './ciphered.ts';
import { protectContent, unprotectContent } from './content-protection.ts';
import { ecdsaSign, ecdsaVerify } from './elliptic-curve.ts';
import { sameSecret, TAG_OCTETS } from './gcm.ts';
import { agreementOf } from './key-agreement.ts';
import { type SuiteId, securityControlFor, securitySuite } from './suite.ts';

export type HlsMechanism = Exclude<AuthenticationLevel, 'none' | 'low'>;

/** Of challenges, octets; ECDSA wants 32 or more. */
export const CHALLENGE_OCTETS = { smallest: 8, smallestEcdsa: 32, largest: 64 } as const;

/**
 * How manufacturers fill mechanism 2, which the standard leaves to them: AES-128-ECB of the challenge under the secret, or of
 * the secret under the challenge, each filled up with zeros to blocks of 16 octets.
 */
export const HLS_VARIANTS = ['aes-ecb', 'aes-ecb-reversed'] as const;
export type HlsVariant = (typeof HLS_VARIANTS)[number];

export type HlsCredentials =
  | { readonly mechanism: 'high'; readonly variant: HlsVariant; readonly secret: Uint8Array }
  | { readonly mechanism: 'md5' | 'sha1' | 'sha256'; readonly secret: Uint8Array }
  | {
      readonly mechanism: 'gmac';
      readonly suite: SuiteId;
      readonly encryptionKey: Uint8Array | null;
      readonly authenticationKey: Uint8Array | null;
    }
  | {
      readonly mechanism: 'ecdsa';
      readonly suite: SuiteId;
      /** Own key for signatures; only answering needs it. */
      readonly privateKey: Uint8Array | null;
      /** The other side's; only verifying needs it. */
      readonly peerPublicKey: Uint8Array | null;
    };

/** What both sides know after AARQ and AARE. Titles may be empty where the mechanism uses none. */
export interface HlsExchange {
  readonly clientTitle: Uint8Array;
  readonly serverTitle: Uint8Array;
  /** The client's challenge, in the AARQ. */
  readonly ctos: Uint8Array;
  /** The server's challenge, in the AARE. */
  readonly stoc: Uint8Array;
}

export type Side = 'client' | 'server';

/**
 * f(StoC) for the client, f(CtoS) for the server. Throws KEY_MISSING, INVALID_VALUE (key or title does not fit), and
 * AUTHENTICATION_FAILED when both challenges are the same: a peer that sends our own back wants our answer to give it to us.
 * @param invocationCounter reserved for this answer; only gmac uses it, the others take null.
 */
export function hlsAnswer(
  side: Side,
  exchange: HlsExchange,
  credentials: HlsCredentials,
  invocationCounter: number | null,
): Uint8Array {
  if (sameBytes(exchange.ctos, exchange.stoc)) {
    fail('AUTHENTICATION_FAILED', 'the peer sent our own challenge back', {
      layer: 'security',
      hint: 'something on the line reflects the authentication: it may not be the meter',
    });
  }
  const { title, challenge } = viewOf(side, exchange);
  switch (credentials.mechanism) {
    case 'gmac': {
      const counter = invocationCounter ?? fail('INTERNAL', 'HLS with GMAC without an invocation counter');
      const securityControl = securityControlFor(credentials.suite, 'authenticated');
      return gmacValue(
        protectContent(challenge, { ...credentials, securityControl, systemTitle: title, invocationCounter: counter }),
      );
    }
    case 'ecdsa': {
      const privateKey = credentials.privateKey ?? fail('KEY_MISSING', 'no private key to sign the challenge with');
      return ecdsaSign(agreementOf(securitySuite(credentials.suite)).curve, privateKey, proven(side, exchange));
    }
    default:
      return secretAnswer(side, exchange, credentials);
  }
}

/** Throws AUTHENTICATION_FAILED when `answer` is not what `side` has to answer; KEY_MISSING, INVALID_VALUE. */
export function verifyHlsAnswer(
  side: Side,
  exchange: HlsExchange,
  credentials: HlsCredentials,
  answer: Uint8Array,
): void {
  try {
    verify(side, exchange, credentials, answer);
  } catch (error) {
    if (!(error instanceof BridgeError) || !WRONG_ANSWER.has(error.code)) throw error;
    throw notProven(side, credentials.mechanism, error);
  }
}

const WRONG_ANSWER: ReadonlySet<string> = new Set([
  'DECRYPT_FAILED',
  'SIGNATURE_WRONG',
  'TRUNCATED',
  'TRAILING_BYTES',
  'MALFORMED',
  'SECURITY_UNSUPPORTED',
]);

function verify(side: Side, exchange: HlsExchange, credentials: HlsCredentials, answer: Uint8Array): void {
  switch (credentials.mechanism) {
    case 'gmac': {
      const { title, challenge } = viewOf(side, exchange);
      verifyGmacValue(answer, { ...credentials, systemTitle: title, challenge });
      return;
    }
    case 'ecdsa': {
      const publicKey = credentials.peerPublicKey ?? fail('KEY_MISSING', "no public key to verify the peer's answer");
      const { curve } = agreementOf(securitySuite(credentials.suite));
      ecdsaVerify(curve, publicKey, proven(side, exchange), answer);
      return;
    }
    default:
      if (!sameSecret(secretAnswer(side, exchange, credentials), answer)) throw notProven(side, credentials.mechanism);
  }
}

function notProven(side: Side, mechanism: HlsMechanism, cause?: BridgeError): BridgeError {
  const name = side === 'client' ? 'f(StoC)' : 'f(CtoS)';
  return new BridgeError('AUTHENTICATION_FAILED', `${name} (${mechanism}) does not answer the challenge`, {
    layer: 'security',
    hint: 'the other side has another secret or key: check --secret, the keys and the system titles',
    ...(cause !== undefined && { cause }),
  });
}

export interface GmacValue {
  readonly securityControl: Protected['securityControl'];
  readonly invocationCounter: number;
  readonly tag: Uint8Array;
}

/** SC || IC || tag. Throws TRUNCATED, TRAILING_BYTES, or MALFORMED when it is not authentication alone. */
export function parseGmacValue(octets: Uint8Array): GmacValue {
  const { securityControl, invocationCounter, ciphertextOrPlain, authenticationTag } = parseProtected(octets);
  if (authenticationTag === null || securityControl.encrypted) {
    return fail('MALFORMED', `security control ${securityControl.raw} in a GMAC value`, { layer: 'security' });
  }
  new ByteReader(ciphertextOrPlain, 'security').expectEnd('GMAC value');
  return { securityControl, invocationCounter, tag: authenticationTag };
}

/** The GMAC value of a challenge by one who has this title. Throws DECRYPT_FAILED; what `parseGmacValue` throws. */
export function verifyGmacValue(
  octets: Uint8Array,
  by: {
    readonly encryptionKey: Uint8Array | null;
    readonly authenticationKey: Uint8Array | null;
    readonly systemTitle: Uint8Array;
    readonly challenge: Uint8Array;
  },
): GmacValue {
  const value = parseGmacValue(octets);
  const { securityControl, invocationCounter, tag } = value;
  unprotectContent({ securityControl, invocationCounter, ciphertextOrPlain: by.challenge, authenticationTag: tag }, by);
  return value;
}

function gmacValue({ securityControl, invocationCounter, authenticationTag }: Protected): Uint8Array {
  return new ByteWriter(5 + TAG_OCTETS)
    .u8(Number.parseInt(securityControl.raw, 16))
    .u32(invocationCounter)
    .bytes(authenticationTag ?? new Uint8Array(0))
    .finish();
}

interface View {
  readonly title: Uint8Array;
  readonly otherTitle: Uint8Array;
  /** What has to be answered: the other side's. */
  readonly challenge: Uint8Array;
  readonly ownChallenge: Uint8Array;
}

function viewOf(side: Side, { clientTitle, serverTitle, ctos, stoc }: HlsExchange): View {
  return side === 'client'
    ? { title: clientTitle, otherTitle: serverTitle, challenge: stoc, ownChallenge: ctos }
    : { title: serverTitle, otherTitle: clientTitle, challenge: ctos, ownChallenge: stoc };
}

/** Titles and challenges as sha256 and ecdsa take them, the answering side's view. */
function proven(side: Side, exchange: HlsExchange): Uint8Array {
  const { title, otherTitle, challenge, ownChallenge } = viewOf(side, exchange);
  return concat([title, otherTitle, challenge, ownChallenge]);
}

function secretAnswer(
  side: Side,
  exchange: HlsExchange,
  credentials: Extract<HlsCredentials, { readonly secret: Uint8Array }>,
): Uint8Array {
  const { challenge } = viewOf(side, exchange);
  const { secret } = credentials;
  switch (credentials.mechanism) {
    case 'high':
      return MANUFACTURER[credentials.variant](challenge, secret);
    case 'md5':
    case 'sha1':
      return digest(credentials.mechanism, concat([challenge, secret]));
    case 'sha256':
      return digest('sha256', concat([secret, proven(side, exchange)]));
  }
}

function digest(hash: string, octets: Uint8Array): Uint8Array {
  return Uint8Array.from(createHash(hash).update(octets).digest());
}

const AES_BLOCK = 16;

const MANUFACTURER: Readonly<Record<HlsVariant, (challenge: Uint8Array, secret: Uint8Array) => Uint8Array>> = {
  'aes-ecb': (challenge, secret) => ecbEncrypted('secret', secret, challenge),
  'aes-ecb-reversed': (challenge, secret) => ecbEncrypted('challenge', challenge, secret),
};

function ecbEncrypted(keyName: string, key: Uint8Array, octets: Uint8Array): Uint8Array {
  if (key.length > AES_BLOCK) {
    fail('INVALID_VALUE', `the ${keyName} is a key of AES-128, up to 16 octets: this one has ${key.length}`, {
      layer: 'security',
      fault: 'credentials',
    });
  }
  const cipher = createCipheriv('aes-128-ecb', filled(key, AES_BLOCK), null).setAutoPadding(false);
  const blocks = Math.max(1, Math.ceil(octets.length / AES_BLOCK));
  return concat([cipher.update(filled(octets, blocks * AES_BLOCK)), cipher.final()]);
}

function filled(octets: Uint8Array, length: number): Uint8Array {
  const whole = new Uint8Array(length);
  whole.set(octets);
  return whole;
}
