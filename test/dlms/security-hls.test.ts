/** Pass 3 and pass 4 of each mechanism. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex } from '../../src/core/bytes.ts';
import { BridgeError } from '../../src/core/errors.ts';
import { publicKeyOf } from '../../src/dlms/security/elliptic-curve.ts';
import {
  type HlsCredentials,
  type HlsExchange,
  hlsAnswer,
  parseGmacValue,
  verifyHlsAnswer,
} from '../../src/dlms/security/hls.ts';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const EXCHANGE: HlsExchange = {
  clientTitle: fromHex('4d4d4d0000000001'),
  serverTitle: fromHex('4d4d4d0000bc614e'),
  ctos: text('K56iVagY'),
  stoc: text('P6wRJ21F'),
};
const GMAC: HlsCredentials = {
  mechanism: 'gmac',
  suite: 0,
  encryptionKey: fromHex('000102030405060708090a0b0c0d0e0f'),
  authenticationKey: fromHex('d0d1d2d3d4d5d6d7d8d9dadbdcdddedf'),
};
const SECRET = text('12345678');

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof BridgeError) return error.code;
    throw error;
  }
  return 'nothing was thrown';
}

describe('known answers', () => {
  test('gmac (Green Book)', () => {
    expect(toHex(hlsAnswer('client', EXCHANGE, GMAC, 1))).toBe('10000000011a52fe7dd3e72748973c1e28');
    expect(toHex(hlsAnswer('server', EXCHANGE, GMAC, 0x01234567))).toBe('1001234567fe1466afb3dbcd4f9389e2b7');
  });

  test('gmac of a Kaifa meter, whose client has a title of zeros', () => {
    const exchange = {
      ...EXCHANGE,
      clientTitle: new Uint8Array(8),
      stoc: fromHex('e174f6aca21f02245ef7911b54af84d5'),
    };
    expect(toHex(hlsAnswer('client', exchange, GMAC, 0x4b37))).toBe('1000004b37cb2c079b6bf3d817e8a4408b');
  });

  test.each([
    ['md5', '53d4537e37dab4ff089629e25557af9f'],
    ['sha1', '6dbd949d1b1efdd6fe5f9ea627877e986e8708cb'],
    ['sha256', '67342baa6815da654eefbb879b6a23da0d2bb0404abbb1a738631241a6b96516'],
  ] as const)('%s', (mechanism, expected) => {
    expect(toHex(hlsAnswer('client', EXCHANGE, { mechanism, secret: SECRET }, null))).toBe(expected);
  });

  test('sha256 of the server swaps titles and challenges', () => {
    const answer = hlsAnswer('server', EXCHANGE, { mechanism: 'sha256', secret: SECRET }, null);
    expect(toHex(answer)).toBe('5da97807e1b30b5d95a5b48bda34c4232130f761e57c316ccdef70322605a90d');
  });

  test('manufacturer: AES-ECB (FIPS 197 block of SP 800-38A), filled with zeros', () => {
    const credentials: HlsCredentials = {
      mechanism: 'high',
      variant: 'aes-ecb',
      secret: fromHex('2b7e151628aed2a6abf7158809cf4f3c'),
    };
    const stoc = fromHex('6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51');
    expect(toHex(hlsAnswer('client', { ...EXCHANGE, stoc }, credentials, null))).toBe(
      '3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf',
    );
    const short = { ...credentials, secret: SECRET };
    expect(hlsAnswer('client', EXCHANGE, short, null).length).toBe(16);
    const long = { ...credentials, secret: new Uint8Array(17) };
    expect(codeOf(() => hlsAnswer('client', EXCHANGE, long, null))).toBe('INVALID_VALUE');
  });
});

/** Both sides' credentials of each mechanism. */
function pairOf(mechanism: HlsCredentials['mechanism'], suite: 0 | 1 | 2): readonly [HlsCredentials, HlsCredentials] {
  const octets = suite === 2 ? 48 : 32;
  switch (mechanism) {
    case 'gmac': {
      const key = new Uint8Array(suite === 2 ? 32 : 16);
      const one = { mechanism, suite, encryptionKey: key.fill(1), authenticationKey: key.slice().fill(2) };
      return [one, one];
    }
    case 'ecdsa': {
      const curve = suite === 2 ? 'P-384' : 'P-256';
      const [client, server] = [new Uint8Array(octets).fill(3), new Uint8Array(octets).fill(4)];
      return [
        { mechanism, suite, privateKey: client, peerPublicKey: publicKeyOf(curve, server) },
        { mechanism, suite, privateKey: server, peerPublicKey: publicKeyOf(curve, client) },
      ];
    }
    case 'high':
      return [
        { mechanism, variant: 'aes-ecb', secret: SECRET },
        { mechanism, variant: 'aes-ecb', secret: SECRET },
      ];
    default:
      return [
        { mechanism, secret: SECRET },
        { mechanism, secret: SECRET },
      ];
  }
}

