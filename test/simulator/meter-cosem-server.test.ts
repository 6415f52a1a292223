import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteReader, concat, fromHex } from '../../src/core/bytes.ts';
import { decodeAcse, encodeAcse } from '../../src/dlms/acse/acse.ts';
import { listOf } from '../../src/dlms/axdr/codec.ts';
import { parseData } from '../../src/dlms/axdr/data.ts';
import { parseDateTime, utcOf } from '../../src/dlms/axdr/date-time.ts';
import { decodeObjectList } from '../../src/dlms/cosem/object-list.ts';
import { encodeApdu } from '../../src/dlms/xdlms/apdu.ts';
import { getResult } from '../../src/dlms/xdlms/elements.ts';
import { invokeIdAndPriority } from '../../src/dlms/xdlms/invoke-id.ts';
import type { GetResult } from '../../src/dlms/xdlms/services.ts';
import { CosemServer } from '../../src/simulator/meter/cosem-server.ts';
import { objectsOf } from '../../src/simulator/meter/objects.ts';
import {
  aareIn,
  aarq,
  apduIn,
  associated,
  attribute,
  blockIn,
  get,
  getList,
  getNext,
  getNormal,
  getResponseIn,
  model,
  NOW,
  type Opening,
  PASSWORD,
} from './meter-support.ts';

const EXCEPTION_NOT_ALLOWED = { apdu: 'exception-response', stateError: 'service-not-allowed' };
const EXCEPTION_UNKNOWN = { apdu: 'exception-response', stateError: 'service-unknown' };
const OBJECT_LIST = '15:0.0.40.0.0.255:2';

function open(client: number, opening: Opening, authentication: 'none' | 'low' = 'none') {
  return aareIn(new CosemServer(model({ authentication }), client).receive(aarq(opening), NOW).apdu);
}

function resultOf(server: CosemServer, text: string): GetResult {
  const response = getResponseIn(server.receive(getNormal(text), NOW).apdu);
  return response.type === 'normal' ? response.result : { dataAccessResult: { code: -1, name: response.type } };
}

function refusalOf(server: CosemServer, text: string): number | null {
  const result = resultOf(server, text);
  return 'dataAccessResult' in result ? result.dataAccessResult.code : null;
}

function dataOf(server: CosemServer, text: string) {
  const result = resultOf(server, text);
  if (!('data' in result)) throw new Error(`${text}: ${result.dataAccessResult.name}`);
  return result.data;
}

describe('opening an association', () => {
  test('grants what both can, with the PDU size of the meter', () => {
    const { result, resultSourceDiagnostic, userInformation } = open(16, { maxPdu: 500 });
    expect(result.code).toBe(0);
    expect(resultSourceDiagnostic).toMatchObject({ source: 'acse-service-user', code: 0 });
    expect(userInformation?.decoded).toMatchObject({
      apdu: 'initiateResponse',
      negotiatedConformance: {
        bits: ['block-transfer-with-get-or-read', 'multiple-references', 'get', 'set', 'selective-access', 'action'],
      },
      serverMaxReceivePduSize: 1024,
      vaaName: '0007',
    });
  });

  test.each<[string, number, Opening, number]>([
    ['a wrong password', 17, { authentication: 'low', password: 'wrong' }, 13],
    ['a low level without a password', 17, { authentication: 'low' }, 13],
    ['no authentication', 17, {}, 12],
    ['another mechanism', 17, { authentication: 'gmac', password: PASSWORD }, 11],
    ['a password of the public client', 16, { authentication: 'low', password: PASSWORD }, 11],
    ['short names', 17, { authentication: 'low', password: PASSWORD, referencing: 'sn' }, 2],
  ])('is refused for %s', (_, client, opening, diagnostic) => {
    const aare = open(client, opening, 'low');
    expect(aare.result.name).toBe('rejected-permanent');
    expect(aare.resultSourceDiagnostic.code).toBe(diagnostic);
  });

  test('is granted with the password', () => {
    expect(open(17, { authentication: 'low', password: PASSWORD }, 'low').result.code).toBe(0);
  });

  test('is refused for proposals that cannot work, with the reason', () => {
    const reason = (opening: Opening) => open(16, opening).userInformation?.decoded;
    expect(reason({ bits: ['read'] })).toMatchObject({ errorClass: 'initiate', error: 'incompatible-conformance' });
    expect(reason({ maxPdu: 11 })).toMatchObject({ errorClass: 'initiate', error: 'pdu-size-too-short' });
    expect(open(16, { maxPdu: 0 }).result.code).toBe(0);
  });

  test('ends in silence for a client that the meter does not know', () => {
    const stranger = new CosemServer(model(), 99);
    expect(stranger.receive(aarq(), NOW).apdu).toBeNull();
    expect(stranger.receive(getNormal('3:1.0.1.8.0.255'), NOW).apdu).toBeNull();
  });

  test('is ended by a release, and a request outside of one is refused', () => {
    const server = associated();
    const rlre = server.receive(encodeAcse({ apdu: 'rlrq', reason: 'normal' }), NOW).apdu;
    expect(decodeAcse(rlre ?? new Uint8Array(0))).toMatchObject({ apdu: 'rlre', reason: 'normal' });
    expect(server.isAssociated).toBe(false);
    expect(apduIn(server.receive(getNormal('3:1.0.1.8.0.255'), NOW).apdu)).toMatchObject(EXCEPTION_NOT_ALLOWED);
  });
});

