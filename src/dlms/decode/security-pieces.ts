/** The smaller things that the layer "security" of `decode --batch` knows: GMAC values, bare ciphertexts, signatures, key derivation. */
import { sameBytes } from '../../core/bytes.ts';
import { fail } from '../../core/errors.ts';
import { decodeOpened } from '../security/apdu-protection.ts';
import { CURVES, ecdsaVerify } from '../security/elliptic-curve.ts';
import { gcmStream, IV_OCTETS } from '../security/gcm.ts';
import { agreementOf, concatenationKdf, otherInfoOf, sharedSecretOf } from '../security/key-agreement.ts';
import { type Curve, securitySuite } from '../security/suite.ts';
import { openGmacValue } from './gmac-value.ts';
import { type VectorContext as Context, given, keysIn, octets, optional } from './vector-context.ts';

export type Shown = Readonly<Record<string, unknown>>;

/** f(StoC) or f(CtoS) of HLS GMAC. Throws as `openGmacValue` does. */
export function gmacValue(bytes: Uint8Array, context: Context): Shown {
  const { securityControl, invocationCounter, tag } = openGmacValue(
    bytes,
    keysIn(context),
    octets(context, 'challenge'),
  );
  return {
    kind: 'hls-gmac-value',
    // The octets do not tell who made them.
    function: context.role === 'server to client' ? 'f(CtoS)' : 'f(StoC)',
    securityControl: securityControl.raw,
    invocationCounter,
    tag,
    valid: true,
  };
}

/** Octets encrypted under a given IV, with nothing around them. */
export function bareCiphertext(bytes: Uint8Array, context: Context): Shown {
  const iv = octets(context, 'iv');
  if (iv.length !== IV_OCTETS) {
    fail('INVALID_VALUE', `an IV has ${IV_OCTETS} octets, this one has ${iv.length}`, { layer: 'security' });
  }
  const plaintext = gcmStream(octets(context, 'encryptionKey'), iv, bytes);
  return { kind: 'aes-gcm-ciphertext', plaintext, inner: decodeOpened({ plaintext, tagVerified: null }) };
}

/** The octets that were signed. Throws SIGNATURE_WRONG. */
export function signature(bytes: Uint8Array, context: Context): Shown {
  ecdsaVerify(curveNamed(context), octets(context, 'publicKey'), bytes, octets(context, 'signature'));
  return { kind: 'ecdsa', signatureValid: true };
}

function curveNamed({ curve }: Context): Curve {
  if (curve === 'P-256' || curve === 'P-384') return curve;
  return fail('SECURITY_UNSUPPORTED', 'the curves of DLMS are P-256 and P-384');
}

const SUITE_BY_HASH: Readonly<Record<string, 1 | 2>> = { 'SHA-256': 1, 'SHA-384': 2 };

/** The bytes are the shared secret Z. Throws KEY_MISSING, MALFORMED, SECURITY_UNSUPPORTED. */
export function derivedKey(bytes: Uint8Array, context: Context): Shown {
  const id = SUITE_BY_HASH[String(context.hash)] ?? fail('SECURITY_UNSUPPORTED', 'key derivation by another hash');
  const suite = securitySuite(id);
  const { hash, curve } = agreementOf(suite);
  const coordinate = CURVES[curve].octets;
  if (bytes.length !== coordinate) {
    fail('MALFORMED', `a shared secret of ${curve} has ${coordinate} octets, not ${bytes.length}`, {
      layer: 'security',
    });
  }
  if (given(context, 'privateKey') && given(context, 'peerPublicKey')) {
    const secret = sharedSecretOf(suite, octets(context, 'privateKey'), octets(context, 'peerPublicKey'));
    if (!sameBytes(secret, bytes)) fail('MALFORMED', 'not the shared secret of these keys', { layer: 'security' });
  }
  const otherInfo = otherInfoIn(context);
  return {
    kind: 'kdf-nist-800-56a-concat',
    derivedKey: concatenationKdf(hash, bytes, otherInfo, suite.keyOctets),
    otherInfo,
  };
}

function otherInfoIn(context: Context): Uint8Array {
  const whole = optional(context, 'kdfOtherInfo') ?? optional(context, 'otherInfo');
  if (whole !== null) return whole;
  const originator = optional(context, 'originatorSystemTitle');
  const recipient = optional(context, 'recipientSystemTitle');
  if (originator === null || recipient === null) {
    return fail('KEY_MISSING', 'the key cannot be derived without the system titles of both parties');
  }
  return otherInfoOf(octets(context, 'algorithmId'), { originator, recipient });
}
