/** Every vector of the layer "security": whole, cut at every offset, and with each bit of ciphertext and tag flipped. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toHex } from '../../src/core/bytes.ts';
import { BridgeError } from '../../src/core/errors.ts';
import { apduInLayer, openSecurityLayer } from '../../src/dlms/decode/security.ts';
import { decodeSecurityVector } from '../../src/dlms/decode/security-vector.ts';
import { isGloDed } from '../../src/dlms/security/apdu-protection.ts';
import { decodeApdu } from '../../src/dlms/xdlms/apdu.ts';
import { bytesOf, differences, isNegative, loadVectors, shown, type Vector } from '../support/vectors.ts';

const vectors = loadVectors('security').map(withOtherInfo);
const positive = vectors.filter((vector) => !isNegative(vector));
const byId = (id: string): Vector => vectors.find((vector) => vector.id === id) as Vector;

/** The system titles that a key is derived with stand in no context of the vectors, only in what they expect. */
function withOtherInfo(vector: Vector): Vector {
  const { otherInfo } = vector.expect;
  return otherInfo === undefined ? vector : { ...vector, context: { ...vector.context, kdfOtherInfo: otherInfo } };
}

function codeOf(bytes: Uint8Array, context: Vector['context']): string {
  try {
    decodeSecurityVector(bytes, context);
    return 'opened';
  } catch (error) {
    return error instanceof BridgeError ? error.code : `not a BridgeError: ${error}`;
  }
}

describe('vectors', () => {
  test.each(positive.map((vector) => [vector.id, vector] as const))('%s', (_, vector) => {
    expect(differences(vector.expect, decodeSecurityVector(bytesOf(vector), vector.context))).toEqual([]);
  });

  test.each(vectors.filter(isNegative).map((vector) => [vector.id, vector] as const))('%s', (_, vector) => {
    expect(() => decodeSecurityVector(bytesOf(vector), vector.context)).toThrow(BridgeError);
  });

  test('cut at every offset', () => {
    for (const vector of vectors) {
      const bytes = bytesOf(vector);
      for (let length = 0; length < bytes.length; length += 1) {
        expect(() => decodeSecurityVector(bytes.subarray(0, length), vector.context), `${vector.id} ${length}`).toThrow(
          BridgeError,
        );
      }
    }
  });

  test('each bit of ciphertext and tag', () => {
    const authenticated = positive.filter(({ expect: { tagValid } }) => tagValid === true);
    expect(authenticated.length).toBeGreaterThan(10);
    for (const vector of authenticated) {
      const bytes = bytesOf(vector);
      const enclosed = vector.expect.kind === 'protected-apdu-content' ? 0 : 2;
      const first = enclosed + 5;
      for (let bit = first * 8; bit < bytes.length * 8; bit += 1) {
        const flipped = bytes.slice();
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        expect(codeOf(flipped, vector.context), `${vector.id} bit ${bit}`).toBe('DECRYPT_FAILED');
      }
    }
  });

  test('whatever is changed, only a BridgeError comes of it', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...vectors),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (vector, changes) => {
          const bytes = bytesOf(vector);
          for (const [at, octet] of changes) bytes[at % bytes.length] = octet;
          expect(codeOf(bytes, vector.context)).not.toMatch(/^not a BridgeError/);
        },
      ),
      { numRuns: 3000 },
    );
  });
});

