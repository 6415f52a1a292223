/** general-ciphering with each kind of key, and general-signing. */
import { describe, expect, test } from 'vitest';
import { fromHex, toHex } from '../../src/core/bytes.ts';
import { BridgeError } from '../../src/core/errors.ts';
import type { GeneralCiphering, GeneralHeader, GeneralSigning } from '../../src/dlms/security/ciphered.ts';
import { publicKeyOf } from '../../src/dlms/security/elliptic-curve.ts';
import {
  contentKeyOf,
  type GeneralKeys,
  identifiedKey,
  onePass,
  protectGeneral,
  type SentKey,
  staticUnified,
  unprotectGeneral,
  wrappedKey,
} from '../../src/dlms/security/general-ciphering.ts';
import { signGeneral, verifySigning } from '../../src/dlms/security/general-signing.ts';
import { type SuiteId, securityControlFor, securitySuite } from '../../src/dlms/security/suite.ts';
import { decodeApdu, encodeApdu } from '../../src/dlms/xdlms/apdu.ts';

const GET = fromHex('c001c100080000010000ff0200');
const CLIENT = fromHex('4d4d4d0000000001');
const SERVER = fromHex('4d4d4d0000bc614e');
const EMPTY = new Uint8Array(0);
const HEADER: GeneralHeader = {
  transactionId: fromHex('0100000000000003e9'),
  originatorSystemTitle: CLIENT,
  recipientSystemTitle: SERVER,
  dateTime: EMPTY,
  otherInformation: fromHex('0011'),
};
const NO_KEYS: GeneralKeys = { unicast: null, broadcast: null, master: null, agreement: null, agreed: null };

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof BridgeError) return error.code;
    throw error;
  }
  return 'nothing was thrown';
}

/** Keys of both parties for a suite; the receiver is the server. */
function world(id: SuiteId) {
  const suite = securitySuite(id);
  const block = (fill: number): Uint8Array => new Uint8Array(suite.keyOctets).fill(fill);
  const curve = suite.curve ?? 'P-256';
  const scalar = (fill: number): Uint8Array => new Uint8Array(curve === 'P-384' ? 48 : 32).fill(fill);
  const [own, signing, peer] = [scalar(1), scalar(2), scalar(3)];
  return {
    suite,
    block,
    scalar,
    sender: { privateKey: own, peerPublicKey: publicKeyOf(curve, peer), peerSigningKey: null },
    signing,
    receiver: {
      privateKey: peer,
      peerPublicKey: publicKeyOf(curve, own),
      peerSigningKey: publicKeyOf(curve, signing),
    },
  };
}

/** Protects, sends as octets, opens. */
function roundTrip(id: SuiteId, sent: SentKey | null, keys: GeneralKeys, authenticationKey: Uint8Array): string {
  const message = transmitted(id, sent, authenticationKey, keys.agreed);
  const encryptionKey = contentKeyOf(message, keys);
  const opened = unprotectGeneral(message, { encryptionKey, authenticationKey, systemTitle: CLIENT });
  expect(opened.tagVerified).toBe(true);
  return toHex(opened.plaintext);
}

function transmitted(
  id: SuiteId,
  sent: SentKey | null,
  authenticationKey: Uint8Array,
  agreed: Uint8Array | null = null,
): GeneralCiphering {
  const bytes = encodeApdu(
    protectGeneral(GET, HEADER, sent, {
      securityControl: securityControlFor(id, 'both'),
      encryptionKey: agreed,
      authenticationKey,
      systemTitle: CLIENT,
      invocationCounter: 5,
    }),
  );
  const apdu = decodeApdu(bytes);
  if (apdu.apdu !== 'general-ciphering') throw new Error(apdu.apdu);
  return apdu;
}

