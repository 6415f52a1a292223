/** The client's association, byte by byte: the state table, block transfer, lists, refusals, stale answers. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex } from '../../src/core/bytes.ts';
import { AssociationClient } from '../../src/dlms/association/association.ts';
import type { AssociationStep } from '../../src/dlms/association/states.ts';
import { ActionExchange } from '../../src/dlms/exchange/action-exchange.ts';
import { GetExchange } from '../../src/dlms/exchange/get-exchange.ts';
import { DEFAULT_METER_SETTINGS, type MeterSecrets, type MeterSettings, NO_SECRETS } from '../../src/dlms/settings.ts';
import { encodeApdu } from '../../src/dlms/xdlms/apdu.ts';
import { invokeIdAndPriority } from '../../src/dlms/xdlms/invoke-id.ts';
import type { AttributeReference } from '../../src/dlms/xdlms/services.ts';

/** AARE of a real meter: accepted, block transfer, multiple references, get, set, selective access, action; PDU 1224. */
const AARE = '6129a109060760857405080101a203020100a305a103020100be10040e0800065f1f0400001e1d04c80007';
/** Accepted, without multiple-references (block transfer, get, set, selective access, action), PDU 128. */
const AARE_NO_LISTS = '6129a109060760857405080101a203020100a305a103020100be10040e0800065f1f040000101d00800007';
const AARE_FAILED = '6117a109060760857405080101a203020101a305a10302010d';
const AARE_HLS_WANTED =
  '6142a109060760857405080101a203020100a305a10302010e88020780890760857405080205aa0a8008503677524a323146be10040e0800065f1f040000501f01f40007';

const register = (last: number): AttributeReference => ({
  classId: 3,
  instanceId: `1.0.${last}.8.0.255`,
  attributeId: 2,
});

function clientOf(settings: Partial<MeterSettings> = {}, secrets: MeterSecrets = NO_SECRETS): AssociationClient {
  return new AssociationClient({
    settings: { ...DEFAULT_METER_SETTINGS, ...settings },
    secrets,
    random: (octets) => new Uint8Array(octets).fill(7),
    takeCounter: () => 1,
    systemTitle: fromHex('4d4d4d0000000001'),
  });
}

/** The GET under way, so that its result can be looked at. */
let exchange = new GetExchange([]);

function get(client: AssociationClient, attributes: readonly AttributeReference[]): Uint8Array {
  exchange = new GetExchange(attributes.map((attribute) => ({ ...attribute, accessSelection: null })));
  return onlyOne(client.begin(exchange));
}

function associated(aare = AARE): AssociationClient {
  const client = clientOf();
  client.open();
  expect(client.receive(fromHex(aare)).event?.kind).toBe('associated');
  return client;
}

function onlyOne([apdu, ...more]: readonly Uint8Array[]): Uint8Array {
  if (apdu === undefined || more.length > 0) throw new Error('not one APDU');
  return apdu;
}

function outcome({ send, event }: AssociationStep): string {
  if (send.length > 0) return `send ${toHex(onlyOne(send))}`;
  if (event === null) return 'ignored';
  return 'error' in event ? `${event.kind} ${event.error.code}` : event.kind;
}

describe('opening', () => {
  test('level none: the AARQ is what the standard shows', () => {
    const client = clientOf();
    expect(toHex(client.open())).toBe('601da109060760857405080101be10040e01000000065f1f0400205edfffff');
    expect(client.state).toBe('associating');
  });

  test('level low carries the password', () => {
    const client = clientOf({ authentication: 'low' }, { ...NO_SECRETS, secret: new TextEncoder().encode('12345678') });
    expect(toHex(client.open())).toContain('8a0207808b0760857405080201ac0a80083132333435363738');
  });

  test('what was agreed is known', () => {
    const client = associated();
    expect(client.negotiated?.serverMaxReceivePduSize).toBe(1224);
    expect(client.negotiated?.conformance.bits).toContain('multiple-references');
  });

  test.each([
    ['wrong password', AARE_FAILED, 'refused AUTHENTICATION_FAILED'],
    ['HLS wanted', AARE_HLS_WANTED, 'refused AUTHENTICATION_REQUIRED'],
    ['garbage', 'ff00', 'lost MALFORMED'],
    ['an RLRE', '6303800100', 'lost UNEXPECTED_RESPONSE'],
    ['cut short', AARE.slice(0, 40), 'lost TRUNCATED'],
  ])('%s', (_, aare, expected) => {
    const client = clientOf();
    client.open();
    expect(outcome(client.receive(fromHex(aare)))).toBe(expected);
    expect(client.state).toBe('closed');
  });

  test('what is not there yet says so before anything is sent', () => {
    expect(() => clientOf({ authentication: 'ecdsa' })).toThrow(expect.objectContaining({ code: 'KEY_MISSING' }));
  });
});

