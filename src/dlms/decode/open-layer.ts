/** One layer of protection, whichever it is, with what the keys at hand can show of it. */
import { BridgeError, fail } from '../../core/errors.ts';
import { isGloDed } from '../security/apdu-protection.ts';
import type { CipheredApdu, GeneralCiphering, GeneralSigning } from '../security/ciphered.ts';
import type { OpenedContent } from '../security/content-protection.ts';
import { curveOfPublicKey } from '../security/elliptic-curve.ts';
import { contentKeyOf, unprotectGeneral } from '../security/general-ciphering.ts';
import { verifySigning } from '../security/general-signing.ts';
import { type DecodeKeys, hasKeys, openSecurityLayer } from './security.ts';

export interface OpenLayer {
  /** The members of the layer, `plaintext` among them where it is known. */
  readonly shown: object;
  /** The APDU inside; null when it stays closed. */
  readonly plaintext: Uint8Array | null;
  /** A tag or a signature was verified; null: there is none, or nothing to verify it with. */
  readonly tagVerified: true | null;
  /** It was decrypted and no tag vouches for it: octets that are no APDU then show that the key is wrong. */
  readonly doubtful: boolean;
}

/**
 * Takes off one layer. Contents that are only authenticated can be read without any key. Throws DECRYPT_FAILED, KEY_MISSING,
 * SIGNATURE_WRONG, SECURITY_UNSUPPORTED, MALFORMED.
 */
export function openLayer(apdu: CipheredApdu, keys: DecodeKeys): OpenLayer {
  if (apdu.apdu === 'general-signing') return signed(apdu, keys);
  const { securityControl, ciphertextOrPlain } = apdu;
  const { tagVerified, plaintext, ...shown } = isGloDed(apdu) ? openSecurityLayer(apdu, keys) : openGeneral(apdu, keys);
  const inTheClear = !securityControl.encrypted && !securityControl.compressed ? ciphertextOrPlain : null;
  const inside = plaintext ?? inTheClear;
  return {
    shown: { ...shown, tagVerified, plaintext: inside },
    plaintext: inside,
    tagVerified,
    doubtful: securityControl.encrypted && tagVerified !== true,
  };
}

/** What can be shown of a layer that does not open. */
export function closedLayer(apdu: CipheredApdu): object {
  return openLayer(apdu, { encryptionKey: null, authenticationKey: null, systemTitle: null }).shown;
}

interface General extends Omit<GeneralCiphering, 'ciphertextOrPlain'> {
  readonly ciphertext: Uint8Array | null;
  readonly tagVerified: true | null;
  readonly plaintext: Uint8Array | null;
}

function openGeneral(message: GeneralCiphering, keys: DecodeKeys): General {
  const { ciphertextOrPlain, ...header } = message;
  const opened = hasKeys(keys) ? unprotected(message, keys) : null;
  return {
    ...header,
    ciphertext: message.securityControl.encrypted ? ciphertextOrPlain : null,
    tagVerified: opened?.tagVerified === true ? true : null,
    plaintext: opened?.plaintext ?? null,
  };
}

function unprotected(message: GeneralCiphering, keys: DecodeKeys): OpenedContent {
  const { authenticationKey, systemTitle, wantsVerified = false } = keys;
  return unprotectGeneral(message, {
    encryptionKey: contentKey(message, keys),
    authenticationKey,
    systemTitle: message.originatorSystemTitle.length > 0 ? message.originatorSystemTitle : (systemTitle ?? noTitle()),
    acceptUnverified: !wantsVerified,
  });
}

/** The key of a message, whose ephemeral key may be signed by any of those who sign. Throws as `contentKeyOf` does. */
export function contentKey(message: GeneralCiphering, keys: DecodeKeys): Uint8Array {
  const { encryptionKey, masterKey, agreementKey, peerAgreementKey, signingKeys } = keys;
  const byThis = (peerSigningKey: Uint8Array | null): Uint8Array =>
    contentKeyOf(message, {
      unicast: encryptionKey,
      broadcast: encryptionKey,
      master: masterKey ?? encryptionKey,
      agreement: agreementKey
        ? { privateKey: agreementKey, peerPublicKey: peerAgreementKey ?? null, peerSigningKey }
        : null,
      agreed: encryptionKey,
    });
  return firstThatFits(signingKeys, byThis) ?? byThis(null);
}

function noTitle(): never {
  return fail('KEY_MISSING', 'the message does not name its originator', {
    hint: 'give the system title of the sender',
  });
}

/** Contents of a signature are in the clear. */
function signed(message: GeneralSigning, { signingKeys }: DecodeKeys): OpenLayer {
  const { content, ...shown } = message;
  const signatureValid = isSignatureValid(message, signingKeys);
  return { shown: { ...shown, signatureValid }, plaintext: content, tagVerified: signatureValid, doubtful: false };
}

/** Whether one of those who sign has signed; null where there is no signature, or no key to verify it with. Throws SIGNATURE_WRONG. */
export function isSignatureValid(message: GeneralSigning, signingKeys?: readonly Uint8Array[]): true | null {
  if (message.signature.length === 0) return null;
  return firstThatFits(signingKeys, (key) => {
    verifySigning(message, curveOfPublicKey(key), key);
    return true;
  });
}

/** What the first key gives that does not fail. Throws what the last one throws; null without keys. */
function firstThatFits<T>(keys: readonly Uint8Array[] = [], use: (key: Uint8Array) => T): T | null {
  for (const [index, key] of keys.entries()) {
    try {
      return use(key);
    } catch (thrown) {
      if (index === keys.length - 1 || !(thrown instanceof BridgeError)) throw thrown;
    }
  }
  return null;
}
