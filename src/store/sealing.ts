/**
 * Secrets at rest: AES-256-GCM with a nonce per value. What a value is for (table, column, row) is its associated data,
 * so a sealed value copied to another place does not open there.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { BridgeError, fail } from '../core/errors.ts';

export const KEY_OCTETS = 32;
const NONCE_OCTETS = 12;
const TAG_OCTETS = 16;
/** First octet of a sealed value, for the day when there is another algorithm. */
const FORMAT = 1;

export interface Sealing {
  /** Format octet, nonce, ciphertext, tag. `purpose` names table, column and row. */
  seal(purpose: string, plain: Uint8Array): Uint8Array;
  /** Throws SEALING_KEY_WRONG when key, purpose or octets are not those it was sealed with. */
  open(purpose: string, sealed: Uint8Array): Uint8Array;
  /** The same for the same token on the same target, and telling nothing of it: HMAC-SHA-256 over URL and token. */
  fingerprint(targetUrl: string, token: string): Uint8Array;
  /** The same for the same key with the same system title, and telling nothing of them: HMAC-SHA-256 over both, 32 octets. */
  counterKeyId(blockCipherKey: Uint8Array, systemTitle: Uint8Array): Uint8Array;
}

/**
 * `key`: 32 octets. Sealing, fingerprints and key ids use keys of their own derived from it; after a rotation of the key
 * `counterKey` is still that of the first one.
 */
export function createSealing(key: Uint8Array, counterKey: Uint8Array = counterKeyOf(key)): Sealing {
  const sealingKey = derive(key, 'dlms-multi-meter sealing');
  const fingerprintKey = derive(key, 'dlms-multi-meter token fingerprint');
  return {
    seal(purpose, plain) {
      const nonce = randomBytes(NONCE_OCTETS);
      const cipher = createCipheriv('aes-256-gcm', sealingKey, nonce).setAAD(Buffer.from(purpose));
      const ciphertext = Buffer.concat([cipher.update(plain), cipher.final()]);
      return Buffer.concat([Uint8Array.of(FORMAT), nonce, ciphertext, cipher.getAuthTag()]);
    },
    open(purpose, sealed) {
      if (sealed.length < 1 + NONCE_OCTETS + TAG_OCTETS || sealed[0] !== FORMAT) {
        fail('SEALING_KEY_WRONG', `the sealed value of ${purpose} is damaged`, { fault: 'internal' });
      }
      const nonce = sealed.subarray(1, 1 + NONCE_OCTETS);
      const ciphertext = sealed.subarray(1 + NONCE_OCTETS, sealed.length - TAG_OCTETS);
      const decipher = createDecipheriv('aes-256-gcm', sealingKey, nonce, { authTagLength: TAG_OCTETS })
        .setAAD(Buffer.from(purpose))
        .setAuthTag(sealed.subarray(sealed.length - TAG_OCTETS));
      try {
        return Buffer.concat([decipher.update(ciphertext), decipher.final()]);
      } catch (cause) {
        throw new BridgeError('SEALING_KEY_WRONG', `the key does not open ${purpose}`, { cause });
      }
    },
    fingerprint(targetUrl, token) {
      // The length stands in front, so that no other pair of texts gives the same octets.
      return createHmac('sha256', fingerprintKey).update(`${targetUrl.length}:${targetUrl}${token}`).digest();
    },
    counterKeyId(blockCipherKey, systemTitle) {
      const hmac = createHmac('sha256', counterKey).update(Uint8Array.of(blockCipherKey.length));
      return new Uint8Array(hmac.update(blockCipherKey).update(systemTitle).digest());
    },
  };
}

/** What the names of invocation counters are made with. A counter whose name was lost would begin anew. */
export function counterKeyOf(key: Uint8Array): Uint8Array {
  return derive(key, 'dlms-multi-meter counter');
}

function derive(key: Uint8Array, use: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', key, new Uint8Array(0), use, KEY_OCTETS));
}
