/**
 * Keys that two parties agree on by ECDH (Green Book 9.2.3.4.6, NIST SP 800-56A): the ephemeral unified model C(2e, 0s),
 * one-pass Diffie-Hellman C(1e, 1s) and the static unified model C(0e, 2s); and the key derivation they share.
 */
import { createHash } from 'node:crypto';
import { ByteWriter, concat, fromHex } from '../../core/bytes.ts';
import { fail } from '../../core/errors.ts';
import { encodeOctetString } from '../axdr/length.ts';
import { CURVES, ecdhSecret, ecdsaSign, ecdsaVerify, publicKeyOf } from './elliptic-curve.ts';
import type { Curve, SecuritySuite } from './suite.ts';

/** AlgorithmID: what the derived key is for (Green Book, table "Cryptographic algorithm ID-s"). */
export const KDF_ALGORITHMS = {
  'aes-gcm-128': fromHex('60857405080300'),
  'aes-gcm-256': fromHex('60857405080301'),
  'aes-wrap-128': fromHex('60857405080302'),
  'aes-wrap-256': fromHex('60857405080303'),
} as const;

/** The concatenation KDF: hash(counter || Z || OtherInfo) as often as `octets` want it. */
export function concatenationKdf(
  hash: 'sha256' | 'sha384',
  sharedSecret: Uint8Array,
  otherInfo: Uint8Array,
  octets: number,
): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (let counter = 1, have = 0; have < octets; counter += 1) {
    const block = createHash(hash)
      .update(new ByteWriter(4).u32(counter).finish())
      .update(sharedSecret)
      .update(otherInfo)
      .digest();
    blocks.push(block);
    have += block.length;
  }
  return concat(blocks).slice(0, octets);
}

export interface AgreementParties {
  /** System title of party U: who began, or whose message it is. */
  readonly originator: Uint8Array;
  /** System title of party V. */
  readonly recipient: Uint8Array;
  /** Of the general-ciphering message: the nonce of the static unified model. Absent in the other two. */
  readonly transactionId?: Uint8Array;
}

/** OtherInfo = AlgorithmID || PartyUInfo || PartyVInfo; a transaction-id stands with its length octet. */
export function otherInfoOf(algorithmId: Uint8Array, parties: AgreementParties): Uint8Array {
  const writer = new ByteWriter().bytes(algorithmId).bytes(parties.originator);
  if (parties.transactionId !== undefined) encodeOctetString(writer, parties.transactionId);
  return writer.bytes(parties.recipient).finish();
}

/** The block cipher key from a shared secret. Throws SECURITY_UNSUPPORTED for suite 0, which has no key agreement. */
export function agreedKey(suite: SecuritySuite, sharedSecret: Uint8Array, parties: AgreementParties): Uint8Array {
  const { hash } = agreementOf(suite);
  const algorithmId = KDF_ALGORITHMS[suite.keyOctets === 16 ? 'aes-gcm-128' : 'aes-gcm-256'];
  return concatenationKdf(hash, sharedSecret, otherInfoOf(algorithmId, parties), suite.keyOctets);
}

/** Curve and hash of a suite that has them. */
export function agreementOf(suite: SecuritySuite): { readonly curve: Curve; readonly hash: 'sha256' | 'sha384' } {
  const { curve, hash } = suite;
  if (curve !== null && hash !== null) return { curve, hash };
  return fail('SECURITY_UNSUPPORTED', `suite ${suite.id} has neither key agreement nor signatures`);
}

/** What the sender of one-pass Diffie-Hellman transmits: ephemeral public key || signature over it. */
export function ephemeralKeyData(
  suite: SecuritySuite,
  ephemeralPrivateKey: Uint8Array,
  signingKey: Uint8Array,
): Uint8Array {
  const { curve } = agreementOf(suite);
  const ephemeral = publicKeyOf(curve, ephemeralPrivateKey);
  return concat([ephemeral, ecdsaSign(curve, signingKey, ephemeral)]);
}

/** The ephemeral public key out of it. Throws SIGNATURE_WRONG, or MALFORMED for a wrong length. */
export function ephemeralKeyOf(suite: SecuritySuite, keyData: Uint8Array, peerSigningKey: Uint8Array): Uint8Array {
  const { curve } = agreementOf(suite);
  const octets = 2 * CURVES[curve].octets;
  if (keyData.length !== 2 * octets) {
    fail('MALFORMED', `${keyData.length} octets of ephemeral key and signature, ${curve} has ${2 * octets}`, {
      layer: 'security',
    });
  }
  const ephemeral = keyData.subarray(0, octets);
  ecdsaVerify(curve, peerSigningKey, ephemeral, keyData.subarray(octets));
  return ephemeral;
}

/** Z of a suite's curve. */
export function sharedSecretOf(suite: SecuritySuite, privateKey: Uint8Array, peerPublicKey: Uint8Array): Uint8Array {
  return ecdhSecret(agreementOf(suite).curve, privateKey, peerPublicKey);
}