describe('GET', () => {
  test('answers as the standard has it, octet by octet', () => {
    const { apdu } = associated().receive(fromHex('c001c1 0003 0100200700ff 03 00'), NOW);
    // C4 01, the invoke id, data: structure of 2, integer -1, enum 35 (V).
    expect(apdu).toEqual(fromHex('c401c100 0202 0fff 1623'));
  });

  test('reads every attribute of every object, but the secret', () => {
    const server = associated(16, { maxPdu: 0 }, model({ maxPdu: 60000 }));
    for (const { classId, obis, attributes } of objectsOf(3, 'ln')) {
      for (const [index] of attributes.entries()) {
        const text = `${classId}:${obis}:${index + 1}`;
        // A year of load profile takes blocks.
        const expected = text === '15:0.0.40.0.0.255:7' ? 3 : text === '7:1.0.99.1.0.255:2' ? -1 : null;
        expect([text, refusalOf(server, text)]).toEqual([text, expected]);
      }
    }
  });

  test('shows one phase or three', () => {
    const onePhase = associated(16, {}, model({ phases: 1 }));
    for (const group of [52, 51, 41, 72, 71, 61]) {
      expect(refusalOf(onePhase, `3:1.0.${group}.7.0.255`)).toBe(4);
      expect(refusalOf(associated(), `3:1.0.${group}.7.0.255`)).toBeNull();
    }
    expect(dataOf(onePhase, '3:1.0.31.7.0.255:3')).toMatchObject({ value: [{ value: -3 }, { value: 33 }] });
    expect(dataOf(associated(), '3:1.0.31.7.0.255:3')).toMatchObject({ value: [{ value: -2 }, { value: 33 }] });
  });

  test('gives identification as text and the clock as a date-time', () => {
    const server = associated();
    const text = (point: string) => {
      const data = dataOf(server, point);
      return data.type === 'octet-string' ? Buffer.from(data.value).toString() : data;
    };
    expect(text('1:0.0.42.0.0.255')).toMatch(/^SIM.{13}$/);
    expect(text('1:0.0.96.1.0.255')).toMatch(/^\d{8}$/);
    const clock = dataOf(server, '8:0.0.1.0.0.255');
    expect(clock.type === 'octet-string' && utcOf(parseDateTime(clock.value))).toBe(NOW);
  });

  test('knows an unknown object, a wrong class and an attribute that is not there', () => {
    const server = associated();
    expect(refusalOf(server, '3:1.0.99.8.0.255')).toBe(4);
    expect(refusalOf(server, '4:1.0.1.8.0.255')).toBe(9);
    expect(refusalOf(server, '3:1.0.1.8.0.255:9')).toBe(4);
    expect(refusalOf(server, '3:1.0.1.8.0.255:0')).toBe(4);
    expect(refusalOf(server, '3:1.0.1.8.0.255:-1')).toBe(4);
  });

  test('refuses selective access, which no attribute here has', () => {
    const selection = { selector: 1, parameters: { type: 'null-data' } as const };
    const request = get({ type: 'normal', attribute: attribute('3:1.0.1.8.0.255'), accessSelection: selection });
    const response = associated().receive(request, NOW);
    expect(getResponseIn(response.apdu)).toMatchObject({ result: { dataAccessResult: { code: 13 } } });
    expect(response.said).toEqual([]);
  });

  test('answers a list in one APDU, and one bad item does not spoil the rest', () => {
    const list = getList(['3:1.0.1.8.0.255', '3:9.9.9.9.9.255', '3:1.0.32.7.0.255', '3:1.0.32.7.0.255:3'], 5);
    const { apdu, said } = associated().receive(list, NOW);
    const response = getResponseIn(apdu);
    expect(response.invokeIdAndPriority.invokeId).toBe(5);
    expect(response).toMatchObject({
      type: 'with-list',
      results: [
        { data: { type: 'double-long-unsigned' } },
        { dataAccessResult: { code: 4 } },
        { data: { type: 'long-unsigned' } },
        { data: { type: 'structure' } },
      ],
    });
    expect(said.map(({ obis }) => obis)).toEqual(['1.0.1.8.0.255', '1.0.32.7.0.255']);
  });

  test('says values exactly, with the scaler applied', () => {
    const { apdu, said } = associated().receive(
      getList(['3:1.0.32.7.0.255', '3:1.0.15.8.0.255', '1:0.0.96.1.0.255', '3:1.0.1.8.0.255:3']),
      NOW,
    );
    const response = getResponseIn(apdu);
    const results = response.type === 'with-list' ? response.results : [];
    const raw = results.map((result) => ('data' in result && 'value' in result.data ? result.data.value : null));
    expect(said).toEqual([
      { obis: '1.0.32.7.0.255', classId: 3, attribute: 2, value: String(Number(raw[0]) / 10) },
      {
        obis: '1.0.15.8.0.255',
        classId: 3,
        attribute: 2,
        value: String(raw[1])
          .replace(/(\d{3})$/, '.$1')
          .replace(/\.?0+$/, ''),
      },
    ]);
    expect(BigInt(String(raw[1]))).toBeGreaterThan(2n ** 53n);
  });

  test('refuses what was not negotiated', () => {
    const server = associated(16, { bits: ['get'], maxPdu: 100 });
    expect(apduIn(server.receive(getList(['3:1.0.1.8.0.255']), NOW).apdu)).toMatchObject(EXCEPTION_UNKNOWN);
    expect(apduIn(server.receive(getNext(1), NOW).apdu)).toMatchObject(EXCEPTION_UNKNOWN);
    const tooLong = apduIn(server.receive(getNormal(OBJECT_LIST), NOW).apdu);
    expect(tooLong).toMatchObject({ apdu: 'exception-response', serviceError: 'pdu-too-long' });
  });

  test('refuses a request that is longer than the meter can receive', () => {
    const server = associated(16, {}, model({ maxPdu: 64 }));
    const long = getList(Array.from({ length: 7 }, () => '3:1.0.1.8.0.255'));
    expect(apduIn(server.receive(long, NOW).apdu)).toMatchObject({ serviceError: 'pdu-too-long' });
  });
});

