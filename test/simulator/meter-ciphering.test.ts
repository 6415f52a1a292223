import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex } from '../../src/core/bytes.ts';
import { decodeAcse, encodeAcse, userInformationOf } from '../../src/dlms/acse/acse.ts';
import type { Data } from '../../src/dlms/axdr/data.ts';
import { hasServiceCiphering } from '../../src/dlms/security/apdu-protection.ts';
import type { SecurityPolicy, SuiteId } from '../../src/dlms/security/suite.ts';
import { type Apdu, decodeApdu, encodeApdu } from '../../src/dlms/xdlms/apdu.ts';
import { initiateRequestOf } from '../../src/dlms/xdlms/initiate.ts';
import { invokeIdAndPriority } from '../../src/dlms/xdlms/invoke-id.ts';
import type { SecurityOptions } from '../../src/simulator/meter/meter-security.ts';
import { ALL_BITS, CLIENT_TITLE, SecureClient, type SecureOptions } from './meter-secure-client.ts';
import { apduIn, attribute, getNormal, type model as Model, model, NOW } from './meter-support.ts';

const ENERGY = '3:1.0.1.8.0.255';
const OBJECT_LIST = '15:0.0.40.0.0.255:2';
const COUNTER = '1:0.0.43.1.0.255';
const DEDICATED = fromHex('00112233445566778899aabbccddeeff');
const DECIPHERING = { apdu: 'exception-response', serviceError: 'deciphering-error' };
const NOT_ALLOWED = { apdu: 'exception-response', serviceError: 'operation-not-possible' };

function meterWith(security: SecurityOptions = { security: 'both' }): ReturnType<typeof Model> {
  return model({ security });
}

function client(options: SecureOptions = {}, meter = meterWith()): SecureClient {
  return new SecureClient(meter, { policy: 'both', ...options });
}

