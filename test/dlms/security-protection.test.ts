/** protect -> unprotect for all suites, protections and wrappings; what must be refused; counters; no secrets in errors. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex } from '../../src/core/bytes.ts';
import { BridgeError } from '../../src/core/errors.ts';
import {
  decodeOpened,
  type GloDedApdu,
  hasServiceCiphering,
  isGloDed,
  protectApdu,
  type ReceiveKeys,
  unprotectApdu,
  type Wrapping,
} from '../../src/dlms/security/apdu-protection.ts';
import { parseProtected, securityControlOf } from '../../src/dlms/security/ciphered.ts';
import { type OutgoingContent, protectContent, unprotectContent } from '../../src/dlms/security/content-protection.ts';
import { afterReceiving, FRESH_REPLAY_GUARD, type ReplayGuard } from '../../src/dlms/security/invocation-counter.ts';
import { type SuiteId, securityControlFor } from '../../src/dlms/security/suite.ts';
import { decodeApdu, encodeApdu } from '../../src/dlms/xdlms/apdu.ts';

const TITLE = fromHex('4d4d4d0000bc614e');
const OTHER_TITLE = fromHex('4d4d4d0000000001');
const GET = fromHex('c001c100080000010000ff0200');
const NOTIFICATION = fromHex('0f00000001000600000001');
const AK = fromHex('d0d1d2d3d4d5d6d7d8d9dadbdcdddedf');
const EK = fromHex('000102030405060708090a0b0c0d0e0f');

const suites = fc.constantFrom<SuiteId>(0, 1, 2);
const policies = fc.constantFrom('authenticated', 'encrypted', 'both');
const keySets = fc.constantFrom('unicast', 'broadcast');
const counters = fc.integer({ min: 0, max: 0xffffffff });
const octetsOf = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });

const outgoing: fc.Arbitrary<OutgoingContent> = fc
  .tuple(suites, policies, keySets, counters)
  .chain(([suite, policy, keySet, invocationCounter]) => {
    const key = octetsOf(suite === 2 ? 32 : 16);
    return fc.record({
      securityControl: fc.constant(securityControlFor(suite, policy, keySet)),
      encryptionKey: key,
      authenticationKey: key,
      systemTitle: octetsOf(8),
      invocationCounter: fc.constant(invocationCounter),
    });
  });

const plain = (over: Partial<OutgoingContent> = {}): OutgoingContent => ({
  securityControl: securityControlFor(0, 'both'),
  encryptionKey: EK,
  authenticationKey: AK,
  systemTitle: TITLE,
  invocationCounter: 0x01234567,
  ...over,
});

const NO_KEYS: ReceiveKeys = {
  unicast: null,
  broadcast: null,
  dedicated: null,
  authentication: null,
  systemTitle: null,
};
const KEYS: ReceiveKeys = { ...NO_KEYS, unicast: EK, authentication: AK, systemTitle: TITLE };

function ciphered(bytes: Uint8Array): GloDedApdu {
  const apdu = decodeApdu(bytes);
  if (isGloDed(apdu)) return apdu;
  throw new Error(apdu.apdu);
}

function thrownBy(act: () => unknown): BridgeError {
  try {
    act();
  } catch (error) {
    if (error instanceof BridgeError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
const codeOf = (act: () => unknown): string => thrownBy(act).code;

describe('contents', () => {
  test('what was protected opens again', () => {
    fc.assert(
      fc.property(outgoing, fc.uint8Array({ maxLength: 600 }), (one, plaintext) => {
        const content = protectContent(plaintext, one);
        const { authenticated, encrypted } = one.securityControl;
        expect(content.ciphertextOrPlain.length).toBe(plaintext.length);
        expect(content.authenticationTag?.length ?? 0).toBe(authenticated ? 12 : 0);
        if (!encrypted) expect(content.ciphertextOrPlain).toEqual(plaintext);
        const opened = unprotectContent(content, one);
        expect(toHex(opened.plaintext)).toBe(toHex(plaintext));
        expect(opened.tagVerified).toBe(authenticated ? true : null);
      }),
    );
  });

  test('with a tag, whatever else is used fails', () => {
    const authenticated = outgoing.filter((one) => one.securityControl.authenticated);
    fc.assert(
      fc.property(authenticated, fc.uint8Array({ minLength: 1, maxLength: 60 }), fc.nat(7), (one, plaintext, at) => {
        const content = protectContent(plaintext, one);
        const flipped = (octets: Uint8Array | null): Uint8Array =>
          (octets ?? new Uint8Array(0)).map((octet, index) => (index === at ? octet ^ 1 : octet));
        const wrong = [
          { ...one, encryptionKey: flipped(one.encryptionKey) },
          { ...one, authenticationKey: flipped(one.authenticationKey) },
          { ...one, systemTitle: flipped(one.systemTitle) },
          { ...one, header: fromHex('00') },
        ];
        for (const by of wrong) expect(codeOf(() => unprotectContent(content, by))).toBe('DECRYPT_FAILED');
        const forged = { ...content, invocationCounter: content.invocationCounter ^ 1 };
        expect(
          codeOf(() => unprotectContent({ ...forged, invocationCounter: forged.invocationCounter >>> 0 }, one)),
        ).toBe('DECRYPT_FAILED');
      }),
    );
  });

  test('Green Book: the three protections of one message', () => {
    const shown = (policy: 'authenticated' | 'encrypted' | 'both'): string[] => {
      const content = protectContent(
        fromHex('c0010000080000010000ff0200'),
        plain({ securityControl: securityControlFor(0, policy) }),
      );
      return [toHex(content.ciphertextOrPlain), toHex(content.authenticationTag ?? new Uint8Array(0))];
    };
    expect(shown('authenticated')).toEqual(['c0010000080000010000ff0200', '06725d910f9221d263877516']);
    expect(shown('encrypted')).toEqual(['411312ff935a47566827c467bc', '']);
    expect(shown('both')).toEqual(['411312ff935a47566827c467bc', '7d825c3be4a77c3fcc056b6b']);
  });

  test('suite 1 takes an AES-128 key (Kaifa sends 21)', () => {
    const content = protectContent(NOTIFICATION, plain({ securityControl: securityControlFor(1, 'encrypted') }));
    expect(content.securityControl.raw).toBe('21');
    expect(unprotectContent(content, plain()).plaintext).toEqual(NOTIFICATION);
  });

  test('without an authentication key only an explicit wish opens it, and the result says so', () => {
    for (const policy of ['both', 'authenticated'] as const) {
      const content = protectContent(GET, plain({ securityControl: securityControlFor(0, policy) }));
      const incoming = { encryptionKey: EK, authenticationKey: null, systemTitle: TITLE };
      expect(codeOf(() => unprotectContent(content, incoming))).toBe('KEY_MISSING');
      const opened = unprotectContent(content, { ...incoming, acceptUnverified: true });
      expect([toHex(opened.plaintext), opened.tagVerified]).toEqual([toHex(GET), false]);
    }
  });

  test('the wish does not excuse a tag that can be checked', () => {
    const content = protectContent(GET, plain());
    const incoming = { encryptionKey: EK, authenticationKey: EK, systemTitle: TITLE, acceptUnverified: true };
    expect(codeOf(() => unprotectContent(content, incoming))).toBe('DECRYPT_FAILED');
  });

  test('refused', () => {
    const content = protectContent(GET, plain());
    const under = (octet: number) => ({ ...content, securityControl: securityControlOf(octet) });
    const compressed = thrownBy(() => unprotectContent(under(0xb0), plain()));
    expect([compressed.code, compressed.message]).toEqual(['SECURITY_UNSUPPORTED', expect.stringMatching(/compress/)]);
    expect(codeOf(() => protectContent(GET, plain({ securityControl: securityControlOf(0xb0) })))).toBe(
      'SECURITY_UNSUPPORTED',
    );
    expect(codeOf(() => unprotectContent(under(0x33), plain()))).toBe('SECURITY_UNSUPPORTED');
    expect(codeOf(() => unprotectContent({ ...under(0x00), authenticationTag: null }, plain()))).toBe('MALFORMED');
    expect(codeOf(() => unprotectContent(under(0x32), plain()))).toBe('DECRYPT_FAILED');
    expect(codeOf(() => unprotectContent(content, plain({ encryptionKey: null })))).toBe('KEY_MISSING');
    expect(codeOf(() => protectContent(GET, plain({ encryptionKey: null })))).toBe('KEY_MISSING');
    expect(codeOf(() => protectContent(GET, plain({ authenticationKey: null })))).toBe('KEY_MISSING');
    expect(codeOf(() => protectContent(GET, plain({ encryptionKey: EK.subarray(1) })))).toBe('INVALID_VALUE');
    expect(codeOf(() => protectContent(GET, plain({ invocationCounter: 2 ** 32 })))).toBe('INVALID_VALUE');
    expect(codeOf(() => protectContent(GET, plain({ systemTitle: EK })))).toBe('INVALID_VALUE');
  });
});

describe('APDUs', () => {
  const wrappings = fc.constantFrom<Wrapping>('glo', 'ded', 'general-glo', 'general-ded');

  test('what was protected opens again, under each wrapping', () => {
    fc.assert(
      fc.property(outgoing, wrappings, fc.boolean(), (one, wrapping, omitSystemTitle) => {
        const apdu = ciphered(protectApdu(GET, wrapping, { ...one, omitSystemTitle }));
        const dedicated = wrapping.endsWith('ded');
        const slot = dedicated ? 'dedicated' : one.securityControl.keySet;
        const titled = wrapping.startsWith('general') && !omitSystemTitle;
        const keys = {
          ...NO_KEYS,
          [slot]: one.encryptionKey,
          authentication: one.authenticationKey,
          systemTitle: titled ? OTHER_TITLE : one.systemTitle,
        };
        const opened = unprotectApdu(apdu, keys);
        expect(toHex(opened.plaintext)).toBe(toHex(GET));
        expect(opened.key).toBe(slot);
        expect(toHex(opened.systemTitle)).toBe(toHex(one.systemTitle));
        expect(opened.invocationCounter).toBe(one.invocationCounter);
        expect(opened.tagVerified).toBe(one.securityControl.authenticated ? true : null);
        expect(decodeOpened(opened).apdu).toBe('get-request');
        expect(codeOf(() => unprotectApdu(apdu, { ...keys, [slot]: null }))).toBe('KEY_MISSING');
      }),
    );
  });

  test('every service that has a ciphered form', () => {
    const tags = [1, 5, 6, 8, 12, 13, 14, 22, 24, 192, 193, 194, 195, 196, 197, 199];
    expect(Array.from({ length: 256 }, (_, tag) => tag).filter(hasServiceCiphering)).toEqual(tags);
    for (const tag of tags) {
      for (const wrapping of ['glo', 'ded'] as const) {
        const apdu = ciphered(protectApdu(Uint8Array.of(tag, 1, 2), wrapping, plain()));
        expect(apdu.apdu).toMatch(new RegExp(`^${wrapping}-`));
        const opened = unprotectApdu(apdu, { ...KEYS, dedicated: EK });
        expect(toHex(opened.plaintext)).toBe(toHex(Uint8Array.of(tag, 1, 2)));
      }
    }
    expect(protectApdu(GET, 'glo', plain())[0]).toBe(0xc8);
    expect(protectApdu(GET, 'ded', plain())[0]).toBe(0xd0);
  });

  test('a notification needs general protection', () => {
    expect(codeOf(() => protectApdu(NOTIFICATION, 'glo', plain()))).toBe('SECURITY_UNSUPPORTED');
    expect(codeOf(() => protectApdu(new Uint8Array(0), 'glo', plain()))).toBe('SECURITY_UNSUPPORTED');
    expect(protectApdu(NOTIFICATION, 'general-glo', plain())[0]).toBe(0xdb);
  });

  test('an empty system title (DB 00) is filled in from configuration', () => {
    const apdu = ciphered(protectApdu(NOTIFICATION, 'general-glo', { ...plain(), omitSystemTitle: true }));
    expect(toHex(encodeApdu(apdu)).slice(0, 4)).toBe('db00');
    expect(unprotectApdu(apdu, KEYS).tagVerified).toBe(true);
    expect(codeOf(() => unprotectApdu(apdu, { ...KEYS, systemTitle: null }))).toBe('KEY_MISSING');
    expect(codeOf(() => unprotectApdu(apdu, { ...KEYS, systemTitle: OTHER_TITLE }))).toBe('DECRYPT_FAILED');
  });

  test('a system title of another length', () => {
    const apdu = ciphered(fromHex('db074d4d4d0000bc6106200000000100'));
    expect(codeOf(() => unprotectApdu(apdu, KEYS))).toBe('MALFORMED');
  });

  test('a wrong key shows even without a tag', () => {
    const encrypted = plain({ securityControl: securityControlFor(0, 'encrypted') });
    const apdu = ciphered(protectApdu(GET, 'glo', encrypted));
    expect(codeOf(() => unprotectApdu(apdu, { ...KEYS, unicast: AK }))).toBe('DECRYPT_FAILED');
    const general = ciphered(protectApdu(NOTIFICATION, 'general-glo', encrypted));
    const opened = unprotectApdu(general, { ...KEYS, unicast: AK });
    expect(codeOf(() => decodeOpened(opened))).toBe('DECRYPT_FAILED');
  });

  test('a verified message that is malformed is not called a wrong key', () => {
    const opened = unprotectApdu(ciphered(protectApdu(fromHex('c0ff'), 'glo', plain())), KEYS);
    expect(codeOf(() => decodeOpened(opened))).toBe('MALFORMED');
  });

  test('lengths that do not enclose header and tag', () => {
    for (const hex of [
      'c800',
      'c80430000000',
      'c80530000000',
      'c80530000000ff',
      'c80f3000000001aabbccddeeff001122',
      'db00',
    ]) {
      expect(() => decodeApdu(fromHex(hex)), hex).toThrow(BridgeError);
    }
    expect(() => parseProtected(fromHex('3000000001'))).toThrow(BridgeError);
  });
});

describe('replay guard', () => {
  const seen = (guard: ReplayGuard, invocationCounter: number, tagVerified: boolean | null = true): ReplayGuard =>
    afterReceiving(guard, { key: 'unicast', invocationCounter, tagVerified });

  test('counters must rise; gaps are legal', () => {
    fc.assert(
      fc.property(fc.array(counters, { minLength: 1, maxLength: 30 }), (received) => {
        let guard = FRESH_REPLAY_GUARD;
        let highest = -1;
        for (const counter of received) {
          if (counter > highest) {
            guard = seen(guard, counter);
            highest = counter;
          } else {
            expect(codeOf(() => seen(guard, counter))).toBe('REPLAYED');
          }
          expect(guard.unicast).toBe(highest);
        }
      }),
    );
  });

  test('each key has its own', () => {
    const guard = seen(FRESH_REPLAY_GUARD, 100);
    const dedicated = afterReceiving(guard, { key: 'dedicated', invocationCounter: 0, tagVerified: true });
    expect(dedicated).toEqual({ unicast: 100, broadcast: null, dedicated: 0 });
  });

  test('what was not verified is held to the guard and does not move it', () => {
    const guard = seen(FRESH_REPLAY_GUARD, 100);
    for (const tagVerified of [false, null]) {
      expect(seen(guard, 0xffffffff, tagVerified)).toBe(guard);
      expect(codeOf(() => seen(guard, 100, tagVerified))).toBe('REPLAYED');
    }
  });

  test('a message with a wrong tag never reaches it', () => {
    const bytes = protectApdu(GET, 'glo', plain());
    bytes[bytes.length - 1]! ^= 1;
    let guard = FRESH_REPLAY_GUARD;
    const receive = (): void => {
      guard = afterReceiving(guard, unprotectApdu(ciphered(bytes), KEYS));
    };
    expect(codeOf(receive)).toBe('DECRYPT_FAILED');
    expect(guard).toBe(FRESH_REPLAY_GUARD);
    bytes[bytes.length - 1]! ^= 1;
    receive();
    expect(guard.unicast).toBe(0x01234567);
    expect(codeOf(receive)).toBe('REPLAYED');
  });
});

test('errors hold no secrets', () => {
  const secret = fromHex('5ec2e75ec2e75ec2e75ec2e75ec2e75e');
  const apdu = ciphered(protectApdu(GET, 'glo', plain()));
  const errors = [
    thrownBy(() => unprotectApdu(apdu, { ...KEYS, unicast: secret })),
    thrownBy(() => unprotectApdu(apdu, { ...KEYS, unicast: secret.subarray(1) })),
    thrownBy(() => unprotectApdu(apdu, { ...KEYS, authentication: secret })),
    thrownBy(() => protectContent(GET, plain({ encryptionKey: secret.subarray(1) }))),
    thrownBy(() => protectContent(GET, plain({ encryptionKey: null, authenticationKey: secret }))),
  ];
  for (const error of errors) {
    const text = JSON.stringify([error.report(), error.facts, error.stack, String(error.cause)]);
    expect(text).not.toMatch(/c2e75ec2|94,194,231/i);
  }
});
