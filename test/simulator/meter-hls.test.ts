import { describe, expect, test } from 'vitest';
import { fromHex } from '../../src/core/bytes.ts';
import { publicKeyOf } from '../../src/dlms/security/elliptic-curve.ts';
import type { HlsMechanism } from '../../src/dlms/security/hls.ts';
import type { SuiteId } from '../../src/dlms/security/suite.ts';
import { SecureClient, type SecureOptions } from './meter-secure-client.ts';
import { associated, model } from './meter-support.ts';

const MECHANISMS = ['high', 'md5', 'sha1', 'gmac', 'sha256'] as const;
const ENERGY = '3:1.0.1.8.0.255';
const NOT_ALLOWED = {
  apdu: 'exception-response',
  stateError: 'service-not-allowed',
  serviceError: 'operation-not-possible',
};

function client(mechanism: HlsMechanism, options: SecureOptions = {}): SecureClient {
  return new SecureClient(model({ authentication: mechanism }), { authentication: mechanism, ...options });
}

describe('high level security', () => {
  test.each(MECHANISMS)('%s: both prove themselves, then all is served', (mechanism) => {
    const connected = client(mechanism);
    connected.open();
    expect(connected.aare).toMatchObject({
      result: { code: 0 },
      resultSourceDiagnostic: { source: 'acse-service-user', code: 14 },
      mechanismName: { oid: `2.16.756.5.8.2.${['high', 'md5', 'sha1', 'gmac', 'sha256'].indexOf(mechanism) + 2}` },
    });
    expect(connected.aare?.respondingAuthenticationValue?.hex).toHaveLength(16);
    expect(connected.server.isAssociated).toBe(false);
    connected.associate();
    expect(connected.server.isAssociated).toBe(true);
    expect(connected.data(ENERGY)).toMatchObject({ type: 'double-long-unsigned' });
    expect(connected.data('15:0.0.40.0.0.255:6')).toMatchObject({ type: 'octet-string' });
  });

  test.each(MECHANISMS)('%s: a wrong proof is refused and closes the association', (mechanism) => {
    const liar = client(mechanism);
    liar.open();
    const answer = liar.prove((proof) => proof.map((octet, index) => (index === proof.length - 1 ? octet ^ 1 : octet)));
    expect(answer).toMatchObject({ apdu: 'action-response', type: 'normal', result: { code: 3 } });
    expect(liar.get(ENERGY)).toMatchObject(NOT_ALLOWED);
    expect(liar.prove()).toMatchObject(NOT_ALLOWED);
    expect(liar.server.isAssociated).toBe(false);
  });

  test.each(['md5', 'sha256'] as const)('%s: another secret is no proof', (mechanism) => {
    const stranger = client(mechanism, { secret: Buffer.from('another') });
    expect(() => stranger.associate()).toThrow('read-write-denied');
  });

  test('nothing is served before it is done, and trying does not end it', () => {
    const connected = client('sha256');
    connected.open();
    expect(connected.get(ENERGY)).toMatchObject(NOT_ALLOWED);
    expect(connected.call.bind(connected, '70:0.0.96.3.10.255:1')).toThrow('exception-response');
    expect(connected.prove()).toMatchObject({ result: { code: 0 } });
    expect(connected.data(ENERGY)).toBeDefined();
  });

  test('every association has a challenge of its own', () => {
    const meter = model({ authentication: 'md5' });
    const challenges = Array.from({ length: 5 }, () => {
      const one = new SecureClient(meter, { authentication: 'md5' });
      one.open();
      return String(one.aare?.respondingAuthenticationValue?.hex);
    });
    expect(new Set(challenges).size).toBe(5);
  });

  test.each<[string, HlsMechanism, SecureOptions, number]>([
    ['none', 'sha1', { authentication: 'none' }, 12],
    ['the password alone', 'sha1', { authentication: 'low' }, 11],
    ['another mechanism', 'sha1', { authentication: 'md5' }, 11],
    ['no system title where it is needed', 'gmac', { title: null }, 3],
  ])('%s is rejected', (_, mechanism, options, diagnostic) => {
    const connected = client(mechanism, options);
    connected.open();
    expect(connected.aare).toMatchObject({ result: { code: 1 }, resultSourceDiagnostic: { code: diagnostic } });
  });

  test('GMAC takes counters that rise', () => {
    const meter = model({ authentication: 'gmac' });
    new SecureClient(meter, { authentication: 'gmac', counter: 7 }).associate();
    const late = new SecureClient(meter, { authentication: 'gmac', counter: 7 });
    late.open();
    expect(late.prove()).toMatchObject({ serviceError: 'invocation-counter-error', invocationCounter: 8 });
    new SecureClient(meter, { authentication: 'gmac', counter: 8 }).associate();
  });

  test.each<[SuiteId, 'P-256' | 'P-384', string]>([
    [1, 'P-256', '11'.repeat(32)],
    [2, 'P-384', '12'.repeat(48)],
  ])('ECDSA in suite %i', (suite, curve, digits) => {
    const signingKey = fromHex(digits);
    const privateKey = fromHex(digits.replaceAll('1', '3'));
    const security = { suite, signingKey, clientPublicKey: publicKeyOf(curve, privateKey) };
    const meter = model({ authentication: 'ecdsa', security });
    const credentials = {
      mechanism: 'ecdsa',
      suite,
      privateKey,
      peerPublicKey: publicKeyOf(curve, signingKey),
    } as const;
    const connected = new SecureClient(meter, { authentication: 'ecdsa', credentials }).associate();
    expect(connected.data(ENERGY)).toBeDefined();
    const liar = new SecureClient(meter, {
      authentication: 'ecdsa',
      credentials: { ...credentials, privateKey: signingKey },
    });
    expect(() => liar.associate()).toThrow('read-write-denied');
  });

  test('leaves the public client what it had', () => {
    const meter = model({ authentication: 'sha256' });
    const server = associated(16, {}, meter);
    expect(server.isAssociated).toBe(true);
    const open = new SecureClient(meter, { client: 16 }).associate();
    expect(open.data('8:0.0.1.0.0.255')).toBeDefined();
    expect(() => open.data(ENERGY)).toThrow('read-write-denied');
  });

  test('is refused as an option where keys are missing', () => {
    const invalid = expect.objectContaining({ code: 'INVALID_VALUE' });
    expect(() => model({ authentication: 'ecdsa' })).toThrow(invalid);
    expect(() => model({ authentication: 'ecdsa', security: { suite: 1 } })).toThrow(invalid);
    const [signingKey, clientPublicKey] = [fromHex('11'.repeat(32)), fromHex('22'.repeat(64))];
    expect(() => model({ authentication: 'ecdsa', security: { suite: 1, signingKey, clientPublicKey } })).toThrow(
      invalid,
    );
    expect(() => model({ security: { blockCipherKey: new Uint8Array(5) } })).toThrow(invalid);
    expect(() => model({ security: { systemTitle: '0102' } })).toThrow(invalid);
  });
});