describe('a ciphered association', () => {
  test.each<[SuiteId, Exclude<SecurityPolicy, 'none'>]>([
    [0, 'authenticated'],
    [0, 'encrypted'],
    [0, 'both'],
    [1, 'both'],
    [2, 'authenticated'],
    [2, 'both'],
  ])('in suite %i, %s', (suite, policy) => {
    const connected = client({ suite, policy }, meterWith({ suite, security: policy })).associate();
    expect(connected.aare).toMatchObject({ applicationContextName: { context: 'LN_WITH_CIPHERING' } });
    expect(connected.aare?.userInformation?.decoded).toMatchObject({
      apdu: 'glo-initiateResponse',
      securityControl: { suite, authenticated: policy !== 'encrypted', encrypted: policy !== 'authenticated' },
    });
    expect(connected.data(ENERGY)).toMatchObject({ type: 'double-long-unsigned' });
    expect(connected.heard).toMatchObject([{ wrapping: 'glo-get-response' }]);
  });

  test('names the meter, and shows its security', () => {
    const connected = client({}, meterWith({ security: 'both', systemTitle: '4d4d4d0000bc614e' })).associate();
    expect(toHex(connected.aare?.respondingAPTitle ?? new Uint8Array(0))).toBe('4d4d4d0000bc614e');
    const [policy, suite, clientTitle, serverTitle] = [2, 3, 4, 5].map((id) =>
      connected.data(`64:0.0.43.0.0.255:${id}`),
    );
    expect([policy, suite]).toEqual([
      { type: 'enum', value: 3 },
      { type: 'enum', value: 0 },
    ]);
    expect(clientTitle).toEqual({ type: 'octet-string', value: CLIENT_TITLE });
    expect(serverTitle).toEqual({ type: 'octet-string', value: fromHex('4d4d4d0000bc614e') });
    // Application context 3, LN with ciphering.
    expect(connected.data('15:0.0.40.0.0.255:4')).toEqual({ type: 'octet-string', value: fromHex('60857405080103') });
  });

  test('has a system title for each meter', () => {
    const titles = [0, 1].map((index) => toHex(model({ index }).security.systemTitle));
    expect(titles).toEqual(['53494d0010010001', '53494d0010010002']);
  });

  test('takes every level of authentication', () => {
    for (const authentication of ['low', 'high', 'md5', 'sha1', 'gmac', 'sha256'] as const) {
      const meter = model({ authentication, security: { security: 'both' } });
      expect(client({ authentication }, meter).associate().data(ENERGY)).toBeDefined();
    }
  });

  test.each<[string, SecureOptions]>([
    ['block cipher key', { blockCipherKey: new Uint8Array(16) }],
    ['authentication key', { authenticationKey: new Uint8Array(16) }],
    ['suite', { suite: 1 }],
  ])('is rejected for a wrong %s, with the reason', (_, options) => {
    const stranger = client(options);
    stranger.open();
    expect(stranger.aare).toMatchObject({
      result: { code: 1 },
      resultSourceDiagnostic: { code: 1 },
      userInformation: { hex: fromHex('0e010006') },
    });
    expect(stranger.server.isAssociated).toBe(false);
  });

  test('is rejected in the plain context, without a title, or with less protection than the policy wants', () => {
    const opened = (options: SecureOptions, policy: SecurityPolicy = 'both') => {
      const one = client(options, meterWith({ security: policy }));
      one.open();
      return one.aare?.resultSourceDiagnostic.code;
    };
    expect(opened({ policy: null })).toBe(2);
    expect(opened({ title: null })).toBe(3);
    expect(opened({ policy: 'encrypted' })).toBe(1);
    expect(opened({ policy: 'authenticated' })).toBe(1);
    expect(opened({ policy: 'both' }, 'authenticated')).toBe(0);
  });

  test('is not known to a meter without keys', () => {
    const connected = new SecureClient(model(), { policy: 'both' });
    connected.open();
    expect(connected.aare?.resultSourceDiagnostic.code).toBe(2);
  });

  test('is possible without a policy, and then answers as it was asked', () => {
    const connected = client({}, meterWith({ blockCipherKey: fromHex('00'.repeat(16)) }));
    const keyed = client({ blockCipherKey: new Uint8Array(16) }, meterWith({ blockCipherKey: new Uint8Array(16) }));
    connected.open();
    expect(connected.aare?.result.code).toBe(1);
    keyed.associate();
    expect(keyed.data(ENERGY)).toBeDefined();
    const plain = keyed.server.receive(getNormal(ENERGY), NOW);
    expect(apduIn(plain.apdu)).toMatchObject({ apdu: 'get-response' });
  });
});