describe('GET', () => {
  test('one attribute', () => {
    const client = associated();
    expect(toHex(get(client, [register(1)]))).toBe('c001c1000301000108' + '00ff0200');
    expect(outcome(client.receive(fromHex('c401c1000600001391')))).toBe('answered');
    expect(exchange.result).toEqual([{ data: { type: 'double-long-unsigned', value: 5009 } }]);
    expect(client.state).toBe('associated');
  });

  test('several with-list; one refused item does not spoil the rest', () => {
    const client = associated();
    expect(toHex(get(client, [register(1), register(2)]))).toBe(
      'c003c1020003010001' + '0800ff0200' + '00030100020800ff0200',
    );
    expect(outcome(client.receive(fromHex('c403c102000600001391' + '0104')))).toBe('answered');
    expect(exchange.result).toMatchObject([
      { data: { value: 5009 } },
      { dataAccessResult: { code: 4, name: 'object-undefined' } },
    ]);
  });

  test('a list that was not granted is not sent', () => {
    const client = associated(AARE_NO_LISTS);
    expect(() => get(client, [register(1), register(2)])).toThrow(
      expect.objectContaining({ code: 'SERVICE_NOT_GRANTED' }),
    );
    expect(client.state).toBe('associated');
  });

  test('a request beyond the granted PDU is not sent', () => {
    const client = associated();
    const many = Array.from({ length: 130 }, (_, index) => register(index + 1));
    expect(() => get(client, many)).toThrow(expect.objectContaining({ code: 'PDU_TOO_SMALL' }));
    expect(client.state).toBe('associated');
  });

  test.each([[0], [1]])('blocks numbered from %i are joined', (first) => {
    const client = associated();
    get(client, [register(1)]);
    const block = (number: number, last: boolean, raw: string): Uint8Array =>
      encodeApdu({
        apdu: 'get-response',
        type: 'with-datablock',
        invokeIdAndPriority: invokeIdAndPriority(1),
        lastBlock: last,
        blockNumber: number,
        rawData: fromHex(raw),
      });
    expect(outcome(client.receive(block(first, false, '0904aa')))).toBe(
      `send c002c1000000${first.toString(16).padStart(2, '0')}`,
    );
    expect(outcome(client.receive(block(first + 1, false, 'bbcc')))).toBe(
      `send c002c1000000${(first + 1).toString(16).padStart(2, '0')}`,
    );
    expect(outcome(client.receive(block(first + 2, true, 'dd')))).toBe('answered');
    expect(exchange.result).toEqual([{ data: { type: 'octet-string', value: fromHex('aabbccdd') } }]);
  });

  test('an empty last block is fine', () => {
    const client = associated();
    get(client, [register(1)]);
    client.receive(fromHex('c402c100000000010002' + '112a'));
    expect(outcome(client.receive(fromHex('c402c101000000020000')))).toBe('answered');
    expect(exchange.result).toMatchObject([{ data: { type: 'unsigned', value: 42 } }]);
  });

  test('a list in blocks begins with its count', () => {
    const client = associated();
    get(client, [register(1), register(2)]);
    client.receive(fromHex('c402c100000000010004' + '0200112a'));
    expect(outcome(client.receive(fromHex('c402c101000000020003' + '00112b')))).toBe('answered');
    expect(exchange.result).toMatchObject([{ data: { value: 42 } }, { data: { value: 43 } }]);
  });

  test('a block out of sequence loses the association: nothing after it can be trusted', () => {
    const client = associated();
    get(client, [register(1)]);
    client.receive(fromHex('c402c10000000001000109'));
    expect(outcome(client.receive(fromHex('c402c10000000003000104')))).toBe('lost UNEXPECTED_RESPONSE');
    expect(client.state).toBe('closed');
  });

  test('the next request begins with block numbers of its own', () => {
    const client = associated();
    get(client, [register(1)]);
    client.receive(fromHex('c402c10000000001000111'));
    expect(outcome(client.receive(fromHex('c402c101000000020101')))).toBe('answered');
    get(client, [register(1)]);
    expect(outcome(client.receive(fromHex('c402c20000000001000111')))).toBe('send c002c200000001');
  });
});

