/**
 * GET and RLRQ, in the manner of the conformance cases T_APPL DATA_LN N1/N3/N4 and REL P1: what is wrong is refused by itself,
 * and the association stands on.
 */
import { describe, expect, test } from 'vitest';
import { fromHex, toHex } from '../../src/core/bytes.ts';
import { decodeAcse } from '../../src/dlms/acse/acse.ts';
import { AssociationClient } from '../../src/dlms/association/association.ts';
import { GetExchange } from '../../src/dlms/exchange/get-exchange.ts';
import { DEFAULT_METER_SETTINGS, NO_SECRETS } from '../../src/dlms/settings.ts';
import { CosemServer } from '../../src/simulator/meter/cosem-server.ts';
import { apduIn, associated, attribute, getList, getNext, getNormal, model, NOW } from '../simulator/meter-support.ts';

const ENERGY = '3:1.0.1.8.0.255';
const answer = (server: CosemServer, request: Uint8Array) => apduIn(server.receive(request, NOW).apdu);

/** The association of our client, with a virtual meter right behind it. */
function conversation() {
  const server = new CosemServer(model(), 16);
  const client = new AssociationClient({
    settings: DEFAULT_METER_SETTINGS,
    secrets: NO_SECRETS,
    random: (octets) => new Uint8Array(octets),
    takeCounter: () => 0,
    systemTitle: new Uint8Array(8),
  });
  const say = (apdus: readonly Uint8Array[]): string => {
    for (const apdu of apdus) {
      const { send, event } = client.receive(server.receive(apdu, NOW).apdu ?? new Uint8Array(0));
      if (event !== null) return 'error' in event ? `${event.kind} ${event.error.code}` : event.kind;
      return say(send);
    }
    return 'nothing';
  };
  const get = (...texts: string[]): readonly string[] => {
    const exchange = new GetExchange(texts.map((text) => ({ ...attribute(text), accessSelection: null })));
    expect(say(client.begin(exchange))).toBe('answered');
    return exchange.result.map((result) => ('data' in result ? 'data' : result.dataAccessResult.name));
  };
  return { server, client, say, get };
}

describe('DATA_LN', () => {
  test.each([
    ['an unknown tag', 'ff01c100'],
    ['no octets behind the tag', 'c0'],
    ['an unknown form of GET', 'c009c100030100010800ff0200'],
    ['octets behind the request', `${toHex(getNormal(ENERGY))}00`],
    ['a selector where there is none', 'c001c100030100010800ff0201'],
  ])('N1: %s: an exception, and the association stands', (_, request) => {
    const server = associated();
    expect(answer(server, fromHex(request))).toMatchObject({ apdu: 'exception-response' });
    expect(answer(server, getNormal(ENERGY))).toMatchObject({ apdu: 'get-response', type: 'normal' });
  });
  test.each([
    ['an object that is not there', '3:1.0.99.8.0.255', 'object-undefined'],
    ['an object under another class', '4:1.0.1.8.0.255', 'object-class-inconsistent'],
    ['an attribute that is not there', '3:1.0.1.8.0.255:9', 'object-undefined'],
  ])('N3: %s is refused by itself', (_, text, refusal) => {
    const { client, say, get } = conversation();
    expect(say([client.open()])).toBe('associated');
    expect(get(text)).toEqual([refusal]);
    expect(get(text, ENERGY)).toEqual([refusal, 'data']);
    expect(get(ENERGY)).toEqual(['data']);
  });
  test('N4: a block that nobody announced', () => {
    const server = associated();
    expect(answer(server, getNext(3))).toMatchObject({ apdu: 'get-response' });
    expect(answer(server, getNormal(ENERGY))).toMatchObject({ apdu: 'get-response', type: 'normal' });
  });
  test('N4: an empty list', () => {
    const server = associated();
    server.receive(getList([]), NOW);
    expect(server.isAssociated).toBe(true);
  });
});

describe('REL', () => {
  test('P1: RLRQ is answered by RLRE, and nothing is read after it', () => {
    const server = associated();
    expect(decodeAcse(server.receive(fromHex('6203800100'), NOW).apdu ?? new Uint8Array(0)).apdu).toBe('rlre');
    expect(server.isAssociated).toBe(false);
    expect(answer(server, getNormal(ENERGY))).toMatchObject({ stateError: 'service-not-allowed' });
  });
  test('P1: our client, and the same client again', () => {
    const { client, server, say, get } = conversation();
    for (let round = 0; round < 2; round += 1) {
      expect(say([client.open()])).toBe('associated');
      expect(get(ENERGY)).toEqual(['data']);
      expect(say([client.release()])).toBe('released');
      expect([client.state, server.isAssociated]).toEqual(['closed', false]);
    }
  });
});
