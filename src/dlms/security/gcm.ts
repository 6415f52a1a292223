/**
 * AES-GCM as DLMS uses it (Green Book 9.2.3.3.7, NIST SP 800-38D): a 12-octet IV of system title and invocation counter,
 * a 12-octet tag. The same key and IV twice reveal both messages: counters must never be used again.
 */
import { type CipherGCMTypes, createCipheriv, createDecipheriv, timingSafeEqual } from 'node:crypto';
import { concat } from '../../core/bytes.ts';
import { fail } from '../../core/errors.ts';

export const SYSTEM_TITLE_OCTETS = 8;
export const IV_OCTETS = SYSTEM_TITLE_OCTETS + 4;
export const TAG_OCTETS = 12;
export const LARGEST_COUNTER = 0xffff_ffff;

const CIPHERS: Readonly<Record<number, CipherGCMTypes>> = { 16: 'aes-128-gcm', 32: 'aes-256-gcm' };

function cipherFor(key: Uint8Array): CipherGCMTypes {
  const message = `a block cipher key has 16 or 32 octets, this one has ${key.length}`;
  return CIPHERS[key.length] ?? fail('INVALID_VALUE', message, { layer: 'security' });
}

/** System title of the sender || invocation counter. Throws INVALID_VALUE when one does not fit. */
export function initializationVector(systemTitle: Uint8Array, invocationCounter: number): Uint8Array {
  if (systemTitle.length !== SYSTEM_TITLE_OCTETS) {
    fail('INVALID_VALUE', `a system title has ${SYSTEM_TITLE_OCTETS} octets, this one has ${systemTitle.length}`, {
      layer: 'security',
    });
  }
  if (!Number.isInteger(invocationCounter) || invocationCounter < 0 || invocationCounter > LARGEST_COUNTER) {
    fail('INVALID_VALUE', `${invocationCounter} is no invocation counter: 0 to ${LARGEST_COUNTER}`, {
      layer: 'security',
      hint: 'once the counter is used up, the key must be replaced',
    });
  }
  const iv = new Uint8Array(IV_OCTETS);
  iv.set(systemTitle);
  new DataView(iv.buffer).setUint32(SYSTEM_TITLE_OCTETS, invocationCounter);
  return iv;
}

/** Encrypts and authenticates. Empty plaintext gives GMAC: the tag over `aad` alone. */
export function gcmEncrypt(
  key: Uint8Array,
  iv: Uint8Array,
  plaintext: Uint8Array,
  aad: Uint8Array,
): { readonly ciphertext: Uint8Array; readonly tag: Uint8Array } {
  const cipher = createCipheriv(cipherFor(key), key, iv, { authTagLength: TAG_OCTETS });
  cipher.setAAD(aad);
  const ciphertext = concat([cipher.update(plaintext), cipher.final()]);
  return { ciphertext, tag: Uint8Array.from(cipher.getAuthTag()) };
}

/** Verifies and decrypts. Throws DECRYPT_FAILED when the tag does not fit key, IV, ciphertext and `aad`. */
export function gcmDecrypt(
  key: Uint8Array,
  iv: Uint8Array,
  ciphertext: Uint8Array,
  aad: Uint8Array,
  tag: Uint8Array,
): Uint8Array {
  const decipher = createDecipheriv(cipherFor(key), key, iv, { authTagLength: TAG_OCTETS });
  decipher.setAAD(aad);
  decipher.setAuthTag(tag);
  const plaintext = decipher.update(ciphertext);
  try {
    return concat([plaintext, decipher.final()]);
  } catch (cause) {
    return fail('DECRYPT_FAILED', 'the authentication tag does not fit', { cause });
  }
}

/** Encrypts or decrypts without any tag: whether the key was the right one, only the result can tell. */
export function gcmStream(key: Uint8Array, iv: Uint8Array, octets: Uint8Array): Uint8Array {
  const cipher = createCipheriv(cipherFor(key), key, iv, { authTagLength: TAG_OCTETS });
  return concat([cipher.update(octets), cipher.final()]);
}

/** Compares without telling by its duration where the two differ. */
export function sameSecret(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