describe('refusals and strays', () => {
  test.each([
    ['object undefined is a result', 1, 'c401c10104', 'answered'],
    ['a data-access-result for the whole list', 2, 'c401c10103', 'failed DATA_ACCESS_READ_WRITE_DENIED'],
    ['exception, service unknown', 2, 'd80202', 'failed EXCEPTION_RESPONSE'],
    ['exception, service not allowed for a list', 2, 'd80101', 'failed EXCEPTION_RESPONSE'],
    ['exception, service not allowed for one attribute', 1, 'd80101', 'lost EXCEPTION_RESPONSE'],
    ['confirmed service error', 1, '0e050401', 'failed SERVICE_ERROR'],
    ['counter too low', 1, 'd8010600000005', 'lost INVOCATION_COUNTER_WRONG'],
    ['too few results', 2, 'c403c10100112a', 'lost UNEXPECTED_RESPONSE'],
    ['one value for a list', 2, 'c401c100112a', 'lost UNEXPECTED_RESPONSE'],
    ['a set-response', 1, 'c501c100', 'lost UNEXPECTED_RESPONSE'],
    ['a notification in between', 1, '0f0000000100112a', 'unsolicited'],
    ['bytes left over', 1, 'c401c100112a00', 'lost TRAILING_BYTES'],
    ['nothing', 1, '', 'lost TRUNCATED'],
  ])('%s', (_, asked, answer, expected) => {
    const client = associated();
    get(
      client,
      Array.from({ length: asked }, (_, index) => register(index + 1)),
    );
    expect(outcome(client.receive(fromHex(answer)))).toBe(expected);
  });

  test('a late answer of a meter that echoes invoke ids is passed over', () => {
    const client = associated();
    for (const id of [1, 2]) {
      get(client, [register(1)]);
      expect(outcome(client.receive(fromHex(`c401c${id}00112a`)))).toBe('answered');
    }
    get(client, [register(1)]);
    expect(outcome(client.receive(fromHex('c401c200112a')))).toBe('ignored');
    expect(outcome(client.receive(fromHex('c401c300112b')))).toBe('answered');
  });

  test('a meter that never echoes is understood all the same', () => {
    const client = associated();
    for (let turn = 0; turn < 20; turn += 1) {
      get(client, [register(1)]);
      expect(outcome(client.receive(fromHex('c401c100112a')))).toBe('answered');
    }
  });

  test('whatever answers the RLRQ, the association is over', () => {
    for (const answer of ['6303800100', '63248001', 'd80101', '']) {
      const client = associated();
      expect(toHex(client.release())).toBe('6203800100');
      expect(outcome(client.receive(fromHex(answer)))).toBe('released');
      expect(client.state).toBe('closed');
    }
  });

  test('nothing arrives at a closed association', () => {
    const client = clientOf();
    expect(outcome(client.receive(fromHex(AARE)))).toBe('ignored');
  });
});

test('an ACTION refused without the flag for its return parameters is a refusal, not a broken APDU', () => {
  const client = associated();
  const call = new ActionExchange([
    { method: { classId: 70, instanceId: '0.0.96.3.10.255', methodId: 1 }, parameters: null },
  ]);
  client.begin(call);
  expect(outcome(client.receive(fromHex('c701c103')))).toBe('answered');
  expect(call.result).toEqual([{ result: { code: 3, name: 'read-write-denied' }, returnParameters: null }]);
  // A success has to say whether there is more: there the flag cannot be missing.
  client.begin(call);
  expect(outcome(client.receive(fromHex('c701c200')))).toBe('lost TRUNCATED');
});

test('the state table is whole: what has no place is a fault of ours, everything else moves as drawn', () => {
  const preEstablished = { conformance: ['get'] as const, serverMaxPdu: 0 };
  const inputs = {
    open: (client: AssociationClient) => void client.open(),
    get: (client: AssociationClient) => void get(client, [register(1)]),
    release: (client: AssociationClient) => void client.release(),
    assume: (client: AssociationClient) => void client.assume(),
    lost: (client: AssociationClient) => void client.lost(),
  };
  const states = {
    closed: () => clientOf({ preEstablished }),
    associating: () => {
      const client = clientOf({ preEstablished });
      client.open();
      return client;
    },
    associated: () => associated(),
    requesting: () => {
      const client = associated();
      get(client, [register(1)]);
      return client;
    },
    releasing: () => {
      const client = associated();
      client.release();
      return client;
    },
  };
  const table = Object.entries(states).map(([state, make]) => [
    state,
    ...Object.entries(inputs).map(([input, act]) => {
      const client = make();
      try {
        act(client);
        return `${input}: ${client.state}`;
      } catch (error) {
        expect(client.state).toBe(state);
        return `${input}: ${(error as { code: string }).code}`;
      }
    }),
  ]);
  expect(table).toEqual([
    [
      'closed',
      'open: associating',
      'get: SERVICE_NOT_GRANTED',
      'release: INTERNAL',
      'assume: associated',
      'lost: closed',
    ],
    [
      'associating',
      'open: INTERNAL',
      'get: SERVICE_NOT_GRANTED',
      'release: INTERNAL',
      'assume: INTERNAL',
      'lost: closed',
    ],
    ['associated', 'open: INTERNAL', 'get: requesting', 'release: releasing', 'assume: INTERNAL', 'lost: closed'],
    ['requesting', 'open: INTERNAL', 'get: INTERNAL', 'release: INTERNAL', 'assume: INTERNAL', 'lost: closed'],
    ['releasing', 'open: INTERNAL', 'get: INTERNAL', 'release: INTERNAL', 'assume: INTERNAL', 'lost: closed'],
  ]);
});

test('no bytes from a meter throw', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 5 }), fc.boolean(), (answers, asking) => {
      const client = associated();
      if (asking) get(client, [register(1)]);
      for (const answer of answers) client.receive(answer);
    }),
  );
});