describe('whatever a meter hears', () => {
  const invoke = { invokeIdAndPriority: invokeIdAndPriority(1) } as const;
  const notes = { attribute: attribute('1:0.0.96.50.0.255'), accessSelection: null } as const;
  const value: Data = { type: 'octet-string', value: Uint8Array.of(1, 2, 3) };
  const range: Data = { type: 'structure', value: [value, value, value, { type: 'array', value: [value] }] };
  const method = { classId: 15, instanceId: '0.0.40.0.0.255', methodId: 1 };
  const block = { lastBlock: false, blockNumber: 1, rawData: Uint8Array.of(9, 4, 1) };
  const profile = attribute('7:0.0.99.98.0.255');
  const requests = [
    { apdu: 'set-request', type: 'normal', ...invoke, ...notes, value },
    { apdu: 'set-request', type: 'with-first-datablock', ...invoke, ...notes, ...block },
    { apdu: 'set-request', type: 'with-datablock', ...invoke, ...block, blockNumber: 2, lastBlock: true },
    { apdu: 'action-request', type: 'normal', ...invoke, method, parameters: value },
    { apdu: 'action-request', type: 'with-first-pblock', ...invoke, method, ...block },
    { apdu: 'action-request', type: 'with-list', ...invoke, methods: [method, method], parameters: [value, range] },
    {
      apdu: 'get-request',
      type: 'normal',
      ...invoke,
      attribute: profile,
      accessSelection: { selector: 1, parameters: range },
    },
  ] as const satisfies readonly Apdu[];

  const request = fc
    .tuple(fc.constantFrom(...requests), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }), fc.nat(80))
    .map(([apdu, changes, length]) => {
      const copy = encodeApdu(apdu).slice(0, length);
      for (const [at, octet] of changes) if (copy.length > 0) copy[at % copy.length] = octet;
      return copy;
    });

  test.each(['none', 'low', 'high', 'gmac', 'sha256'] as const)('it does not fall over (%s)', (authentication) => {
    fc.assert(
      fc.property(fc.array(request, { maxLength: 6 }), fc.boolean(), fc.boolean(), (heard, ciphered, proven) => {
        const security = ciphered ? ({ security: 'both' } as const) : {};
        const meter = model({ authentication, security });
        const connected = new SecureClient(meter, { authentication, policy: ciphered ? 'both' : null });
        if (proven) connected.associate();
        else connected.open();
        for (const octets of heard) {
          // Tags without a ciphered form go as they are.
          const [tag = 0] = octets;
          const sent = ciphered && hasServiceCiphering(tag) ? connected.protected(octets) : octets;
          const { apdu } = connected.server.receive(sent, NOW);
          expect(apdu === null || apdu.length > 0).toBe(true);
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe('in a ciphered association', () => {
  test('answers come under the key and in the wrapping of the request', () => {
    const general = client({ bits: [...ALL_BITS, 'general-protection'], wrapping: 'general-glo' }).associate();
    expect(general.data(ENERGY)).toBeDefined();
    const dedicated = client({ dedicatedKey: DEDICATED }).associate();
    expect(dedicated.data(ENERGY)).toBeDefined();
    expect(dedicated.data(ENERGY)).toBeDefined();
    const both = client({
      bits: [...ALL_BITS, 'general-protection'],
      dedicatedKey: DEDICATED,
      wrapping: 'general-ded',
    }).associate();
    expect(both.data(ENERGY)).toBeDefined();
    expect(general.heard.map(({ wrapping }) => wrapping)).toEqual(['general-glo-ciphering']);
    // The counter of a dedicated key begins at 0.
    expect(dedicated.heard).toEqual([
      { wrapping: 'ded-get-response', counter: 0 },
      { wrapping: 'ded-get-response', counter: 1 },
    ]);
    expect(both.heard).toEqual([{ wrapping: 'general-ded-ciphering', counter: 0 }]);
  });

  test('general protection must be negotiated, and a dedicated key agreed', () => {
    const general = client({ wrapping: 'general-glo' }).associate();
    expect(general.get(ENERGY)).toMatchObject({ apdu: 'exception-response', serviceError: 'service-not-supported' });
    const dedicated = client().associate();
    const wrong = client({ dedicatedKey: DEDICATED }, meterWith());
    wrong.associate();
    const stolen = wrong.protected(getNormal(ENERGY));
    expect(apduIn(dedicated.server.receive(stolen, NOW).apdu)).toMatchObject(DECIPHERING);
    const short = client({ dedicatedKey: new Uint8Array(8) });
    short.open();
    expect(short.aare?.result.code).toBe(1);
  });

  test('requests without the protection that the policy wants are refused, and end nothing', () => {
    const connected = client().associate();
    expect(apduIn(connected.server.receive(getNormal(ENERGY), NOW).apdu)).toMatchObject(NOT_ALLOWED);
    const weaker = client({ policy: 'encrypted', counter: 100 });
    const request = weaker.protected(getNormal(ENERGY));
    expect(apduIn(connected.server.receive(request, NOW).apdu)).toMatchObject(NOT_ALLOWED);
    expect(connected.data(ENERGY)).toBeDefined();
  });

  test('requests under another key are refused and move no counter', () => {
    const connected = client().associate();
    const stranger = client({ blockCipherKey: new Uint8Array(16), counter: 5000 });
    const request = stranger.protected(getNormal(ENERGY));
    expect(apduIn(connected.server.receive(request, NOW).apdu)).toMatchObject(DECIPHERING);
    expect(connected.data(ENERGY)).toBeDefined();
  });

  test('the counters of the meter rise, over all associations', () => {
    const meter = meterWith();
    const first = client({}, meter).associate();
    first.data(ENERGY);
    first.data(ENERGY);
    const second = client({ counter: 100, client: 1 }, meter).associate();
    second.data(ENERGY);
    const counters = [...first.heard, ...second.heard].map(({ counter }) => counter);
    // 0 and 3 protect the two AAREs.
    expect(counters).toEqual([1, 2, 4]);
  });

  test('a counter that did not rise is refused with the one expected, and the association ends', () => {
    const meter = meterWith({ security: 'both', invocationCounter: 0x100 });
    const late = client({ counter: 0x100 }, meter);
    expect(toHex(late.open() ?? new Uint8Array(0))).toBe('d8010600000101');
    const connected = client({ counter: 0x200 }, meter).associate();
    const request = connected.protected(getNormal(ENERGY));
    expect(connected.server.receive(request, NOW).apdu?.[0]).toBe(0xcc);
    expect(toHex(connected.server.receive(request, NOW).apdu ?? new Uint8Array(0))).toBe('d8010600000202');
    expect(connected.server.isAssociated).toBe(false);
    expect(connected.get(ENERGY)).toMatchObject(NOT_ALLOWED);
  });

  test('the counter may be 0 at first, and the public client reads it', () => {
    const meter = meterWith();
    const reader = new SecureClient(meter, { client: 16 }).associate();
    expect(reader.data(COUNTER)).toEqual({ type: 'double-long-unsigned', value: 0 });
    client({ counter: 0 }, meter).associate().data(ENERGY);
    expect(reader.data(COUNTER)).toEqual({ type: 'double-long-unsigned', value: 1 });
    expect(() => reader.data(ENERGY)).toThrow('read-write-denied');
  });

  test('every APDU fits the PDU that the client can receive, protection included', () => {
    for (const [maxPdu, wrapping] of [
      [64, 'glo'],
      [300, 'general-glo'],
    ] as const) {
      const connected = client({ maxPdu, wrapping, bits: [...ALL_BITS, 'general-protection'] }).associate();
      const sizes: number[] = [];
      const parts: number[] = [];
      let response = connected.get(OBJECT_LIST);
      for (let number = 1; response.apdu === 'get-response' && response.type === 'with-datablock'; number += 1) {
        sizes.push(encodeApdu(response).length + (wrapping === 'glo' ? 20 : 30));
        if ('rawData' in response) parts.push(response.rawData.length);
        if (response.lastBlock) break;
        response = connected.getRequest({ type: 'next', blockNumber: number });
      }
      expect(parts.length).toBeGreaterThan(2);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(maxPdu);
    }
    const tiny = client({ maxPdu: 32 });
    tiny.open();
    expect(tiny.aare?.result.code).toBe(1);
  });

  test('a ciphered release is answered in kind, a plain one too', () => {
    const connected = client().associate();
    const secret = decodeApdu(
      new SecureClient(meterWith(), { policy: 'both', counter: 50 }).protected(
        encodeApdu(initiateRequestOf(ALL_BITS, 500)),
      ),
    );
    const rlrq = encodeAcse({ apdu: 'rlrq', reason: 'normal', userInformation: userInformationOf(secret) });
    const rlre = decodeAcse(connected.server.receive(rlrq, NOW).apdu ?? new Uint8Array(0));
    expect(rlre).toMatchObject({ apdu: 'rlre', userInformation: { decoded: { apdu: 'glo-initiateResponse' } } });
    expect(connected.server.isAssociated).toBe(false);
    const other = client().associate();
    const plain = other.server.receive(encodeAcse({ apdu: 'rlrq', reason: 'normal' }), NOW).apdu;
    expect(decodeAcse(plain ?? new Uint8Array(0))).toEqual(expect.objectContaining({ apdu: 'rlre', reason: 'normal' }));
  });
});