describe('block transfer', () => {
  function transfer(server: CosemServer, request: Uint8Array, maxPdu: number) {
    const parts: Uint8Array[] = [];
    let answer = server.receive(request, NOW);
    for (let number = 1; ; number += 1) {
      expect(answer.apdu?.length).toBeLessThanOrEqual(maxPdu);
      const block = blockIn(answer.apdu);
      expect(block.blockNumber).toBe(number);
      parts.push('rawData' in block ? block.rawData : new Uint8Array(0));
      if (block.lastBlock) return { whole: concat(parts), blocks: number, said: answer.said };
      expect(answer.said).toEqual([]);
      expect(answer.apdu?.length).toBeGreaterThan(maxPdu - 3);
      answer = server.receive(getNext(number), NOW);
    }
  }

  test.each([12, 13, 50, 137, 138, 139, 266, 267, 268, 700])(
    'carries the object list in PDUs of %i octets',
    (maxPdu) => {
      const server = associated(16, { maxPdu });
      const { whole } = transfer(server, getNormal(OBJECT_LIST), maxPdu);
      const objects = decodeObjectList(parseData(whole));
      expect(objects.map(({ obis }) => obis)).toEqual(objectsOf(3, 'ln').map(({ obis }) => obis));
      expect(objects.find(({ classId }) => classId === 15)?.attributes[6]).toEqual({ id: 7, access: 'no-access' });
    },
  );

  test('carries a list, and says its values with the last block', () => {
    const server = associated(16, { maxPdu: 30 });
    const points = ['3:1.0.1.8.0.255', '3:1.0.2.8.0.255', '1:0.0.96.1.0.255', '3:7.7.7.7.7.255', '3:1.0.14.7.0.255'];
    const { whole, blocks, said } = transfer(server, getList(points), 30);
    expect(blocks).toBeGreaterThan(1);
    const results = listOf(getResult).decode(new ByteReader(whole, 'xdlms'));
    expect(results.map((result) => ('data' in result ? result.data.type : result.dataAccessResult.code))).toEqual([
      'double-long-unsigned',
      'double-long-unsigned',
      'octet-string',
      4,
      'long-unsigned',
    ]);
    expect(said.map(({ obis }) => obis)).toEqual(['1.0.1.8.0.255', '1.0.2.8.0.255', '1.0.14.7.0.255']);
  });

  test('is broken off by a wrong block number', () => {
    const server = associated(16, { maxPdu: 50 });
    server.receive(getNormal(OBJECT_LIST), NOW);
    expect(blockIn(server.receive(getNext(7), NOW).apdu)).toMatchObject({
      lastBlock: true,
      dataAccessResult: { code: 19 },
    });
    expect(blockIn(server.receive(getNext(1), NOW).apdu)).toMatchObject({ dataAccessResult: { code: 16 } });
  });

  test('ends with a new request', () => {
    const server = associated(16, { maxPdu: 50 });
    server.receive(getNormal(OBJECT_LIST), NOW);
    server.receive(getNormal('3:1.0.1.8.0.255'), NOW);
    expect(blockIn(server.receive(getNext(1), NOW).apdu)).toMatchObject({ dataAccessResult: { code: 16 } });
  });
});

