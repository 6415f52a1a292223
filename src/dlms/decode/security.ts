/**
 * What `decode` shows of a ciphered APDU, in the words of `vectors/`. `decode` explains bytes, it does not act on them: a tag
 * that no key can check does not stop it here unless verified contents are wanted, it is said by `tagVerified: null`.
 */
import { decodeOpened, type GloDedApdu, unprotectApdu } from '../security/apdu-protection.ts';
import { type Apdu, isApduTag } from '../xdlms/apdu.ts';

/** Keys as flags or a vector give them; null for those that are not at hand. */
export interface DecodeKeys {
  /** Whichever key protects the message: global, broadcast or dedicated. */
  readonly encryptionKey: Uint8Array | null;
  readonly authenticationKey: Uint8Array | null;
  /** Of the sender, for messages that do not name it. */
  readonly systemTitle: Uint8Array | null;
  /** Refuses to open what is authenticated when there is no authentication key to verify it with. */
  readonly wantsVerified?: boolean;
  /** Key encryption key, for keys that travel wrapped; without it the encryption key is taken. */
  readonly masterKey?: Uint8Array | null;
  /** Private, for key agreement: of the receiver of one-pass messages, of either party of the static unified model. */
  readonly agreementKey?: Uint8Array | null;
  /** Public, for key agreement, of the other party: the static unified model needs it. */
  readonly peerAgreementKey?: Uint8Array | null;
  /** Public keys of those who sign; a signature has to be of one of them. */
  readonly signingKeys?: readonly Uint8Array[];
}

/** Whether anything can be opened or verified with them. */
export function hasKeys({ encryptionKey, masterKey, agreementKey }: DecodeKeys): boolean {
  return [encryptionKey, masterKey, agreementKey].some((key) => key !== undefined && key !== null);
}

export interface SecurityLayer {
  readonly layer: 'security';
  readonly apdu: GloDedApdu['apdu'];
  readonly systemTitle?: Uint8Array;
  readonly securityControl: GloDedApdu['securityControl'];
  readonly invocationCounter: number;
  readonly ciphertext: Uint8Array | null;
  readonly authenticationTag: Uint8Array | null;
  /** null: there is no tag, or no key to check it with. A tag that does not fit is an error. */
  readonly tagVerified: true | null;
  /** null without an encryption key. */
  readonly plaintext: Uint8Array | null;
}

/**
 * A glo-/ded- APDU with what the keys can show of it. Throws DECRYPT_FAILED, SECURITY_UNSUPPORTED, MALFORMED; KEY_MISSING
 * without a system title.
 */
export function openSecurityLayer(apdu: GloDedApdu, keys: DecodeKeys): SecurityLayer {
  const { securityControl, invocationCounter, authenticationTag, ciphertextOrPlain } = apdu;
  const opened = keys.encryptionKey === null ? null : unprotectApdu(apdu, receiveKeys(keys));
  return {
    layer: 'security',
    apdu: apdu.apdu,
    ...('systemTitle' in apdu && { systemTitle: apdu.systemTitle }),
    securityControl,
    invocationCounter,
    ciphertext: securityControl.encrypted ? ciphertextOrPlain : null,
    authenticationTag,
    tagVerified: opened?.tagVerified === true ? true : null,
    plaintext: opened?.plaintext ?? null,
  };
}

function receiveKeys({ encryptionKey, authenticationKey, systemTitle, wantsVerified = false }: DecodeKeys) {
  return {
    unicast: encryptionKey,
    broadcast: encryptionKey,
    dedicated: encryptionKey,
    authentication: authenticationKey,
    systemTitle,
    acceptUnverified: !wantsVerified,
  };
}

/** The APDU in a layer, or null where there is none: not opened, or a verified text such as a P1 telegram. */
export function apduInLayer({ plaintext, tagVerified }: SecurityLayer): Apdu | null {
  if (plaintext === null) return null;
  if (tagVerified === true && !isApduTag(plaintext[0] ?? 0)) return null;
  return decodeOpened({ plaintext, tagVerified });
}
