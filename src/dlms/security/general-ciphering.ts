/**
 * general-ciphering (Green Book 9.2.7.2.4.6): the message itself tells by key-info which key protects it, one that both have,
 * one that travels wrapped, or one that both derive. Its header is covered by the tag.
 */
import { fail } from '../../core/errors.ts';
import { type GeneralCiphering, type GeneralHeader, generalHeaderBytes, type KeyInfo } from './ciphered.ts';
import {
  type IncomingContent,
  type OpenedContent,
  type OutgoingContent,
  protectContent,
  unprotectContent,
} from './content-protection.ts';
import { agreedKey, ephemeralKeyData, ephemeralKeyOf, sharedSecretOf } from './key-agreement.ts';
import { unwrapKey, wrapKey } from './key-wrap.ts';
import { type SecuritySuite, securitySuite } from './suite.ts';

/** key-id of an identified key, kek-id of a wrapped one. */
const IDENTIFIED = { unicast: 0, broadcast: 1 } as const;
const MASTER_KEY = 0;
/** key-parameters of an agreed key: the scheme, one octet. */
const SCHEME = { onePass: 0x01, staticUnified: 0x02 } as const;

/** What one party has of its own and of its peer for key agreement; raw keys as in `elliptic-curve.ts`. */
export interface AgreementKeys {
  /** Static, for key agreement. */
  readonly privateKey: Uint8Array;
  /** The peer's static key for key agreement; the static unified model needs it. */
  readonly peerPublicKey: Uint8Array | null;
  /** The peer's key for signatures; receiving by one-pass Diffie-Hellman needs it. */
  readonly peerSigningKey: Uint8Array | null;
}

export interface GeneralKeys {
  readonly unicast: Uint8Array | null;
  readonly broadcast: Uint8Array | null;
  readonly master: Uint8Array | null;
  readonly agreement: AgreementKeys | null;
  /** For messages without key-info, whose key was agreed beforehand. */
  readonly agreed: Uint8Array | null;
}

/** The key of a received message. Throws KEY_MISSING, DECRYPT_FAILED, SIGNATURE_WRONG, SECURITY_UNSUPPORTED, MALFORMED. */
export function contentKeyOf(message: GeneralCiphering, keys: GeneralKeys): Uint8Array {
  const { keyInfo } = message;
  if (keyInfo === null) return keys.agreed ?? missing('a key for messages without key-info');
  if ('identifiedKey' in keyInfo) {
    const { keyId } = keyInfo.identifiedKey;
    if (keyId === IDENTIFIED.unicast) return keys.unicast ?? missing('the global unicast encryption key');
    if (keyId === IDENTIFIED.broadcast) return keys.broadcast ?? missing('the global broadcast encryption key');
    return fail('SECURITY_UNSUPPORTED', `a key identified by ${keyId}`);
  }
  if ('wrappedKey' in keyInfo) {
    const { kekId, keyCipheredData } = keyInfo.wrappedKey;
    if (kekId !== MASTER_KEY) fail('SECURITY_UNSUPPORTED', `a key wrapped by the key ${kekId}`);
    return unwrapKey(keys.master ?? missing('the master key'), keyCipheredData);
  }
  return receivedAgreedKey(message, keyInfo.agreedKey, keys.agreement ?? missing('keys for key agreement'));
}

type AgreedKeyInfo = Extract<KeyInfo, { readonly agreedKey: unknown }>['agreedKey'];

function receivedAgreedKey(message: GeneralCiphering, info: AgreedKeyInfo, keys: AgreementKeys): Uint8Array {
  const suite = securitySuite(message.securityControl.suite);
  const parties = partiesOf(message);
  const [scheme = 0] = info.keyParameters;
  if (info.keyParameters.length !== 1) {
    fail('MALFORMED', `key parameters of ${info.keyParameters.length} octets`, { layer: 'security' });
  }
  if (scheme === SCHEME.staticUnified) return staticUnifiedKey(suite, keys, message);
  if (scheme !== SCHEME.onePass) fail('SECURITY_UNSUPPORTED', `key agreement scheme ${scheme}`);
  const peerSigningKey = keys.peerSigningKey ?? missing('the public key that the sender signs with');
  const ephemeral = ephemeralKeyOf(suite, info.keyCipheredData, peerSigningKey);
  return agreedKey(suite, sharedSecretOf(suite, keys.privateKey, ephemeral), parties);
}