describe('what says more than that it failed', () => {
  const gb = byId('sec-gb-glo-get-request-auth-enc');

  test('a second delivery', () => {
    const replay = byId('sec-neg-replay-same-ic');
    expect(codeOf(bytesOf(replay), replay.context)).toBe('REPLAYED');
    expect(codeOf(bytesOf(replay), { ...replay.context, lastReceivedInvocationCounter: 19088742 })).toBe('opened');
  });

  test('keys that are not there', () => {
    expect(codeOf(bytesOf(gb), { ...gb.context, systemTitle: null })).toBe('KEY_MISSING');
    const clear = byId('sec-gb-auth-only');
    expect(codeOf(bytesOf(clear), {})).toBe('KEY_MISSING');
    const mac = byId('sec-gbcs-command-mac');
    expect(codeOf(bytesOf(mac), {})).toBe('KEY_MISSING');
    const signed = byId('sec-gbcs-signed-response');
    expect(codeOf(bytesOf(signed), {})).toBe('KEY_MISSING');
    expect(codeOf(bytesOf(byId('sec-kdf-ephemeral-unified')), { algorithmId: '60857405080300', hash: 'SHA-256' })).toBe(
      'KEY_MISSING',
    );
  });

  test('only the header, when the context says that there is no key', () => {
    const mac = byId('sec-gbcs-command-mac');
    expect(shown(decodeSecurityVector(bytesOf(mac), { encryptionKey: null }))).toMatchObject({
      generalCiphering: { invocationCounter: 0, macValid: null },
    });
  });

  test('a MAC and a signature that do not fit', () => {
    const mac = byId('sec-gbcs-response-mac');
    expect(codeOf(bytesOf(byId('sec-neg-gbcs-mac-flipped')), mac.context)).toBe('DECRYPT_FAILED');
    const content = byId('sec-neg-gbcs-content-flipped');
    expect(codeOf(bytesOf(content), content.context)).toBe('SIGNATURE_WRONG');
  });

  test('a wrong key of a message without a tag', () => {
    const encrypted = byId('sec-gb-enc-only');
    const wrong = { ...encrypted.context, encryptionKey: 'ff0102030405060708090a0b0c0d0e0f' };
    expect(codeOf(bytesOf(encrypted), wrong)).toBe('DECRYPT_FAILED');
  });

  test('what is no hex, or no system title', () => {
    expect(codeOf(bytesOf(gb), { ...gb.context, encryptionKey: 'no hex' })).toBe('INVALID_VALUE');
    expect(codeOf(bytesOf(gb), { ...gb.context, systemTitle: '4d4d4d' })).toBe('INVALID_VALUE');
    expect(codeOf(bytesOf(gb), { ...gb.context, encryptionKey: 5 })).toBe('KEY_MISSING');
  });
});

describe('the layer that decode shows', () => {
  const gb = byId('sec-gb-glo-get-request-auth-enc');
  const keys = (context: Readonly<Record<string, unknown>>) => ({
    encryptionKey: octets(context.encryptionKey),
    authenticationKey: octets(context.authenticationKey),
    systemTitle: octets(context.systemTitle),
  });
  const octets = (value: unknown): Uint8Array | null =>
    typeof value === 'string' ? Uint8Array.from(Buffer.from(value, 'hex')) : null;
  const layerOf = (vector: Vector, context = vector.context) => {
    const apdu = decodeApdu(bytesOf(vector));
    if (!isGloDed(apdu)) throw new Error(apdu.apdu);
    return openSecurityLayer(apdu, keys(context));
  };

  test('with all keys', () => {
    const layer = layerOf(gb);
    expect(layer.tagVerified).toBe(true);
    expect(apduInLayer(layer)?.apdu).toBe('get-request');
  });

  test('without the authentication key it opens, and says that nothing was verified', () => {
    const layer = layerOf(gb, { ...gb.context, authenticationKey: null });
    expect(layer.tagVerified).toBeNull();
    expect(toHex(layer.plaintext as Uint8Array)).toBe(gb.expect.plaintext);
  });

  test('without keys only the header is shown', () => {
    const layer = layerOf(gb, {});
    expect(layer.plaintext).toBeNull();
    expect(apduInLayer(layer)).toBeNull();
    expect(shown(layer)).toMatchObject({ apdu: 'glo-get-request', invocationCounter: 19088743, tagVerified: null });
  });

  test('pushes of real meters', () => {
    const pushes = loadVectors('push').filter(
      ({ context, expect: want }) => context.transport === 'raw' && want.security !== undefined,
    );
    expect(pushes.length).toBeGreaterThan(1);
    for (const vector of pushes) {
      const layer = layerOf(vector);
      expect(differences(vector.expect.security, layer), vector.id).toEqual([]);
      expect(toHex(layer.plaintext as Uint8Array), vector.id).toBe(vector.expect.plaintext);
      expect(apduInLayer(layer)?.apdu, vector.id).toBe('data-notification');
    }
  });
});
