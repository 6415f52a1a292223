/** general-ciphering and general-signing between two parties: every key, every octet, every repetition. */
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHex } from '../../src/core/bytes.ts';
import { BridgeError } from '../../src/core/errors.ts';
import { GeneralProtection } from '../../src/dlms/association/general.ts';
import type { GeneralCiphering, GeneralSigning } from '../../src/dlms/security/ciphered.ts';
import { publicKeyOf } from '../../src/dlms/security/elliptic-curve.ts';
import {
  cipherGenerally,
  type Envelope,
  generalKeyOf,
  generalOverhead,
  openGenerally,
  type PartyKeys,
  signGenerally,
  verifySigned,
} from '../../src/dlms/security/general-protection.ts';
import { GENERAL_KEYS, type GeneralKey, type SuiteId, securitySuite } from '../../src/dlms/security/suite.ts';
import { decodeApdu, encodeApdu } from '../../src/dlms/xdlms/apdu.ts';

const CLIENT = fromHex('444d4d0000000001');
const METER = fromHex('53494d0000000001');
const GET = fromHex('c001c100030100010800ff0200');
const ID = fromHex('0102030405060708');
const REQUEST: Envelope = { originator: CLIENT, recipient: METER, transactionId: ID };
const RESPONSE: Envelope = { originator: METER, recipient: CLIENT, transactionId: ID };

function parties(suite: SuiteId): { readonly client: PartyKeys; readonly meter: PartyKeys } {
  const { keyOctets, curve } = securitySuite(suite);
  const filled = (octet: number): Uint8Array => new Uint8Array(keyOctets).fill(octet);
  const common = { blockCipherKey: filled(1), authenticationKey: filled(2), masterKey: filled(3) };
  if (curve === null) {
    const none = { signingKey: null, agreementKey: null, peerSigningKey: null, peerAgreementKey: null };
    return { client: { ...common, ...none }, meter: { ...common, ...none } };
  }
  const [sign, agree, meterSign, meterAgree] = [11, 12, 13, 14].map((octet) =>
    new Uint8Array(curve === 'P-256' ? 32 : 48).fill(octet),
  ) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
  const point = (scalar: Uint8Array): Uint8Array => publicKeyOf(curve, scalar);
  return {
    client: {
      ...{ ...common, signingKey: sign, agreementKey: agree },
      ...{ peerSigningKey: point(meterSign), peerAgreementKey: point(meterAgree) },
    },
    meter: {
      ...{ ...common, signingKey: meterSign, agreementKey: meterAgree },
      ...{ peerSigningKey: point(sign), peerAgreementKey: point(agree) },
    },
  };
}

const random = (octets: number): Uint8Array => Uint8Array.from(randomBytes(octets));
const KINDS = ([0, 1, 2] as const).flatMap((suite) =>
  GENERAL_KEYS.filter((key) => suite > 0 || key === 'identified' || key === 'wrapped').map(
    (key) => [suite, key] as const,
  ),
);

function ciphered(
  suite: SuiteId,
  key: GeneralKey,
  { plain = GET, keys = parties(suite).client, envelope = REQUEST, counter = 7, policy = 'both' as const } = {},
): GeneralCiphering {
  return cipherGenerally(plain, envelope, { key, suite, policy, keys, random, takeCounter: () => counter });
}