function partiesOf(header: GeneralHeader): { readonly originator: Uint8Array; readonly recipient: Uint8Array } {
  return { originator: header.originatorSystemTitle, recipient: header.recipientSystemTitle };
}

/** The key of the static unified model, which both sides compute alike; the transaction-id makes it another each time. */
export function staticUnifiedKey(suite: SecuritySuite, keys: AgreementKeys, header: GeneralHeader): Uint8Array {
  const peerPublicKey = keys.peerPublicKey ?? missing("the peer's public key for key agreement");
  const secret = sharedSecretOf(suite, keys.privateKey, peerPublicKey);
  return agreedKey(suite, secret, { ...partiesOf(header), transactionId: header.transactionId });
}

/** A key and what tells the receiver of it. */
export interface SentKey {
  readonly key: Uint8Array;
  readonly keyInfo: KeyInfo;
}

export function identifiedKey(slot: 'unicast' | 'broadcast', key: Uint8Array): SentKey {
  return { key, keyInfo: { identifiedKey: { keyId: IDENTIFIED[slot] } } };
}

/** @param key fresh and random, for this message or session. */
export function wrappedKey(masterKey: Uint8Array, key: Uint8Array): SentKey {
  return { key, keyInfo: { wrappedKey: { kekId: MASTER_KEY, keyCipheredData: wrapKey(masterKey, key) } } };
}

/** C(0e, 2s). */
export function staticUnified(suite: SecuritySuite, keys: AgreementKeys, header: GeneralHeader): SentKey {
  return {
    key: staticUnifiedKey(suite, keys, header),
    keyInfo: {
      agreedKey: { keyParameters: Uint8Array.of(SCHEME.staticUnified), keyCipheredData: new Uint8Array(0) },
    },
  };
}

/** C(1e, 1s). @param ephemeralPrivateKey fresh and random, used once. */
export function onePass(
  suite: SecuritySuite,
  keys: {
    readonly ephemeralPrivateKey: Uint8Array;
    readonly signingKey: Uint8Array;
    readonly peerPublicKey: Uint8Array;
  },
  header: GeneralHeader,
): SentKey {
  const secret = sharedSecretOf(suite, keys.ephemeralPrivateKey, keys.peerPublicKey);
  const keyCipheredData = ephemeralKeyData(suite, keys.ephemeralPrivateKey, keys.signingKey);
  return {
    key: agreedKey(suite, secret, partiesOf(header)),
    keyInfo: { agreedKey: { keyParameters: Uint8Array.of(SCHEME.onePass), keyCipheredData } },
  };
}

/** Protects an APDU. `sent` is null when the receiver knows the key by itself: then it stands in `outgoing`. */
export function protectGeneral(
  plain: Uint8Array,
  header: GeneralHeader,
  sent: SentKey | null,
  outgoing: Omit<OutgoingContent, 'header'>,
): GeneralCiphering {
  const content = protectContent(plain, {
    ...outgoing,
    encryptionKey: sent?.key ?? outgoing.encryptionKey,
    header: generalHeaderBytes(header),
  });
  return { apdu: 'general-ciphering', ...header, keyInfo: sent?.keyInfo ?? null, ...content };
}

/**
 * Opens a message with the key that `contentKeyOf` gave. The sender is the originator in the header, or `systemTitle` where
 * that is empty. Throws what `unprotectContent` does.
 */
export function unprotectGeneral(message: GeneralCiphering, incoming: Omit<IncomingContent, 'header'>): OpenedContent {
  const { originatorSystemTitle } = message;
  return unprotectContent(message, {
    ...incoming,
    systemTitle: originatorSystemTitle.length > 0 ? originatorSystemTitle : incoming.systemTitle,
    header: generalHeaderBytes(message),
  });
}

function missing(what: string): never {
  return fail('KEY_MISSING', `${what} is needed to open this message`);
}
