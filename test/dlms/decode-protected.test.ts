/** `decode` and received pushes under wrapped and agreed keys and signatures, however they are nested and framed. */
import { describe, expect, test } from 'vitest';
import { concat, fromHex, toHex } from '../../src/core/bytes.ts';
import { decodeBatch } from '../../src/dlms/decode/batch.ts';
import { decodeBytes } from '../../src/dlms/decode/bytes.ts';
import { pushOpener } from '../../src/dlms/decode/push.ts';
import type { DecodeKeys } from '../../src/dlms/decode/security.ts';
import { PushReceiver } from '../../src/dlms/push/receiver.ts';
import { protectApdu } from '../../src/dlms/security/apdu-protection.ts';
import { publicKeyOf } from '../../src/dlms/security/elliptic-curve.ts';
import { cipherGenerally, type PartyKeys, signGenerally } from '../../src/dlms/security/general-protection.ts';
import {
  GENERAL_KEYS,
  type GeneralKey,
  type SecurityPolicy,
  type SuiteId,
  securityControlFor,
  securitySuite,
} from '../../src/dlms/security/suite.ts';
import { encodeWrapper } from '../../src/dlms/wrapper.ts';
import { encodeApdu } from '../../src/dlms/xdlms/apdu.ts';

const METER = fromHex('53494d0000000001');
const HEAD_END = fromHex('444d4d0000000001');
const ENVELOPE = { originator: METER, recipient: HEAD_END, transactionId: fromHex('0000000000000007') };
/** A notification of a value and, with its OBIS code, another one. */
const PUSH = fromHex('0f000004d2000203060001020309060100010800ff1208fc');

interface Keys {
  readonly meter: PartyKeys;
  readonly ours: DecodeKeys;
  readonly context: Readonly<Record<string, unknown>>;
}

function keysOf(suite: SuiteId): Keys {
  const { keyOctets, curve } = securitySuite(suite);
  const [ek, ak, mk] = [1, 2, 3].map((octet) => new Uint8Array(keyOctets).fill(octet)) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const scalar = (octet: number): Uint8Array => new Uint8Array(curve === 'P-384' ? 48 : 32).fill(octet);
  const point = (octet: number): Uint8Array | null => (curve === null ? null : publicKeyOf(curve, scalar(octet)));
  const has = curve !== null;
  const common = { blockCipherKey: ek, authenticationKey: ak, masterKey: mk };
  const signingKeys = [point(9), point(13)].filter((key) => key !== null);
  const titles = { encryptionKey: ek, authenticationKey: ak, systemTitle: null };
  const own = { masterKey: mk, agreementKey: has ? scalar(12) : null, peerAgreementKey: point(14), signingKeys };
  return {
    meter: {
      ...{ ...common, signingKey: has ? scalar(13) : null, agreementKey: has ? scalar(14) : null },
      ...{ peerSigningKey: point(11), peerAgreementKey: point(12) },
    },
    ours: { ...titles, ...own, wantsVerified: true },
    context: {
      ...{ encryptionKey: toHex(ek), authenticationKey: toHex(ak), kek: toHex(mk) },
      ...(has && { privateKey: toHex(scalar(12)), peerPublicKey: toHex(point(14) as Uint8Array) }),
      dsPublicKey: signingKeys.map(toHex),
    },
  };
}

function ciphered(suite: SuiteId, key: GeneralKey, policy: Exclude<SecurityPolicy, 'none'> = 'both', plain = PUSH) {
  const random = (octets: number): Uint8Array => new Uint8Array(octets).fill(21);
  const { meter: keys } = keysOf(suite);
  return encodeApdu(cipherGenerally(plain, ENVELOPE, { key, suite, policy, keys, random, takeCounter: () => 5 }));
}

const signed = (suite: SuiteId, content: Uint8Array): Uint8Array =>
  signGenerally(content, ENVELOPE, suite, keysOf(suite).meter);

function inBlocks(apdu: Uint8Array): readonly Uint8Array[] {
  const size = 40;
  const count = Math.ceil(apdu.length / size);
  return Array.from({ length: count }, (_, index) =>
    encodeApdu({
      apdu: 'general-block-transfer',
      lastBlock: index === count - 1,
      streaming: true,
      window: 1,
      blockNumber: index + 1,
      blockNumberAck: 0,
      blockData: apdu.slice(index * size, (index + 1) * size),
    }),
  );
}

const KINDS = ([0, 1, 2] as const).flatMap((suite) =>
  GENERAL_KEYS.filter((key) => suite > 0 || key === 'identified' || key === 'wrapped').map(
    (key) => [suite, key] as const,
  ),
);

