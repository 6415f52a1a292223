/** One layer of protection, whichever it is, with what the keys at hand can show of it. */
import { fail } from '../../core/errors.ts';
import { isGloDed } from '../security/apdu-protection.ts';
import type { CipheredApdu, GeneralCiphering, GeneralSigning } from '../security/ciphered.ts';
import { contentKeyOf, unprotectGeneral } from '../security/general-ciphering.ts';
import { type DecodeKeys, openSecurityLayer } from './security.ts';

export interface OpenLayer {
  /** The members of the layer, `plaintext` among them where it is known. */
  readonly shown: object;
  /** The APDU inside; null when it stays closed. */
  readonly plaintext: Uint8Array | null;
  /** It was decrypted and no tag vouches for it: octets that are no APDU then show that the key is wrong. */
  readonly doubtful: boolean;
}

/**
 * Takes off one layer. Contents that are only authenticated can be read without any key. Throws DECRYPT_FAILED, KEY_MISSING,
 * SECURITY_UNSUPPORTED, MALFORMED.
 */
export function openLayer(apdu: CipheredApdu, keys: DecodeKeys): OpenLayer {
  if (apdu.apdu === 'general-signing') return signed(apdu);
  const { securityControl, ciphertextOrPlain } = apdu;
  const { tagVerified, plaintext, ...shown } = isGloDed(apdu) ? openSecurityLayer(apdu, keys) : openGeneral(apdu, keys);
  const inTheClear = !securityControl.encrypted && !securityControl.compressed ? ciphertextOrPlain : null;
  const inside = plaintext ?? inTheClear;
  return {
    shown: { ...shown, tagVerified, plaintext: inside },
    plaintext: inside,
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
  const opened = keys.encryptionKey === null ? null : unprotected(message, keys.encryptionKey, keys);
  return {
    ...header,
    ciphertext: message.securityControl.encrypted ? ciphertextOrPlain : null,
    tagVerified: opened?.tagVerified === true ? true : null,
    plaintext: opened?.plaintext ?? null,
  };
}

function unprotected(message: GeneralCiphering, key: Uint8Array, decodeKeys: DecodeKeys) {
  const { authenticationKey, systemTitle, wantsVerified = false } = decodeKeys;
  const keys = { unicast: key, broadcast: key, master: key, agreement: null, agreed: key };
  return unprotectGeneral(message, {
    encryptionKey: contentKeyOf(message, keys),
    authenticationKey,
    systemTitle: message.originatorSystemTitle.length > 0 ? message.originatorSystemTitle : (systemTitle ?? noTitle()),
    acceptUnverified: !wantsVerified,
  });
}

function noTitle(): never {
  return fail('KEY_MISSING', 'the message does not name its originator', {
    hint: 'give the system title of the sender',
  });
}

/** Signatures are shown, not verified: that takes a public key. */
function signed({ content, ...shown }: GeneralSigning): OpenLayer {
  return { shown: { ...shown, signatureValid: null }, plaintext: content, doubtful: false };
}