describe.each(KINDS)('suite %i, %s key', (suite, key) => {
  const { client, meter } = parties(suite);

  test('what one party protects the other opens, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 300 }),
        fc.constantFrom('both', 'authenticated', 'encrypted'),
        (plain, policy) => {
          const sent = cipherGenerally(plain, REQUEST, {
            key,
            suite,
            policy,
            keys: client,
            random,
            takeCounter: () => 9,
          });
          const received = decodeApdu(encodeApdu(sent));
          if (received.apdu !== 'general-ciphering') throw new Error(received.apdu);
          expect(generalKeyOf(received)).toBe(key);
          expect(openGenerally(received, meter, CLIENT)).toEqual({
            plaintext: plain,
            tagVerified: policy === 'encrypted' ? null : true,
          });
        },
      ),
      { numRuns: 15 },
    );
  });

  test('no octet of it can be changed, none left out', () => {
    const whole = encodeApdu(ciphered(suite, key));
    const open = (octets: Uint8Array): unknown => {
      const message = decodeApdu(octets);
      if (message.apdu !== 'general-ciphering') throw new BridgeError('MALFORMED', message.apdu);
      return openGenerally(message, meter, CLIENT);
    };
    open(whole);
    for (let at = 0; at < whole.length; at += 1) {
      const forged = whole.slice();
      forged[at] = (forged[at] ?? 0) ^ 0x01;
      expect(() => open(forged), `octet ${at}`).toThrow(BridgeError);
      expect(() => open(whole.subarray(0, at)), `${at} octets`).toThrow(BridgeError);
    }
  });

  test('adds no more octets than it says', () => {
    const overhead = encodeApdu(ciphered(suite, key, { plain: new Uint8Array(200) })).length - 200;
    expect(overhead).toBeLessThanOrEqual(generalOverhead(key, false, suite));
    // Lengths of one octet are counted as five.
    expect(overhead).toBeGreaterThan(generalOverhead(key, false, suite) - 10);
  });

  test('another counter is only used where the key is the same', () => {
    const fresh = key === 'wrapped' || key === 'one-pass';
    expect(ciphered(suite, key, { counter: 123 }).invocationCounter).toBe(fresh ? 0 : 123);
    const first = ciphered(suite, key, { plain: new Uint8Array(32) });
    const second = ciphered(suite, key, { plain: new Uint8Array(32) });
    // The same plaintext under the same header and counter: equal octets would show that a key came twice.
    expect(Buffer.compare(first.ciphertextOrPlain, second.ciphertextOrPlain) !== 0).toBe(fresh);
  });
});

test('a static unified key is another for every transaction and direction', () => {
  const { client, meter } = parties(1);
  const of = (keys: PartyKeys, envelope: Envelope): string =>
    Buffer.from(ciphered(1, 'static-unified', { keys, envelope }).ciphertextOrPlain).toString('hex');
  const other = { ...REQUEST, transactionId: fromHex('0102030405060709') };
  expect(new Set([of(client, REQUEST), of(client, other), of(meter, RESPONSE)]).size).toBe(3);
});

test('a compressed message is refused as what it is', () => {
  const message = ciphered(0, 'identified');
  const compressed = { ...message, securityControl: { ...message.securityControl, raw: 'b0', compressed: true } };
  expect(() => openGenerally(compressed, parties(0).meter, CLIENT)).toThrow(
    expect.objectContaining({ code: 'SECURITY_UNSUPPORTED', message: expect.stringContaining('compressed') }),
  );
});

describe.each([1, 2] as const)('signatures, suite %i', (suite) => {
  const { client, meter } = parties(suite);
  const decoded = (octets: Uint8Array): GeneralSigning => {
    const message = decodeApdu(octets);
    if (message.apdu !== 'general-signing') throw new BridgeError('MALFORMED', message.apdu);
    return message;
  };

  test('what one party signs the other verifies', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (content) => {
        const signed = signGenerally(content, REQUEST, suite, client);
        expect(verifySigned(decoded(signed), suite, meter)).toEqual(content);
        expect(signed.length - content.length).toBeLessThanOrEqual(generalOverhead(null, true, suite));
        expect(() => verifySigned(decoded(signed), suite, client)).toThrow(
          expect.objectContaining({ code: 'SIGNATURE_WRONG' }),
        );
      }),
      { numRuns: 15 },
    );
  });

  test('no octet of it can be changed, none left out', () => {
    const whole = signGenerally(GET, REQUEST, suite, client);
    for (let at = 0; at < whole.length; at += 1) {
      const forged = whole.slice();
      forged[at] = (forged[at] ?? 0) ^ 0x01;
      expect(() => verifySigned(decoded(forged), suite, meter), `octet ${at}`).toThrow(BridgeError);
      expect(() => verifySigned(decoded(whole.subarray(0, at)), suite, meter), `${at} octets`).toThrow(BridgeError);
    }
  });
});

