/**
 * Protecting the contents of an APDU and opening them again (Green Book 9.2.7.2.4): the same for service-specific,
 * general-glo/ded and general ciphering, which differ in where key and system title come from.
 *
 *   protection          goes out as              tag over (AAD)
 *   authenticated       plaintext || tag         SC || AK || header || plaintext
 *   encrypted           ciphertext               no tag
 *   both                ciphertext || tag        SC || AK || header, and the ciphertext
 *
 * `header` is the fields before the contents of general-ciphering; the others have none.
 */
import { concat } from '../../core/bytes.ts';
import { fail } from '../../core/errors.ts';
import type { Protected, SecurityControl } from './ciphered.ts';
import { gcmDecrypt, gcmEncrypt, gcmStream, initializationVector } from './gcm.ts';
import { type SecuritySuite, securitySuite } from './suite.ts';

export interface ContentKeys {
  /** AES key. May be absent only where it is not needed: to take what was authenticated, without verifying. */
  readonly encryptionKey: Uint8Array | null;
  /** Part of what the tag covers. Empty when the companion specification puts none there, as GBCS does. */
  readonly authenticationKey: Uint8Array | null;
  /** Of the sender of the message. */
  readonly systemTitle: Uint8Array;
  readonly header?: Uint8Array;
}

export interface OutgoingContent extends ContentKeys {
  readonly securityControl: SecurityControl;
  /** Never used before with this key and title, and never again: whoever keeps counters stores them before they are taken. */
  readonly invocationCounter: number;
}

export interface IncomingContent extends ContentKeys {
  /** Takes a message with a tag although there is no authentication key to verify it with. */
  readonly acceptUnverified?: boolean;
}

export interface OpenedContent {
  readonly plaintext: Uint8Array;
  /** false: there is a tag that could not be checked, and `acceptUnverified` let it pass. null: there is no tag. */
  readonly tagVerified: boolean | null;
}

const NOTHING = new Uint8Array(0);

/** Throws KEY_MISSING, INVALID_VALUE (key, title or counter do not fit), SECURITY_UNSUPPORTED (suite, compression). */
export function protectContent(plaintext: Uint8Array, outgoing: OutgoingContent): Protected {
  const { securityControl, invocationCounter } = outgoing;
  const suite = supportedSuite(securityControl);
  const iv = initializationVector(outgoing.systemTitle, invocationCounter);
  const key = outgoing.encryptionKey ?? fail('KEY_MISSING', 'no block cipher key to protect a message with');
  if (key.length !== suite.keyOctets) {
    fail(
      'INVALID_VALUE',
      `suite ${suite.id} needs a block cipher key of ${suite.keyOctets} octets, not ${key.length}`,
      {
        layer: 'security',
        fault: 'credentials',
      },
    );
  }
  const head = { securityControl, invocationCounter };
  if (!securityControl.authenticated) {
    return { ...head, ciphertextOrPlain: gcmStream(key, iv, plaintext), authenticationTag: null };
  }
  const aad = associatedData(securityControl, authenticationKeyOf(outgoing), outgoing.header);
  if (!securityControl.encrypted) {
    const { tag } = gcmEncrypt(key, iv, NOTHING, concat([aad, plaintext]));
    return { ...head, ciphertextOrPlain: plaintext, authenticationTag: tag };
  }
  const { ciphertext, tag } = gcmEncrypt(key, iv, plaintext, aad);
  return { ...head, ciphertextOrPlain: ciphertext, authenticationTag: tag };
}

/**
 * Throws DECRYPT_FAILED when the tag does not fit, KEY_MISSING for an absent key, SECURITY_UNSUPPORTED for a reserved suite
 * or a compressed message, MALFORMED for a message without any protection. Without a tag a wrong key goes unnoticed here.
 */
export function unprotectContent(content: Protected, incoming: IncomingContent): OpenedContent {
  const { securityControl, invocationCounter, ciphertextOrPlain, authenticationTag } = content;
  const suite = supportedSuite(securityControl);
  const iv = initializationVector(incoming.systemTitle, invocationCounter);
  if (authenticationTag !== null && incoming.authenticationKey === null && incoming.acceptUnverified === true) {
    const plaintext = securityControl.encrypted
      ? gcmStream(decryptionKey(incoming, suite), iv, ciphertextOrPlain)
      : ciphertextOrPlain;
    return { plaintext, tagVerified: false };
  }
  const key = decryptionKey(incoming, suite);
  if (authenticationTag === null) return { plaintext: gcmStream(key, iv, ciphertextOrPlain), tagVerified: null };
  const aad = associatedData(securityControl, authenticationKeyOf(incoming), incoming.header);
  if (securityControl.encrypted) {
    return { plaintext: gcmDecrypt(key, iv, ciphertextOrPlain, aad, authenticationTag), tagVerified: true };
  }
  gcmDecrypt(key, iv, NOTHING, concat([aad, ciphertextOrPlain]), authenticationTag);
  return { plaintext: ciphertextOrPlain, tagVerified: true };
}

function associatedData(
  control: SecurityControl,
  authenticationKey: Uint8Array,
  header: Uint8Array = NOTHING,
): Uint8Array {
  return concat([Uint8Array.of(Number.parseInt(control.raw, 16)), authenticationKey, header]);
}

function supportedSuite(control: SecurityControl): SecuritySuite {
  if (control.compressed) fail('SECURITY_UNSUPPORTED', 'the message is compressed (V.44), which is not supported');
  if (!control.authenticated && !control.encrypted) {
    fail('MALFORMED', 'a ciphered message that is neither authenticated nor encrypted', { layer: 'security' });
  }
  return securitySuite(control.suite);
}

/** The suite stands in the message; a key of another length can only be the wrong one. */
function decryptionKey({ encryptionKey: key }: IncomingContent, suite: SecuritySuite): Uint8Array {
  if (key === null) return fail('KEY_MISSING', 'no block cipher key to open a protected message with');
  if (key.length === suite.keyOctets) return key;
  return fail(
    'DECRYPT_FAILED',
    `the message is of suite ${suite.id}, whose keys have ${suite.keyOctets} octets; the block cipher key has ${key.length}`,
  );
}

function authenticationKeyOf({ authenticationKey }: ContentKeys): Uint8Array {
  return authenticationKey ?? fail('KEY_MISSING', 'the message is authenticated, but there is no authentication key');
}