describe.each<SuiteId>([0, 1, 2])('suite %i', (id) => {
  const { suite, block, scalar, sender, signing, receiver } = world(id);
  const ak = block(9);

  test('identified key', () => {
    expect(roundTrip(id, identifiedKey('unicast', block(1)), { ...NO_KEYS, unicast: block(1) }, ak)).toBe(toHex(GET));
    expect(roundTrip(id, identifiedKey('broadcast', block(2)), { ...NO_KEYS, broadcast: block(2) }, ak)).toBe(
      toHex(GET),
    );
    const message = transmitted(id, identifiedKey('unicast', block(1)), ak);
    expect(codeOf(() => contentKeyOf(message, { ...NO_KEYS, broadcast: block(1) }))).toBe('KEY_MISSING');
    const wrong = contentKeyOf(message, { ...NO_KEYS, unicast: block(2) });
    const incoming = { encryptionKey: wrong, authenticationKey: ak, systemTitle: CLIENT };
    expect(codeOf(() => unprotectGeneral(message, incoming))).toBe('DECRYPT_FAILED');
  });

  test('wrapped key', () => {
    expect(roundTrip(id, wrappedKey(block(7), block(1)), { ...NO_KEYS, master: block(7) }, ak)).toBe(toHex(GET));
    const message = transmitted(id, wrappedKey(block(7), block(1)), ak);
    expect(codeOf(() => contentKeyOf(message, { ...NO_KEYS, master: block(8) }))).toBe('DECRYPT_FAILED');
    expect(codeOf(() => contentKeyOf(message, NO_KEYS))).toBe('KEY_MISSING');
  });

  test('key agreed beforehand, no key-info', () => {
    expect(roundTrip(id, null, { ...NO_KEYS, agreed: block(3) }, EMPTY)).toBe(toHex(GET));
  });

  test('the header is covered by the tag', () => {
    const message = transmitted(id, identifiedKey('unicast', block(1)), ak);
    for (const name of ['transactionId', 'recipientSystemTitle', 'dateTime', 'otherInformation'] as const) {
      const changed = { ...message, [name]: fromHex('0102') };
      const incoming = { encryptionKey: block(1), authenticationKey: ak, systemTitle: CLIENT };
      expect(
        codeOf(() => unprotectGeneral(changed, incoming)),
        name,
      ).toBe('DECRYPT_FAILED');
    }
  });

  if (suite.curve === null) return;

  test('static unified model C(0e, 2s)', () => {
    const sent = staticUnified(suite, sender, HEADER);
    expect(roundTrip(id, sent, { ...NO_KEYS, agreement: receiver }, ak)).toBe(toHex(GET));
    const again = staticUnified(suite, sender, { ...HEADER, transactionId: fromHex('0100000000000003ea') });
    expect(toHex(again.key)).not.toBe(toHex(sent.key));
  });

  test('one-pass Diffie-Hellman C(1e, 1s)', () => {
    const keys = { ephemeralPrivateKey: scalar(5), signingKey: signing, peerPublicKey: sender.peerPublicKey };
    expect(roundTrip(id, onePass(suite, keys, HEADER), { ...NO_KEYS, agreement: receiver }, ak)).toBe(toHex(GET));
    const forged = transmitted(id, onePass(suite, { ...keys, signingKey: scalar(6) }, HEADER), ak);
    expect(codeOf(() => contentKeyOf(forged, { ...NO_KEYS, agreement: receiver }))).toBe('SIGNATURE_WRONG');
    const unknown = { ...receiver, peerSigningKey: null };
    expect(codeOf(() => contentKeyOf(forged, { ...NO_KEYS, agreement: unknown }))).toBe('KEY_MISSING');
  });

  test('key information that says nothing known', () => {
    const base = transmitted(id, identifiedKey('unicast', block(1)), ak);
    const keys = { unicast: block(1), broadcast: block(1), master: block(1), agreement: receiver, agreed: block(1) };
    const code = (keyInfo: GeneralCiphering['keyInfo']): string =>
      codeOf(() => contentKeyOf({ ...base, keyInfo }, keys));
    const agreed = (parameters: string) => ({
      agreedKey: { keyParameters: fromHex(parameters), keyCipheredData: EMPTY },
    });
    expect(code({ identifiedKey: { keyId: 2 } })).toBe('SECURITY_UNSUPPORTED');
    expect(code({ wrappedKey: { kekId: 1, keyCipheredData: EMPTY } })).toBe('SECURITY_UNSUPPORTED');
    expect(code(agreed('03'))).toBe('SECURITY_UNSUPPORTED');
    expect(code(agreed('0101'))).toBe('MALFORMED');
    expect(code(agreed(''))).toBe('MALFORMED');
    expect(code(agreed('01'))).toBe('MALFORMED');
  });

  test('general-signing', () => {
    const curve = suite.curve ?? 'P-256';
    const bytes = encodeApdu(signGeneral(GET, HEADER, curve, signing));
    const message = decodeApdu(bytes) as GeneralSigning;
    const key = publicKeyOf(curve, signing);
    verifySigning(message, curve, key);
    const wrong = (change: Partial<GeneralSigning>): string =>
      codeOf(() => verifySigning({ ...message, ...change }, curve, key));
    expect(wrong({ content: fromHex('c0') })).toBe('SIGNATURE_WRONG');
    expect(wrong({ originatorSystemTitle: SERVER })).toBe('SIGNATURE_WRONG');
    expect(wrong({ signature: EMPTY })).toBe('SIGNATURE_WRONG');
    expect(codeOf(() => verifySigning(message, curve, receiver.peerPublicKey))).toBe('SIGNATURE_WRONG');
  });
});