describe('rights', () => {
  test('of the public client without a password are few when the others need one', () => {
    const server = associated(16, {}, model({ authentication: 'low' }));
    const objects = decodeObjectList(dataOf(server, OBJECT_LIST));
    expect(objects.map(({ obis }) => obis)).toEqual(['0.0.40.0.0.255', '0.0.42.0.0.255', '0.0.1.0.0.255']);
    expect(refusalOf(server, '8:0.0.1.0.0.255')).toBeNull();
    expect(refusalOf(server, '3:1.0.1.8.0.255')).toBe(3);
    expect(refusalOf(server, '3:9.9.9.9.9.255')).toBe(4);
  });

  test('with the password are all', () => {
    const server = associated(17, { authentication: 'low', password: PASSWORD }, model({ authentication: 'low' }));
    expect(refusalOf(server, '3:1.0.1.8.0.255')).toBeNull();
    expect(dataOf(server, '15:0.0.40.0.0.255:6')).toMatchObject({ value: fromHex('60857405080201') });
  });
});

describe('what the meter does not do', () => {
  test('is writing and calling, unless that was negotiated', () => {
    const server = associated(16, { bits: ['get'] });
    const invoke = invokeIdAndPriority(1);
    const set = encodeApdu({
      apdu: 'set-request',
      type: 'normal',
      invokeIdAndPriority: invoke,
      attribute: attribute('8:0.0.1.0.0.255'),
      accessSelection: null,
      value: { type: 'null-data' },
    });
    const action = encodeApdu({
      apdu: 'action-request',
      type: 'normal',
      invokeIdAndPriority: invoke,
      method: { classId: 3, instanceId: '1.0.1.8.0.255', methodId: 1 },
      parameters: null,
    });
    expect(apduIn(server.receive(set, NOW).apdu)).toMatchObject(EXCEPTION_UNKNOWN);
    expect(apduIn(server.receive(action, NOW).apdu)).toMatchObject(EXCEPTION_UNKNOWN);
  });

  test('is to fall over whatever it hears', () => {
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc
        .tuple(fc.constantFrom(0x60, 0x62, 0xc0, 0xc1, 0xc3, 0xc4, 0xd9, 0xe0, 0x05, 0x01, 0xcb, 0xdb), fc.uint8Array())
        .map(([tag, rest]) => concat([Uint8Array.of(tag), rest])),
      // A good request with a few octets changed or cut off.
      fc
        .tuple(
          fc.constantFrom(aarq(), getNormal(OBJECT_LIST), getList(['3:1.0.1.8.0.255', '3:1.0.2.8.0.255']), getNext(1)),
          fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
          fc.nat(80),
        )
        .map(([octets, changes, length]) => {
          const copy = octets.slice(0, length);
          for (const [at, octet] of changes) if (copy.length > 0) copy[at % copy.length] = octet;
          return copy;
        }),
    );
    fc.assert(
      fc.property(fc.array(anything, { maxLength: 8 }), fc.boolean(), (requests, open) => {
        const server = open ? associated(16, { maxPdu: 40 }) : new CosemServer(model(), 16);
        for (const request of requests) {
          const { apdu } = server.receive(request, NOW);
          expect(apdu === null || apdu.length > 0).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });
});
