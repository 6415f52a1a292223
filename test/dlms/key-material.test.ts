/** Keys in every form that people have them in come out as the same octets; nothing else is taken, and no message repeats one. */
import { createECDH, createPrivateKey, createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex } from '../../src/core/bytes.ts';
import { BridgeError } from '../../src/core/errors.ts';
import { publicKeyOf } from '../../src/dlms/security/elliptic-curve.ts';
import { certifiedKey, readCertificate, readPrivateKey, readPublicKey } from '../../src/dlms/security/key-material.ts';
import { METER_TITLE, P256, P384 } from '../support/certificates.ts';

const text = (value: string): Uint8Array => Buffer.from(value);
const der = (pem: string): Uint8Array => new X509Certificate(pem).raw;

function refusal(read: () => unknown): BridgeError {
  try {
    read();
  } catch (error) {
    if (error instanceof BridgeError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe.each([
  ['P-256', P256],
  ['P-384', P384],
] as const)('%s', (curve, { meterKey, meterCertificate }) => {
  const node = createPrivateKey(meterKey);
  const scalar = Uint8Array.from(Buffer.from(node.export({ format: 'jwk' }).d ?? '', 'base64url'));
  const point = publicKeyOf(curve, scalar);
  const spki = createPublicKey(meterKey);

  test.each<[string, Uint8Array]>([
    ['SEC1 in PEM', text(meterKey)],
    ['PKCS#8 in PEM', text(String(node.export({ format: 'pem', type: 'pkcs8' })))],
    ['SEC1 in DER', node.export({ format: 'der', type: 'sec1' })],
    ['PKCS#8 in DER', node.export({ format: 'der', type: 'pkcs8' })],
    ['PKCS#8 in hex', text(toHex(node.export({ format: 'der', type: 'pkcs8' })))],
    ['its scalar in hex', text(toHex(scalar))],
    ['its scalar in hex, with a line end', text(`${toHex(scalar).toUpperCase()}\n`)],
    [
      'behind the parameters of the curve',
      text(`-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${meterKey}`),
    ],
  ])('a private key as %s', (_, octets) => {
    expect(readPrivateKey(octets, 'it')).toEqual({ curve, key: scalar });
  });

  test.each<[string, Uint8Array]>([
    ['SPKI in PEM', text(String(spki.export({ format: 'pem', type: 'spki' })))],
    ['SPKI in DER', spki.export({ format: 'der', type: 'spki' })],
    ['X.509 in PEM', text(meterCertificate)],
    ['X.509 in DER', der(meterCertificate)],
    ['X.509 in hex', text(toHex(der(meterCertificate)))],
    ['x || y in hex', text(toHex(point))],
    ['04 || x || y in hex', text(`04${toHex(point)}`)],
  ])('a public key as %s', (_, octets) => {
    expect(readPublicKey(octets, 'it')).toEqual({ curve, key: point });
  });

  test('every private key comes back from its hex and PEM', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: scalar.length - 1, maxLength: scalar.length - 1 }), (tail) => {
        const key = Uint8Array.of(0, ...tail.with(-1, (tail.at(-1) ?? 0) | 1));
        expect(readPrivateKey(text(toHex(key)), 'it').key).toEqual(key);
        const ecdh = createECDH(curve === 'P-256' ? 'prime256v1' : 'secp384r1');
        ecdh.setPrivateKey(key);
        expect(readPublicKey(text(ecdh.getPublicKey('hex')), 'it').key).toEqual(publicKeyOf(curve, key));
      }),
      { numRuns: 20 },
    );
  });

  test('a point that is off the curve is no key', () => {
    const off = Uint8Array.from(point);
    off[off.length - 1] = (off.at(-1) ?? 0) ^ 1;
    expect(refusal(() => readPublicKey(text(toHex(off)), 'it')).code).toBe('INVALID_VALUE');
  });
});

test.each<[string, Uint8Array]>([
  ['nothing', text('')],
  ['a word', text('secret-word')],
  ['hex of another length', text('0123456789abcdef')],
  ['a scalar of zeros', text('00'.repeat(32))],
  ['a public key', text(P256.meterCertificate)],
  ['a PEM cut short', text(P256.meterKey.slice(0, 120))],
  ['an encrypted key', text('-----BEGIN ENCRYPTED PRIVATE KEY-----\nMA==\n-----END ENCRYPTED PRIVATE KEY-----')],
  [
    'a key of another curve',
    generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey.export({ format: 'der', type: 'sec1' }),
  ],
])('%s is no private key', (_, octets) => {
  const error = refusal(() => readPrivateKey(octets, '--signing-key'));
  expect(error).toMatchObject({ code: 'INVALID_VALUE', fault: 'credentials' });
  expect(error.cause).toBeUndefined();
  const given = Buffer.from(octets).toString('latin1');
  if (given.length > 8) expect(error.message).not.toContain(given);
});

test('a private key is not taken for a public one', () => {
  expect(refusal(() => readPublicKey(text(P256.meterKey), 'it')).message).toContain('private key');
});

describe('the certificate that a meter sends', () => {
  const sent = readCertificate(text(P256.meterCertificate), 'it');
  const authority = readCertificate(text(P256.authority), 'it');
  const title = fromHex(METER_TITLE);
  const failed = expect.objectContaining({ code: 'AUTHENTICATION_FAILED' });

  test('is believed when the authority has signed it for this title', () => {
    expect(certifiedKey(sent, authority, title)).toEqual(readPublicKey(text(P256.meterCertificate), 'it'));
  });

  test('is not believed of another authority, for another title, or when it is no certificate', () => {
    const other = readCertificate(text(P384.authority), 'it');
    expect(() => certifiedKey(sent, other, title)).toThrow(failed);
    expect(() => certifiedKey(sent, authority, fromHex('53494d0000000002'))).toThrow(failed);
    expect(() => certifiedKey(authority, authority, title)).toThrow(failed);
    expect(() => certifiedKey(sent.subarray(0, 50), authority, title)).toThrow(failed);
  });

  test('is not believed with any octet changed', () => {
    for (let at = 0; at < sent.length; at += 1) {
      const forged = Uint8Array.from(sent);
      forged[at] = (forged[at] ?? 0) ^ 0x01;
      expect(() => certifiedKey(forged, authority, title), `octet ${at}`).toThrow(BridgeError);
    }
  });
});
