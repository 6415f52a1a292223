/**
 * Keys for signatures and key agreement as people have them, in octets as DLMS takes them: PEM (PKCS#8, SEC1, SPKI, X.509),
 * DER, or hex: of DER, of a scalar (private), of x || y with or without the leading 04 (public). No message repeats a key.
 */
import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { concat, fromHex, sameBytes, toHex } from '../../core/bytes.ts';
import { fail } from '../../core/errors.ts';
import { CURVES, publicKeyOf } from './elliptic-curve.ts';
import type { Curve } from './suite.ts';

export interface CurveKey {
  readonly curve: Curve;
  /** The scalar of a private key, x || y of a public one. */
  readonly key: Uint8Array;
}

const CURVE_NAMES = Object.keys(CURVES) as Curve[];
const PRIVATE_PEM = /-----BEGIN (EC )?PRIVATE KEY-----[\s\S]*?-----END \1PRIVATE KEY-----/;
const PUBLIC_PEM = /-----BEGIN PUBLIC KEY-----[\s\S]*?-----END PUBLIC KEY-----/;
const CERTIFICATE_PEM = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/;

/** A private key of P-256 or P-384. Throws INVALID_VALUE for anything else, an encrypted key among it. */
export function readPrivateKey(octets: Uint8Array, what: string): CurveKey {
  const { text, binary } = formOf(octets);
  if (text !== null) {
    if (text.includes('ENCRYPTED')) refuse(`${what} is encrypted: decrypt it first, and guard the file`);
    const [pem] = PRIVATE_PEM.exec(text) ?? [];
    if (pem === undefined) return refuse(`${what} is no private key: PEM with "PRIVATE KEY", DER or hex`);
    return curveKeyOf(
      attempt(() => createPrivateKey(pem)),
      'd',
      what,
    );
  }
  const curve = CURVE_NAMES.find((name) => CURVES[name].octets === binary.length);
  if (curve !== undefined) {
    publicKeyOf(curve, binary);
    return { curve, key: binary };
  }
  const der = Buffer.from(binary);
  const key =
    attempt(() => createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })) ??
    attempt(() => createPrivateKey({ key: der, format: 'der', type: 'sec1' }));
  return curveKeyOf(key, 'd', what);
}

/** A public key of P-256 or P-384, by itself or in a certificate. Throws INVALID_VALUE, also for a private key. */
export function readPublicKey(octets: Uint8Array, what: string): CurveKey {
  const { text, binary } = formOf(octets);
  if (text !== null) {
    if (PRIVATE_PEM.test(text)) return refuse(`${what} is a private key: give the public one, or the certificate`);
    const [pem] = PUBLIC_PEM.exec(text) ?? [];
    if (pem === undefined) return certificateKey(readCertificate(octets, what), what);
    return curveKeyOf(
      attempt(() => createPublicKey(pem)),
      'xy',
      what,
    );
  }
  const point = binary[0] === UNCOMPRESSED && binary.length % 2 === 1 ? binary.subarray(1) : binary;
  const curve = CURVE_NAMES.find((name) => 2 * CURVES[name].octets === point.length);
  if (curve !== undefined) return pointOf(curve, point, what);
  const spki = attempt(() => createPublicKey({ key: Buffer.from(binary), format: 'der', type: 'spki' }));
  return spki === null ? certificateKey(readCertificate(octets, what), what) : curveKeyOf(spki, 'xy', what);
}

const UNCOMPRESSED = 4;

/** A certificate in DER. Throws INVALID_VALUE. */
export function readCertificate(octets: Uint8Array, what: string): Uint8Array {
  const { text, binary } = formOf(octets);
  const [pem] = CERTIFICATE_PEM.exec(text ?? '') ?? [];
  const certificate = attempt(() => new X509Certificate(pem ?? Buffer.from(binary)));
  return certificate === null ? refuse(`${what} is neither a key nor a certificate`) : Uint8Array.from(certificate.raw);
}

/** The key in a certificate. Throws INVALID_VALUE when it is none of P-256 or P-384. */
export function certificateKey(der: Uint8Array, what: string): CurveKey {
  return curveKeyOf(
    attempt(() => new X509Certificate(der).publicKey),
    'xy',
    what,
  );
}

/**
 * The key of a peer out of the certificate that it sent: signed by the authority, and made out to its system title (the
 * common name in hex, Green Book 9.2.6.3). Validity times are not looked at: nobody has told this code the time, and meters
 * outlive them. Throws AUTHENTICATION_FAILED.
 */
export function certifiedKey(sent: Uint8Array, authority: Uint8Array, systemTitle: Uint8Array): CurveKey {
  const certificate = attempt(() => new X509Certificate(sent));
  if (certificate === null) return distrust('the certificate that the meter sent cannot be read');
  const issuer = new X509Certificate(authority);
  if (!certificate.checkIssued(issuer) || !certificate.verify(issuer.publicKey)) {
    return distrust('the certificate that the meter sent is not signed by the given authority');
  }
  const [, name = ''] = /^CN=(.*)$/m.exec(certificate.subject) ?? [];
  const named = /^[0-9a-f]{16}$/i.test(name) ? fromHex(name) : new Uint8Array(0);
  if (!sameBytes(named, systemTitle)) {
    return distrust(`the certificate is made out to "${name}", the meter calls itself ${toHex(systemTitle)}`);
  }
  return certificateKey(sent, 'the certificate that the meter sent');
}

function distrust(message: string): never {
  return fail('AUTHENTICATION_FAILED', message, {
    layer: 'security',
    hint: 'check the certificate of the authority, or give the public key of the meter',
  });
}

/** Text for PEM; else the octets, which hex stands for. */
function formOf(octets: Uint8Array): { readonly text: string | null; readonly binary: Uint8Array } {
  const text = Buffer.from(octets).toString('latin1').trim();
  if (text.includes('-----BEGIN ')) return { text, binary: octets };
  const digits = text.replace(/^hex:/, '').replaceAll(/\s/g, '');
  return { text: null, binary: /^(?:[0-9a-f]{2})+$/i.test(digits) ? fromHex(digits) : octets };
}

/** null for whatever the library throws: it may quote the key. */
function attempt<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}

function curveKeyOf(key: KeyObject | null, part: 'd' | 'xy', what: string): CurveKey {
  const jwk = key === null ? {} : (attempt(() => key.export({ format: 'jwk' })) ?? {});
  const curve = CURVE_NAMES.find((name) => name === jwk.crv);
  if (curve === undefined) return refuse(`${what} is no key of P-256 or P-384 in PEM, DER or hex`);
  const octets = (text: string | undefined): Uint8Array => Uint8Array.from(Buffer.from(text ?? '', 'base64url'));
  return { curve, key: part === 'd' ? octets(jwk.d) : concat([octets(jwk.x), octets(jwk.y)]) };
}

function pointOf(curve: Curve, point: Uint8Array, what: string): CurveKey {
  const { octets } = CURVES[curve];
  const [x, y] = [point.subarray(0, octets), point.subarray(octets)].map((half) =>
    Buffer.from(half).toString('base64url'),
  );
  const jwk = { kty: 'EC', crv: curve, x: x ?? '', y: y ?? '' };
  return curveKeyOf(
    attempt(() => createPublicKey({ key: jwk, format: 'jwk' })),
    'xy',
    what,
  );
}

function refuse(message: string): never {
  return fail('INVALID_VALUE', message, { layer: 'security', fault: 'credentials' });
}