/** Every way a push of this suite comes. */
function variants(suite: SuiteId, key: GeneralKey): ReadonlyMap<string, Uint8Array> {
  const all = new Map<string, Uint8Array>();
  for (const policy of ['both', 'authenticated', 'encrypted'] as const) all.set(policy, ciphered(suite, key, policy));
  const apdu = ciphered(suite, key);
  all.set('in blocks', concat(inBlocks(apdu)));
  if (suite > 0) {
    all.set('signed outside', signed(suite, apdu));
    all.set('signed inside', ciphered(suite, key, 'both', signed(suite, PUSH)));
    all.set('signed outside, in blocks', concat(inBlocks(signed(suite, apdu))));
  }
  return all;
}

const ITEMS = [
  { obis: null, type: 'double-long-unsigned', value: 66051 },
  { obis: '1.0.1.8.0.255', type: 'long-unsigned', value: 2300 },
];

describe.each(KINDS)('suite %i, %s key', (suite, key) => {
  const { ours, context } = keysOf(suite);

  test.each([...variants(suite, key)])('%s: batch, capture and receiver say the same', (_, apdu) => {
    const [batch] = decodeBatch([{ id: 'a', layer: 'push', hex: toHex(apdu), context }]);
    expect(batch?.result).toMatchObject({ apdu: 'data-notification', items: ITEMS });
    const framed = decodeBatch([{ id: 'a', layer: 'push', hex: toHex(encodeWrapper(1, 1, apdu)), context }]);
    if (apdu[0] !== 0xe0) expect(framed[0]?.result).toMatchObject({ wrapper: {}, items: ITEMS });
    const { apdus, error } = decodeBytes(apdu, { input: 'apdu', keys: ours });
    expect({ apdus, error }).toMatchObject({ apdus: [{ items: ITEMS }], error: null });
    const events = new PushReceiver({ open: pushOpener(ours) }).take('', apdu);
    expect(events.filter(({ kind }) => kind === 'push')).toMatchObject([
      { push: { content: { kind: 'data-notification' } } },
    ]);
  });

  test('the layer security shows what it is made of', () => {
    const [{ result } = { result: null }] = decodeBatch([
      { id: 'a', layer: 'security', hex: toHex(ciphered(suite, key)), context },
    ]);
    expect(result).toMatchObject({
      generalCiphering: { originatorSystemTitle: toHex(METER), macValid: true },
      plaintext: toHex(PUSH),
      inner: { apdu: 'data-notification' },
    });
  });

  test('every octet that is changed is told, without a crash', () => {
    const apdu = suite > 0 ? signed(suite, ciphered(suite, key)) : ciphered(suite, key);
    for (let at = 0; at < apdu.length; at += 7) {
      const changed = Uint8Array.from(apdu);
      changed[at] = (changed[at] as number) ^ 0x10;
      const results = decodeBatch(
        ['push', 'security'].map((layer) => ({ id: 'a', layer, hex: toHex(changed), context })),
      );
      for (const { result } of results) {
        expect(result, `octet ${at}`).toMatchObject({ valid: false });
        expect(result, `octet ${at}`).not.toMatchObject({ error: { code: 'INTERNAL' } });
      }
    }
  });

  test('cut anywhere, it is refused', () => {
    const apdu = suite > 0 ? signed(suite, ciphered(suite, key)) : ciphered(suite, key);
    for (let length = 1; length < apdu.length; length += 5) {
      const hex = toHex(apdu.subarray(0, length));
      const [{ result } = { result: null }] = decodeBatch([{ id: 'a', layer: 'push', hex, context }]);
      expect(result).toMatchObject({ valid: false });
    }
  });
});