const CASES = [
  ['high', 0],
  ['md5', 0],
  ['sha1', 0],
  ['gmac', 0],
  ['gmac', 1],
  ['gmac', 2],
  ['sha256', 0],
  ['ecdsa', 1],
  ['ecdsa', 2],
] as const;

describe.each(CASES)('%s, suite %i', (mechanism, suite) => {
  const [client, server] = pairOf(mechanism, suite);

  test('each side convinces the other, and only of its own challenge', () => {
    const challenge = fc.uint8Array({ minLength: 8, maxLength: 64 });
    const distinct = fc.tuple(challenge, challenge).filter(([ctos, stoc]) => toHex(ctos) !== toHex(stoc));
    fc.assert(
      fc.property(distinct, ([ctos, stoc]) => {
        const exchange = { ...EXCHANGE, ctos, stoc };
        const pass3 = hlsAnswer('client', exchange, client, 7);
        const pass4 = hlsAnswer('server', exchange, server, 9);
        verifyHlsAnswer('client', exchange, server, pass3);
        verifyHlsAnswer('server', exchange, client, pass4);
        const other = { ...exchange, ctos: Uint8Array.of(...ctos, 1) };
        expect(codeOf(() => verifyHlsAnswer('server', other, client, pass4))).toBe('AUTHENTICATION_FAILED');
      }),
      { numRuns: 20 },
    );
  });

  test('what is changed, cut or longer is refused', () => {
    const answer = hlsAnswer('server', EXCHANGE, server, 9);
    for (let at = 0; at < answer.length; at += 1) {
      const changed = answer.slice();
      changed[at]! ^= 1;
      expect(
        codeOf(() => verifyHlsAnswer('server', EXCHANGE, client, changed)),
        `octet ${at}`,
      ).toBe('AUTHENTICATION_FAILED');
      expect(codeOf(() => verifyHlsAnswer('server', EXCHANGE, client, answer.subarray(0, at)))).toBe(
        'AUTHENTICATION_FAILED',
      );
    }
    const longer = Uint8Array.of(...answer, 0);
    expect(codeOf(() => verifyHlsAnswer('server', EXCHANGE, client, longer))).toBe('AUTHENTICATION_FAILED');
  });

  test('our own challenge sent back is not answered', () => {
    const reflected = { ...EXCHANGE, stoc: EXCHANGE.ctos };
    expect(codeOf(() => hlsAnswer('client', reflected, client, 1))).toBe('AUTHENTICATION_FAILED');
  });
});

test('keys and counters that are missing', () => {
  expect(codeOf(() => hlsAnswer('client', EXCHANGE, { ...GMAC, authenticationKey: null }, 1))).toBe('KEY_MISSING');
  expect(codeOf(() => hlsAnswer('client', EXCHANGE, { ...GMAC, encryptionKey: null }, 1))).toBe('KEY_MISSING');
  expect(codeOf(() => hlsAnswer('client', EXCHANGE, GMAC, null))).toBe('INTERNAL');
  const ecdsa: HlsCredentials = { mechanism: 'ecdsa', suite: 1, privateKey: null, peerPublicKey: null };
  expect(codeOf(() => hlsAnswer('client', EXCHANGE, ecdsa, null))).toBe('KEY_MISSING');
  expect(codeOf(() => verifyHlsAnswer('server', EXCHANGE, ecdsa, new Uint8Array(64)))).toBe('KEY_MISSING');
  const answer = hlsAnswer('server', EXCHANGE, GMAC, 1);
  expect(codeOf(() => verifyHlsAnswer('server', EXCHANGE, { ...GMAC, authenticationKey: null }, answer))).toBe(
    'KEY_MISSING',
  );
});

test('a GMAC value is authentication alone', () => {
  expect(parseGmacValue(fromHex('1000004b37cb2c079b6bf3d817e8a4408b')).invocationCounter).toBe(0x4b37);
  for (const hex of ['3000004b37cb2c079b6bf3d817e8a4408b', '2000004b37', '1000004b37cb2c079b6bf3d817e8a4408b00']) {
    expect(() => parseGmacValue(fromHex(hex))).toThrow(BridgeError);
  }
});
