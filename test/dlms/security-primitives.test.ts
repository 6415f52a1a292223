/** Known answers of the primitives: NIST GCM, RFC 3394, RFC 5903, SP 800-56A as the Green Book has it. */
import { describe, expect, test } from 'vitest';
import { fromHex, toHex } from '../../src/core/bytes.ts';
import { BridgeError } from '../../src/core/errors.ts';
import { ecdhSecret, ecdsaSign, ecdsaVerify, publicKeyOf } from '../../src/dlms/security/elliptic-curve.ts';
import { gcmDecrypt, gcmEncrypt, gcmStream, initializationVector } from '../../src/dlms/security/gcm.ts';
import { agreedKey, concatenationKdf, sharedSecretOf } from '../../src/dlms/security/key-agreement.ts';
import { unwrapKey, wrapKey } from '../../src/dlms/security/key-wrap.ts';
import { type Curve, satisfiesPolicy, securityControlFor, securitySuite } from '../../src/dlms/security/suite.ts';

const thrownBy = (act: () => unknown): BridgeError => {
  try {
    act();
  } catch (error) {
    if (error instanceof BridgeError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
};
const codeOf = (act: () => unknown): string => thrownBy(act).code;

describe('AES-GCM, test cases of McGrew and Viega (NIST), tags cut to 12 octets', () => {
  const IV = 'cafebabefacedbaddecaf888';
  const PLAINTEXT =
    'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39';
  const AAD = 'feedfacedeadbeeffeedfacedeadbeefabaddad2';

  test.each([
    ['1', '00000000000000000000000000000000', '000000000000000000000000', '', '', '', '58e2fccefa7e3061367f1d57'],
    [
      '2',
      '00000000000000000000000000000000',
      '000000000000000000000000',
      '00000000000000000000000000000000',
      '',
      '0388dace60b6a392f328c2b971b2fe78',
      'ab6e47d42cec13bdf53a67b2',
    ],
    [
      '4',
      'feffe9928665731c6d6a8f9467308308',
      IV,
      PLAINTEXT,
      AAD,
      '42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091',
      '5bc94fbc3221a5db94fae95a',
    ],
    [
      '13',
      '0000000000000000000000000000000000000000000000000000000000000000',
      '000000000000000000000000',
      '',
      '',
      '',
      '530f8afbc74536b9a963b4f1',
    ],
    [
      '16',
      'feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308',
      IV,
      PLAINTEXT,
      AAD,
      '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662',
      '76fc6ece0f4e1768cddf8853',
    ],
  ])('%s', (_, key, iv, plaintext, aad, ciphertext, tag) => {
    const [k, v, a] = [fromHex(key), fromHex(iv), fromHex(aad)];
    const sealed = gcmEncrypt(k, v, fromHex(plaintext), a);
    expect([toHex(sealed.ciphertext), toHex(sealed.tag)]).toEqual([ciphertext, tag]);
    expect(toHex(gcmDecrypt(k, v, sealed.ciphertext, a, sealed.tag))).toBe(plaintext);
    expect(toHex(gcmStream(k, v, fromHex(ciphertext)))).toBe(plaintext);
    expect(codeOf(() => gcmDecrypt(k, v, sealed.ciphertext, Uint8Array.of(...a, 0), sealed.tag))).toBe(
      'DECRYPT_FAILED',
    );
  });

  test('the IV is the title and the counter', () => {
    expect(toHex(initializationVector(fromHex('4d4d4d0000bc614e'), 0x01234567))).toBe('4d4d4d0000bc614e01234567');
    expect(toHex(initializationVector(fromHex('4d4d4d0000bc614e'), 0xffffffff))).toBe('4d4d4d0000bc614effffffff');
    expect(codeOf(() => initializationVector(fromHex('4d4d4d0000bc61'), 1))).toBe('INVALID_VALUE');
    for (const counter of [-1, 0x1_0000_0000, 1.5, Number.NaN]) {
      expect(codeOf(() => initializationVector(fromHex('4d4d4d0000bc614e'), counter))).toBe('INVALID_VALUE');
    }
  });
});

describe('AES key wrap, RFC 3394 section 4', () => {
  const KEY_256 = '00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f';
  test.each([
    [
      '4.1',
      '000102030405060708090a0b0c0d0e0f',
      '00112233445566778899aabbccddeeff',
      '1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5',
    ],
    [
      '4.3',
      '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f',
      '00112233445566778899aabbccddeeff',
      '64e8c3f9ce0f5ba263e9777905818a2a93c8191e7d6e8ae7',
    ],
    [
      '4.6',
      '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f',
      KEY_256,
      '28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21',
    ],
  ])('%s', (_, kek, key, wrapped) => {
    expect(toHex(wrapKey(fromHex(kek), fromHex(key)))).toBe(wrapped);
    expect(toHex(unwrapKey(fromHex(kek), fromHex(wrapped)))).toBe(key);
    for (let at = 0; at < wrapped.length / 2; at += 1) {
      const changed = fromHex(wrapped);
      changed[at]! ^= 1;
      expect(codeOf(() => unwrapKey(fromHex(kek), changed))).toBe('DECRYPT_FAILED');
    }
  });

  test('lengths that cannot be', () => {
    const kek = fromHex('000102030405060708090a0b0c0d0e0f');
    expect(codeOf(() => unwrapKey(kek, new Uint8Array(16)))).toBe('MALFORMED');
    expect(codeOf(() => unwrapKey(kek, new Uint8Array(25)))).toBe('MALFORMED');
    expect(codeOf(() => wrapKey(kek, new Uint8Array(8)))).toBe('INVALID_VALUE');
    expect(codeOf(() => wrapKey(new Uint8Array(15), new Uint8Array(16)))).toBe('INVALID_VALUE');
  });
});

describe('elliptic curves', () => {
  /** RFC 5903, sections 8.1 and 8.2. */
  const EXCHANGES = [
    {
      curve: 'P-256',
      i: 'c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433',
      gi: 'dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c37725811805271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3',
      r: 'c6ef9c5d78ae012a011164acb397ce2088685d8f06bf9be0b283ab46476bee53',
      gr: 'd12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf6356fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab',
      z: 'd6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de',
    },
    {
      curve: 'P-384',
      i: '099f3c7034d4a2c699884d73a375a67f7624ef7c6b3c0f160647b67414dce655e35b538041e649ee3faef896783ab194',
      gi: '667842d7d180ac2cde6f74f37551f55755c7645c20ef73e31634fe72b4c55ee6de3ac808acb4bdb4c88732aee95f41aa9482ed1fc0eeb9cafc4984625ccfc23f65032149e0e144ada024181535a0f38eeb9fcff3c2c947dae69b4c634573a81c',
      r: '41cb0779b4bdb85d47846725fbec3c9430fab46cc8dc5060855cc9bda0aa2942e0308312916b8ed2960e4bd55a7448fc',
      gr: 'e558dbef53eecde3d3fccfc1aea08a89a987475d12fd950d83cfa41732bc509d0d1ac43a0336def96fda41d0774a3571dcfbec7aacf3196472169e838430367f66eebe3c6e70c416dd5f0c68759dd1fff83fa40142209dff5eaad96db9e6386c',
      z: '11187331c279962d93d604243fd592cb9d0a926f422e47187521287e7156c5c4d603135569b9e9d09cf5d4a270f59746',
    },
  ] as const;

  test.each(EXCHANGES.map((one) => [one.curve, one] as const))('ECDH on %s', (curve, { i, gi, r, gr, z }) => {
    expect(toHex(publicKeyOf(curve, fromHex(i)))).toBe(gi);
    expect(toHex(ecdhSecret(curve, fromHex(i), fromHex(gr)))).toBe(z);
    expect(toHex(ecdhSecret(curve, fromHex(r), fromHex(gi)))).toBe(z);
  });

  test.each(EXCHANGES.map((one) => [one.curve, one] as const))('ECDSA on %s', (curve, { i, gi, gr }) => {
    const message = fromHex('0102030405');
    const signature = ecdsaSign(curve, fromHex(i), message);
    ecdsaVerify(curve, fromHex(gi), message, signature);
    expect(codeOf(() => ecdsaVerify(curve, fromHex(gr), message, signature))).toBe('SIGNATURE_WRONG');
    expect(codeOf(() => ecdsaVerify(curve, fromHex(gi), message.subarray(1), signature))).toBe('SIGNATURE_WRONG');
    expect(codeOf(() => ecdsaVerify(curve, fromHex(gi), message, signature.subarray(1)))).toBe('SIGNATURE_WRONG');
  });

  test.each<Curve>(['P-256', 'P-384'])('keys that are none of %s', (curve) => {
    const octets = curve === 'P-256' ? 32 : 48;
    const good = fromHex(EXCHANGES.find((one) => one.curve === curve)?.i ?? '');
    const noPoint = new Uint8Array(2 * octets).fill(7);
    expect(codeOf(() => ecdhSecret(curve, good, noPoint))).toBe('INVALID_VALUE');
    expect(codeOf(() => ecdhSecret(curve, good, noPoint.subarray(1)))).toBe('INVALID_VALUE');
    expect(codeOf(() => ecdsaVerify(curve, noPoint, good, noPoint))).toBe('INVALID_VALUE');
    for (const scalar of [new Uint8Array(octets), new Uint8Array(octets).fill(0xff), good.subarray(1)]) {
      const error = thrownBy(() => publicKeyOf(curve, scalar));
      expect([error.code, error.cause]).toEqual(['INVALID_VALUE', undefined]);
    }
  });
});

describe('key derivation', () => {
  const CLIENT = fromHex('4d4d4d0000bc614e');
  const SERVER = fromHex('4d4d4d0000000001');

  test('ephemeral unified model, suite 1 (Green Book)', () => {
    const suite = securitySuite(1);
    const secret = sharedSecretOf(
      suite,
      fromHex('34a8c23a34dbb519d09b245754c85a6cfe05d14a063efa5aa41545aa8241efae'),
      fromHex(
        '2914d60e10ab705f62ed6cc349d7cb99b9ab3f3978e59278c7af595b3af987941372dab6d5af1fa867e134167e6f23de664a6693e05f43414611058d1b48f894',
      ),
    );
    expect(toHex(secret)).toBe('c1cf8fe7891aef3617d7190795e61fe6c24efc3cca2e08469bad1a225ce6ea08');
    const key = agreedKey(suite, secret, { originator: CLIENT, recipient: SERVER });
    expect(toHex(key)).toBe('c5f4512846ede51cfb8ccf59f08a694e');
  });

  test('more octets than one hash has', () => {
    const secret = new Uint8Array(32).fill(1);
    const long = concatenationKdf('sha256', secret, CLIENT, 80);
    expect(long.length).toBe(80);
    expect(long.subarray(0, 32)).toEqual(concatenationKdf('sha256', secret, CLIENT, 32));
    expect(long.subarray(32, 64)).not.toEqual(long.subarray(0, 32));
  });

  test('suite 0 has none', () => {
    const act = (): unknown => agreedKey(securitySuite(0), CLIENT, { originator: CLIENT, recipient: SERVER });
    expect(codeOf(act)).toBe('SECURITY_UNSUPPORTED');
  });
});

describe('suites and security control', () => {
  test('the octet', () => {
    expect(securityControlFor(0, 'authenticated').raw).toBe('10');
    expect(securityControlFor(1, 'encrypted').raw).toBe('21');
    expect(securityControlFor(2, 'both').raw).toBe('32');
    expect(securityControlFor(0, 'both', 'broadcast')).toMatchObject({ raw: '70', keySet: 'broadcast' });
  });

  test('reserved suites', () => {
    for (const id of [3, 15, -1]) expect(codeOf(() => securitySuite(id))).toBe('SECURITY_UNSUPPORTED');
  });

  test('what satisfies a policy', () => {
    const both = securityControlFor(0, 'both');
    const encrypted = securityControlFor(0, 'encrypted');
    const authenticated = securityControlFor(0, 'authenticated');
    expect([both, encrypted, authenticated].map((one) => satisfiesPolicy(one, 'both'))).toEqual([true, false, false]);
    expect([both, encrypted, authenticated].map((one) => satisfiesPolicy(one, 'encrypted'))).toEqual([
      true,
      true,
      false,
    ]);
    expect([both, encrypted, authenticated].map((one) => satisfiesPolicy(one, 'authenticated'))).toEqual([
      true,
      false,
      true,
    ]);
    expect(satisfiesPolicy(encrypted, 'none')).toBe(true);
  });
});
