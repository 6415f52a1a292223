/**
 * ECDSA and ECDH on P-256 and P-384 (Green Book 9.2.3.4). Keys are plain octets as DLMS transmits them: a public key is
 * x || y, a private key the scalar, a signature r || s.
 */
import {
  createECDH,
  createPrivateKey,
  createPublicKey,
  type ECDH,
  type KeyObject,
  sign as signWith,
  verify as verifyWith,
} from 'node:crypto';
import { concat } from '../../core/bytes.ts';
import { fail } from '../../core/errors.ts';
import type { Curve } from './suite.ts';

/** `octets` of one coordinate, of the scalar and of the shared secret. */
export const CURVES = {
  'P-256': { octets: 32, node: 'prime256v1', hash: 'sha256' },
  'P-384': { octets: 48, node: 'secp384r1', hash: 'sha384' },
} as const;

const UNCOMPRESSED = Uint8Array.of(4);

/** The public key of a private key. Throws INVALID_VALUE when it is no scalar of the curve. */
export function publicKeyOf(curve: Curve, privateKey: Uint8Array): Uint8Array {
  return Uint8Array.from(holder(curve, privateKey).getPublicKey().subarray(UNCOMPRESSED.length));
}

/** By its length: what else of a public key could tell its curve. */
export function curveOfPublicKey({ length }: Uint8Array): Curve {
  return length === 2 * CURVES['P-384'].octets ? 'P-384' : 'P-256';
}

/** Signs; draws its own randomness. */
export function ecdsaSign(curve: Curve, privateKey: Uint8Array, message: Uint8Array): Uint8Array {
  const key = createPrivateKey({
    key: { ...jwkOf(curve, publicKeyOf(curve, privateKey)), d: base64url(privateKey) },
    format: 'jwk',
  });
  return Uint8Array.from(signWith(CURVES[curve].hash, message, { key, dsaEncoding: 'ieee-p1363' }));
}

/** Throws SIGNATURE_WRONG when it does not verify, INVALID_VALUE when the public key is no point of the curve. */
export function ecdsaVerify(curve: Curve, publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): void {
  const key = publicKeyObject(curve, publicKey);
  const fits =
    signature.length === 2 * CURVES[curve].octets &&
    verifyWith(CURVES[curve].hash, message, { key, dsaEncoding: 'ieee-p1363' }, signature);
  if (!fits) fail('SIGNATURE_WRONG', 'the signature does not verify');
}

/** Z, the x-coordinate of the shared point. Throws INVALID_VALUE when a key is none of the curve. */
export function ecdhSecret(curve: Curve, privateKey: Uint8Array, peerPublicKey: Uint8Array): Uint8Array {
  const own = holder(curve, privateKey);
  requireLength('public key', peerPublicKey, 2 * CURVES[curve].octets, curve);
  try {
    return Uint8Array.from(own.computeSecret(concat([UNCOMPRESSED, peerPublicKey])));
  } catch {
    return notOnCurve(curve);
  }
}

/** The private key in what computes with it. The error of the library is not kept as cause: it may quote the key. */
function holder(curve: Curve, privateKey: Uint8Array): ECDH {
  const { octets, node } = CURVES[curve];
  requireLength('private key', privateKey, octets, curve);
  const ecdh = createECDH(node);
  try {
    ecdh.setPrivateKey(privateKey);
  } catch {
    fail('INVALID_VALUE', `the private key is not valid on ${curve}`, { layer: 'security', fault: 'credentials' });
  }
  return ecdh;
}

function publicKeyObject(curve: Curve, publicKey: Uint8Array): KeyObject {
  requireLength('public key', publicKey, 2 * CURVES[curve].octets, curve);
  try {
    return createPublicKey({ key: jwkOf(curve, publicKey), format: 'jwk' });
  } catch {
    return notOnCurve(curve);
  }
}

function notOnCurve(curve: Curve): never {
  return fail('INVALID_VALUE', `the public key is no point of ${curve}`, { layer: 'security', fault: 'credentials' });
}

function requireLength(what: string, key: Uint8Array, octets: number, curve: Curve): void {
  if (key.length === octets) return;
  fail('INVALID_VALUE', `a ${what} of ${curve} has ${octets} octets, this one has ${key.length}`, {
    layer: 'security',
    fault: 'credentials',
  });
}

function jwkOf(curve: Curve, publicKey: Uint8Array): { kty: 'EC'; crv: Curve; x: string; y: string } {
  const { octets } = CURVES[curve];
  const [x, y] = [publicKey.subarray(0, octets), publicKey.subarray(octets)];
  return { kty: 'EC', crv: curve, x: base64url(x), y: base64url(y) };
}

function base64url(octets: Uint8Array): string {
  return Buffer.from(octets).toString('base64url');
}
