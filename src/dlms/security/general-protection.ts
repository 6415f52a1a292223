/**
 * general-ciphering and general-signing as one party speaks them to another (Green Book 9.2.7.2.4.6, 9.2.7.2.5): which key
 * protects a message, and which counter goes with it.
 *
 *   key            made for each message by           invocation counter
 *   identified     nobody: the global key             of that key
 *   wrapped        chance, sent under the master key  0: the key is used once
 *   one-pass       an ephemeral key of ours, signed   0: the key is used once
 *   static-unified the transaction-id                 one that was never used, should a transaction-id come twice
 */
import { fail } from '../../core/errors.ts';
import { type Apdu, encodeApdu } from '../xdlms/apdu.ts';
import type { GeneralCiphering, GeneralHeader, GeneralSigning } from './ciphered.ts';
import type { OpenedContent } from './content-protection.ts';
import { publicKeyOf } from './elliptic-curve.ts';
import {
  type AgreementKeys,
  contentKeyOf,
  identifiedKey,
  onePass,
  protectGeneral,
  type SentKey,
  staticUnified,
  unprotectGeneral,
  wrappedKey,
} from './general-ciphering.ts';
import { signGeneral, verifySigning } from './general-signing.ts';
import { agreementOf } from './key-agreement.ts';
import { type GeneralKey, type SecurityPolicy, type SuiteId, securityControlFor, securitySuite } from './suite.ts';

/** What one party has for the other; null for what it has not. Raw keys as in `elliptic-curve.ts`. */
export interface PartyKeys {
  readonly blockCipherKey: Uint8Array | null;
  readonly authenticationKey: Uint8Array | null;
  readonly masterKey: Uint8Array | null;
  readonly signingKey: Uint8Array | null;
  readonly agreementKey: Uint8Array | null;
  readonly peerSigningKey: Uint8Array | null;
  readonly peerAgreementKey: Uint8Array | null;
}

/** Who sends to whom, in answer to what. */
export interface Envelope {
  readonly originator: Uint8Array;
  readonly recipient: Uint8Array;
  readonly transactionId: Uint8Array;
}

const EMPTY = new Uint8Array(0);
/** Octets of a transaction-id that nobody has used before. */
export const TRANSACTION_ID_OCTETS = 8;

function headerOf({ originator, recipient, transactionId }: Envelope): GeneralHeader {
  return {
    transactionId,
    originatorSystemTitle: originator,
    recipientSystemTitle: recipient,
    dateTime: EMPTY,
    otherInformation: EMPTY,
  };
}

export interface Protecting {
  readonly key: GeneralKey;
  readonly suite: SuiteId;
  readonly policy: Exclude<SecurityPolicy, 'none'>;
  readonly keys: PartyKeys;
  random(octets: number): Uint8Array;
  /** A counter of the block cipher key that was never used. */
  takeCounter(): number;
}

/** A plain APDU in general-ciphering. Throws KEY_MISSING, SECURITY_UNSUPPORTED for a key agreement in suite 0. */
export function cipherGenerally(plain: Uint8Array, envelope: Envelope, how: Protecting): GeneralCiphering {
  const { suite, policy, keys, key } = how;
  const header = headerOf(envelope);
  const counts = key === 'identified' || key === 'static-unified';
  return protectGeneral(plain, header, sentKey(header, how), {
    encryptionKey: null,
    authenticationKey: keys.authenticationKey,
    systemTitle: envelope.originator,
    securityControl: securityControlFor(suite, policy),
    invocationCounter: counts ? how.takeCounter() : 0,
  });
}

function sentKey(header: GeneralHeader, { key, suite: id, keys, random }: Protecting): SentKey {
  const suite = securitySuite(id);
  switch (key) {
    case 'identified':
      return identifiedKey('unicast', keys.blockCipherKey ?? missing('the block cipher key'));
    case 'wrapped':
      return wrappedKey(keys.masterKey ?? missing('the master key'), random(suite.keyOctets));
    case 'static-unified':
      return staticUnified(suite, agreementKeysOf(keys) ?? missing('our key for key agreement'), header);
    case 'one-pass': {
      const signingKey = keys.signingKey ?? missing('our signing key');
      const peerPublicKey = keys.peerAgreementKey ?? missing("the peer's public key for key agreement");
      return onePass(suite, { ephemeralPrivateKey: ephemeralKey(id, random), signingKey, peerPublicKey }, header);
    }
  }
}