describe('keys that are not at hand', () => {
  const { ours, context } = keysOf(1);
  const without = (name: keyof DecodeKeys): DecodeKeys => ({ ...ours, [name]: null, signingKeys: [] });

  test('an agreed key needs ours, and the sender', () => {
    const onePass = ciphered(1, 'one-pass');
    for (const keys of [without('agreementKey'), without('systemTitle')]) {
      const { layers, error } = decodeBytes(onePass, { input: 'apdu', keys });
      expect(error).toMatchObject({ code: 'KEY_MISSING' });
      expect(layers).toMatchObject([{ apdu: 'general-ciphering', plaintext: null }]);
    }
  });

  test('without any key a ciphered push stays closed, a signed one does not', () => {
    const none: DecodeKeys = { encryptionKey: null, authenticationKey: null, systemTitle: null };
    const receive = (apdu: Uint8Array) => new PushReceiver({ open: pushOpener(none) }).take('', apdu);
    expect(receive(ciphered(1, 'one-pass'))).toMatchObject([
      { kind: 'push', push: { content: { kind: 'apdu' }, protection: [] } },
    ]);
    expect(receive(signed(1, PUSH))).toMatchObject([
      { push: { content: { kind: 'data-notification' }, protection: [{ opened: { tagVerified: null } }] } },
    ]);
    const [{ result } = { result: null }] = decodeBatch([{ id: 'a', layer: 'push', hex: toHex(signed(1, PUSH)) }]);
    expect(result).toMatchObject({ security: { apdu: 'general-signing', signatureValid: null }, items: ITEMS });
  });

  test('a signature of somebody else is refused', () => {
    const stranger = { ...context, dsPublicKey: toHex(publicKeyOf('P-256', new Uint8Array(32).fill(77))) };
    const vector = { id: 'a', layer: 'push', hex: toHex(signed(1, PUSH)), context: stranger };
    expect(decodeBatch([vector])[0]?.result).toMatchObject({ valid: false, error: { code: 'SIGNATURE_WRONG' } });
    const ownKey = decodeBytes(signed(1, PUSH), { input: 'apdu', keys: ours });
    expect(ownKey.layers).toMatchObject([{ apdu: 'general-signing', signatureValid: true }]);
  });

  test('the ephemeral key has to be signed by one of those who sign', () => {
    const stranger = { ...context, dsPublicKey: toHex(publicKeyOf('P-256', new Uint8Array(32).fill(77))) };
    const vector = { id: 'a', layer: 'push', hex: toHex(ciphered(1, 'one-pass')), context: stranger };
    expect(decodeBatch([vector])[0]?.result).toMatchObject({ valid: false, error: { code: 'SIGNATURE_WRONG' } });
  });

  test('a kek still opens a bare wrapped key, whatever it begins with', () => {
    const vector = {
      id: 'a',
      layer: 'security',
      hex: '1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5',
      context: { kek: '000102030405060708090a0b0c0d0e0f' },
    };
    expect(decodeBatch([vector])[0]?.result).toMatchObject({ unwrapped: '00112233445566778899aabbccddeeff' });
  });
});

test('a signature around general-glo-ciphering opens in every layer', () => {
  const { context, meter } = keysOf(1);
  const glo = protectApdu(PUSH, 'general-glo', {
    securityControl: securityControlFor(1, 'both'),
    invocationCounter: 9,
    encryptionKey: meter.blockCipherKey,
    authenticationKey: meter.authenticationKey,
    systemTitle: METER,
  });
  const hex = toHex(signed(1, glo));
  const { kek: _, ...known } = context;
  const [push, security] = decodeBatch(
    ['push', 'security'].map((layer) => ({ id: layer, layer, hex, context: known })),
  );
  expect(push?.result).toMatchObject({ security: { signatureValid: true }, securityInside: [{ tagVerified: true }] });
  expect(security?.result).toMatchObject({
    generalSigning: { signatureValid: true },
    tagValid: true,
    inner: { apdu: 'data-notification' },
  });
});

/** Suite 1, made once: ephemeral key and signature are of chance. */
const FIXED = [
  [
    'one-pass Diffie-Hellman',
    'dd0800000000000000070853494d000000000108444d4d00000000010000010201018180fe53b8e41729ab52deb45cee0a0e27ca771c5910d990e6dfdaf808bf2b97fddb6e9fe8789e3af6da0ca4f98455af70d93ee1f841857faca3e9e895aefca78a59304fb5818f9a6bf35a5057ca7f7f3f47c5fa7b4f346a536e29aa0a1f4f1e7ae6d70fd33c9dc9916e0af5c224e0692d7024806e57ba347156d530904d223aa1b92931000000009c1e620c110d2ebc4cb2508e763d5942fe86a254fbc8448e81d75c24318cd0cd79fe670c',
  ],
  [
    'the static unified model, signed',
    'df0800000000000000070853494d000000000108444d4d000000000100004ddd0800000000000000070853494d000000000108444d4d0000000001000001020102002931000000053439be677c8fb68c27dff5588f0098adcb22d5a20218d4bb4e9f00d6fdf6299b7c907bd0407b5b493ae4d751ac024964f2f4b3b3130fbe1f0dd3c76fca17a06d38723e5219233f16fc5cffac3314aa0b953ace2afb9bae2dff9450561bb436e22619e5d1d7',
  ],
] as const;

test.each(FIXED)('octets of a push under %s', (_, hex) => {
  const [{ result } = { result: null }] = decodeBatch([{ id: 'a', layer: 'push', hex, context: keysOf(1).context }]);
  expect(result).toMatchObject({ items: ITEMS });
});