describe('within an association', () => {
  function both(key: GeneralKey): {
    ask: () => GeneralCiphering;
    answer: (to: GeneralCiphering, counter?: number) => GeneralCiphering;
    protection: GeneralProtection;
  } {
    const { client, meter } = parties(1);
    let counter = 0;
    const protection = new GeneralProtection(
      {
        ...{ key, signs: false, suite: 1, policy: 'both', keys: client, clientTitle: CLIENT, acceptUnverified: false },
        random,
        takeCounter: () => counter++,
      },
      METER,
    );
    const ask = (): GeneralCiphering => {
      const sent = decodeApdu(protection.protect(GET, (plain) => plain));
      if (sent.apdu !== 'general-ciphering') throw new Error(sent.apdu);
      return sent;
    };
    const answer = ({ transactionId }: GeneralCiphering, at = 5): GeneralCiphering =>
      ciphered(1, key, { keys: meter, envelope: { ...RESPONSE, transactionId }, counter: at });
    return { ask, answer, protection };
  }
  const replayed = expect.objectContaining({ code: 'REPLAYED' });

  test.each(GENERAL_KEYS)('%s: every request has a transaction-id of its own', (key) => {
    const { ask } = both(key);
    const ids = Array.from({ length: 20 }, () => Buffer.from(ask().transactionId).toString('hex'));
    expect(new Set(ids).size).toBe(20);
  });

  test.each(['wrapped', 'one-pass', 'static-unified'] as const)('%s: an answer is taken once', (key) => {
    const { ask, answer, protection } = both(key);
    const reply = answer(ask());
    expect(protection.open(reply)).toMatchObject({ plaintext: GET, tagVerified: true });
    expect(() => protection.open(reply)).toThrow(replayed);
  });

  test.each(['wrapped', 'one-pass', 'static-unified'] as const)(
    '%s: an answer to an earlier request is late',
    (key) => {
      const { ask, answer, protection } = both(key);
      const [first, second] = [ask(), ask()];
      const late = answer(first);
      protection.open(answer(second));
      expect(() => protection.open(late)).toThrow(replayed);
    },
  );

  test.each(['wrapped', 'one-pass', 'static-unified'] as const)(
    '%s: what answers nothing of ours is not opened',
    (key) => {
      const { ask, answer, protection } = both(key);
      const recorded = answer(both(key).ask());
      ask();
      expect(() => protection.open(recorded)).toThrow(replayed);
    },
  );

  test('a forged answer changes nothing: the true one is still taken', () => {
    const { ask, answer, protection } = both('one-pass');
    const reply = answer(ask());
    const forged = { ...reply, ciphertextOrPlain: reply.ciphertextOrPlain.map((octet) => octet ^ 1) };
    expect(() => protection.open(forged)).toThrow(expect.objectContaining({ code: 'DECRYPT_FAILED' }));
    expect(protection.open(reply).plaintext).toEqual(GET);
  });

  test('a message of another sender is not one of our meter', () => {
    const { ask, answer, protection } = both('static-unified');
    const reply = { ...answer(ask()), originatorSystemTitle: CLIENT };
    expect(() => protection.open(reply)).toThrow(expect.objectContaining({ code: 'DECRYPT_FAILED' }));
  });

  test('static unified counters rise over all requests', () => {
    const { ask } = both('static-unified');
    expect([ask(), ask(), ask()].map(({ invocationCounter }) => invocationCounter)).toEqual([0, 1, 2]);
  });
});