/** Chance gives no scalar of the curve once in 2^32 times. */
function ephemeralKey(suite: SuiteId, random: (octets: number) => Uint8Array): Uint8Array {
  const { curve } = agreementOf(securitySuite(suite));
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const scalar = random(curve === 'P-256' ? 32 : 48);
    try {
      publicKeyOf(curve, scalar);
      return scalar;
    } catch {
      // Not one of the curve: the next one is.
    }
  }
  return fail('INTERNAL', `no ephemeral key of ${curve} came about`, { layer: 'security' });
}

/** How the key of a received message was told; null for one that is agreed beforehand. */
export function generalKeyOf({ keyInfo }: GeneralCiphering): GeneralKey | null {
  if (keyInfo === null) return null;
  if ('identifiedKey' in keyInfo) return 'identified';
  if ('wrappedKey' in keyInfo) return 'wrapped';
  return keyInfo.agreedKey.keyCipheredData.length === 0 ? 'static-unified' : 'one-pass';
}

/** What is in a general-ciphering APDU. Throws KEY_MISSING, DECRYPT_FAILED, SIGNATURE_WRONG, SECURITY_UNSUPPORTED, MALFORMED. */
export function openGenerally(
  message: GeneralCiphering,
  keys: PartyKeys,
  sender: Uint8Array,
  acceptUnverified = false,
): OpenedContent {
  const key = contentKeyOf(message, {
    unicast: keys.blockCipherKey,
    broadcast: null,
    master: keys.masterKey,
    agreement: agreementKeysOf(keys),
    agreed: null,
  });
  const { authenticationKey } = keys;
  return unprotectGeneral(message, { encryptionKey: key, authenticationKey, systemTitle: sender, acceptUnverified });
}

function agreementKeysOf({ agreementKey, peerAgreementKey, peerSigningKey }: PartyKeys): AgreementKeys | null {
  return agreementKey === null ? null : { privateKey: agreementKey, peerPublicKey: peerAgreementKey, peerSigningKey };
}

/** An APDU, ciphered or plain, with our signature around it. Throws KEY_MISSING. */
export function signGenerally(content: Uint8Array, envelope: Envelope, suite: SuiteId, keys: PartyKeys): Uint8Array {
  const { curve } = agreementOf(securitySuite(suite));
  const signingKey = keys.signingKey ?? missing('our signing key');
  const signed: Apdu = signGeneral(content, headerOf(envelope), curve, signingKey);
  return encodeApdu(signed);
}

/** What was signed. Throws SIGNATURE_WRONG, KEY_MISSING. */
export function verifySigned(message: GeneralSigning, suite: SuiteId, keys: PartyKeys): Uint8Array {
  const { curve } = agreementOf(securitySuite(suite));
  verifySigning(message, curve, keys.peerSigningKey ?? missing("the peer's public key for signatures"));
  return message.content;
}

/** Octets that this protection adds to an APDU at most. */
export function generalOverhead(key: GeneralKey | null, isSigned: boolean, suite: SuiteId): number {
  const keyInfo = key === null ? 0 : KEY_INFO_OCTETS[key](suite);
  const ciphering = key === null ? 0 : 1 + HEADER_OCTETS + keyInfo + AROUND_CONTENT;
  return ciphering + (isSigned ? 1 + HEADER_OCTETS + 5 + 2 + signatureOctets(suite) : 0);
}

/** Transaction-id, two titles, and two fields that stay empty. */
const HEADER_OCTETS = 1 + TRANSACTION_ID_OCTETS + 9 + 9 + 1 + 1;
/** Length, security header, authentication tag. */
const AROUND_CONTENT = 5 + 5 + 12;
const KEY_INFO_OCTETS: Readonly<Record<GeneralKey, (suite: SuiteId) => number>> = {
  identified: () => 3,
  wrapped: (suite) => 4 + securitySuite(suite).keyOctets + 8,
  'static-unified': () => 5,
  'one-pass': (suite) => 6 + 2 * signatureOctets(suite),
};

function signatureOctets(suite: SuiteId): number {
  return suite === 2 ? 96 : 64;
}

function missing(what: string): never {
  return fail('KEY_MISSING', `${what} is needed for this protection`);
}
