/** AES key wrap (RFC 3394), by which keys travel under the master key (Green Book 9.2.3.3.8.2). */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { concat } from '../../core/bytes.ts';
import { fail } from '../../core/errors.ts';

const CIPHERS: Readonly<Record<number, string>> = { 16: 'id-aes128-wrap', 32: 'id-aes256-wrap' };
const INITIAL_VALUE = new Uint8Array(8).fill(0xa6);
const BLOCK_OCTETS = 8;

/** @param key 16 octets or more, in blocks of eight. */
export function wrapKey(keyEncryptionKey: Uint8Array, key: Uint8Array): Uint8Array {
  const cipherName = cipherFor(keyEncryptionKey);
  if (key.length < 2 * BLOCK_OCTETS || key.length % BLOCK_OCTETS !== 0) {
    fail('INVALID_VALUE', `a key of ${key.length} octets cannot be wrapped`, { layer: 'security' });
  }
  const cipher = createCipheriv(cipherName, keyEncryptionKey, INITIAL_VALUE);
  return concat([cipher.update(key), cipher.final()]);
}

/** Throws DECRYPT_FAILED when the integrity check fails, MALFORMED for a length that no wrapped key has. */
export function unwrapKey(keyEncryptionKey: Uint8Array, wrapped: Uint8Array): Uint8Array {
  const cipherName = cipherFor(keyEncryptionKey);
  if (wrapped.length < 3 * BLOCK_OCTETS || wrapped.length % BLOCK_OCTETS !== 0) {
    fail('MALFORMED', `a wrapped key of ${wrapped.length} octets`, { layer: 'security' });
  }
  const decipher = createDecipheriv(cipherName, keyEncryptionKey, INITIAL_VALUE);
  try {
    return concat([decipher.update(wrapped), decipher.final()]);
  } catch (cause) {
    return fail('DECRYPT_FAILED', 'the wrapped key does not open with this key encryption key', {
      cause,
      hint: 'check the master key (KEK)',
    });
  }
}

function cipherFor(keyEncryptionKey: Uint8Array): string {
  const message = `a key encryption key has 16 or 32 octets, this one has ${keyEncryptionKey.length}`;
  return CIPHERS[keyEncryptionKey.length] ?? fail('INVALID_VALUE', message, { layer: 'security' });
}
