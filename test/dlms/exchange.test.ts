/** GET, SET and ACTION from request to result, against servers made of a few octets; blocks both ways; odd answers. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex } from '../../src/core/bytes.ts';
import { fail } from '../../src/core/errors.ts';
import { type Data, dataBytes } from '../../src/dlms/axdr/data.ts';
import { ActionExchange } from '../../src/dlms/exchange/action-exchange.ts';
import type { ExchangeContext, ExchangeStep, ServiceExchange } from '../../src/dlms/exchange/exchange.ts';
import { GetExchange } from '../../src/dlms/exchange/get-exchange.ts';
import { SetExchange } from '../../src/dlms/exchange/set-exchange.ts';
import { type Apdu, decodeApdu, encodeApdu } from '../../src/dlms/xdlms/apdu.ts';
import type { ConformanceBit } from '../../src/dlms/xdlms/conformance.ts';
import { actionResult, dataAccessResult } from '../../src/dlms/xdlms/data-access-result.ts';
import { invokeIdAndPriority } from '../../src/dlms/xdlms/invoke-id.ts';
import type { AttributeSelection, GetRequest, SetRequest } from '../../src/dlms/xdlms/services.ts';
import { codeOf } from '../support/error-code.ts';
import { Notebook } from '../support/notebook.ts';
import { data as arbitraryData } from './arbitraries.ts';

const ID = invokeIdAndPriority(1);

function contextOf(maxRequestPdu = 0, lacking: readonly ConformanceBit[] = []): ExchangeContext {
  return {
    invokeIdAndPriority: ID,
    maxRequestPdu,
    require(bit) {
      if (lacking.includes(bit)) fail('SERVICE_NOT_GRANTED', bit);
    },
    isGranted: (bit) => bit !== 'general-block-transfer' && !lacking.includes(bit),
  };
}

type Server = (request: Apdu) => Apdu;

/** Talks until the exchange is done or has failed; every APDU goes through its octets, none larger than allowed. */
function talk<Result>(exchange: ServiceExchange<Result>, server: Server, maxPdu = 0): ExchangeStep {
  let request = exchange.begin(contextOf(maxPdu));
  for (let turn = 0; turn < 5000; turn += 1) {
    const octets = encodeApdu(request);
    if (maxPdu > 0) expect(octets.length).toBeLessThanOrEqual(maxPdu);
    const answer = decodeApdu(encodeApdu(server(decodeApdu(octets))));
    expect(answer.apdu).toBe(exchange.answers);
    const step = exchange.receive(answer);
    if (step.kind !== 'send') return step;
    request = step.apdu;
  }
  throw new Error('it never ends');
}

/** What comes of octets that a meter sends, one after the other. */
function answered<Result>(exchange: ServiceExchange<Result>, ...answers: readonly string[]): string {
  exchange.begin(contextOf());
  let last = 'nothing';
  for (const answer of answers) {
    const step = exchange.receive(decodeApdu(fromHex(answer)));
    last =
      step.kind === 'send'
        ? toHex(encodeApdu(step.apdu))
        : 'error' in step
          ? `${step.kind} ${step.error.code}`
          : step.kind;
  }
  return last;
}

const attribute = (last = 8): AttributeSelection => ({
  classId: 1,
  instanceId: `0.0.96.50.${last}.255`,
  attributeId: 2,
  accessSelection: null,
});
const method = { classId: 70, instanceId: '0.0.96.3.10.255', methodId: 1 };
const octets = (length: number): Data => ({
  type: 'octet-string',
  value: Uint8Array.from({ length }, (_, index) => index & 0xff),
});

describe('SET', () => {
  test('one attribute, as the standard writes it', () => {
    const exchange = new SetExchange([{ ...attribute(), value: { type: 'unsigned', value: 5 } }]);
    expect(toHex(encodeApdu(exchange.begin(contextOf())))).toBe('c101c10001000060320' + '8ff0200' + '1105');
    expect(exchange.receive(decodeApdu(fromHex('c501c100'))).kind).toBe('done');
    expect(exchange.result).toEqual([dataAccessResult(0)]);
  });

  test('with selective access', () => {
    const selection = { selector: 2, parameters: { type: 'null-data' } as const };
    const exchange = new SetExchange([
      { ...attribute(), accessSelection: selection, value: { type: 'unsigned', value: 5 } },
    ]);
    expect(toHex(encodeApdu(exchange.begin(contextOf())))).toBe('c101c100010000603208ff02010200' + '1105');
  });

  test('a refusal is a result', () => {
    const exchange = new SetExchange([{ ...attribute(), value: { type: 'unsigned', value: 5 } }]);
    expect(answered(exchange, 'c501c10c')).toBe('done');
    expect(exchange.result).toEqual([{ code: 12, name: 'type-unmatched' }]);
  });

  test('a list; one refused does not spoil the rest', () => {
    const value: Data = { type: 'unsigned', value: 5 };
    const exchange = new SetExchange([
      { ...attribute(1), value },
      { ...attribute(2), value },
    ]);
    expect(answered(exchange, 'c505c1020003')).toBe('done');
    expect(exchange.result.map(({ name }) => name)).toEqual(['success', 'read-write-denied']);
  });

  test.each([[1], [49], [128], [500], [3000]])('a value of %i octets through a PDU of 60', (length) => {
    const meter = new Notebook();
    const exchange = new SetExchange([{ ...attribute(), value: octets(length) }]);
    expect(talk(exchange, meter.set, 60).kind).toBe('done');
    expect(meter.written).toEqual([octets(length)]);
    expect(exchange.result).toEqual([dataAccessResult(0)]);
  });

  test('a list through a small PDU', () => {
    const meter = new Notebook();
    const values = [octets(100), octets(0), octets(300)];
    const exchange = new SetExchange(values.map((value, index) => ({ ...attribute(index), value })));
    expect(talk(exchange, meter.set, 100).kind).toBe('done');
    expect(meter.written).toEqual(values);
    expect(exchange.result).toHaveLength(3);
  });

  test('any values through any PDU that takes them', () => {
    fc.assert(
      fc.property(
        fc.array(arbitraryData, { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 80, max: 300 }),
        (values, maxPdu) => {
          const meter = new Notebook();
          const exchange = new SetExchange(values.map((value, index) => ({ ...attribute(index), value })));
          expect(talk(exchange, meter.set, maxPdu).kind).toBe('done');
          expect(meter.written.map((value) => toHex(dataBytes(value)))).toEqual(
            values.map((value) => toHex(dataBytes(value))),
          );
        },
      ),
    );
  });

  test('the meter breaks off a transfer', () => {
    const exchange = new SetExchange([{ ...attribute(), value: octets(500) }]);
    const step = talk(
      exchange,
      (apdu) => {
        const { type, blockNumber } = apdu as Extract<SetRequest, { type: 'with-datablock' }>;
        const header = { apdu: 'set-response', invokeIdAndPriority: ID } as const;
        return (type as string) === 'with-first-datablock'
          ? { ...header, type: 'datablock', blockNumber }
          : { ...header, type: 'last-datablock', result: dataAccessResult(17), blockNumber };
      },
      100,
    );
    expect(step.kind).toBe('done');
    expect(exchange.result).toEqual([{ code: 17, name: 'long-set-aborted' }]);
  });

  test.each([
    ['fewer results than attributes', ['c505c10100'], 'lost UNEXPECTED_RESPONSE'],
    ['more results than attributes', ['c505c103000000'], 'lost UNEXPECTED_RESPONSE'],
    ['one refusal for a list', ['c501c103'], 'failed DATA_ACCESS_READ_WRITE_DENIED'],
    ['a block acknowledged that was never sent', ['c502c100000001'], 'lost UNEXPECTED_RESPONSE'],
  ])('a list, and the meter answers with %s', (_, answers, outcome) => {
    const value: Data = { type: 'unsigned', value: 5 };
    const exchange = new SetExchange([
      { ...attribute(1), value },
      { ...attribute(2), value },
    ]);
    expect(answered(exchange, ...answers)).toBe(outcome);
  });

  test.each([[0], [2], [7]])('the first block is sent, and the meter acknowledges block %i', (blockNumber) => {
    const exchange = new SetExchange([{ ...attribute(), value: octets(500) }]);
    exchange.begin(contextOf(100));
    const step = exchange.receive({ apdu: 'set-response', type: 'datablock', invokeIdAndPriority: ID, blockNumber });
    expect(step).toMatchObject({ kind: 'lost', error: { code: 'UNEXPECTED_RESPONSE' } });
  });

  test('the last block is acknowledged like any other: there is nothing more to send', () => {
    const exchange = new SetExchange([{ ...attribute(), value: octets(120) }]);
    const step = talk(
      exchange,
      (apdu) => ({
        apdu: 'set-response',
        type: 'datablock',
        invokeIdAndPriority: ID,
        blockNumber: (apdu as Extract<SetRequest, { type: 'with-datablock' }>).blockNumber,
      }),
      100,
    );
    expect(step).toMatchObject({ kind: 'lost', error: { code: 'UNEXPECTED_RESPONSE' } });
  });
});

describe('ACTION', () => {
  test('a method with its parameter, and one without', () => {
    const exchange = new ActionExchange([{ method, parameters: { type: 'integer', value: 0 } }]);
    expect(toHex(encodeApdu(exchange.begin(contextOf())))).toBe('c301c100460000600' + '30aff01' + '010f00');
    expect(exchange.receive(decodeApdu(fromHex('c701c10000'))).kind).toBe('done');
    expect(exchange.result).toEqual([{ result: actionResult(0), returnParameters: null }]);
    const bare = new ActionExchange([{ method, parameters: null }]);
    expect(toHex(encodeApdu(bare.begin(contextOf())))).toBe('c301c10046000060030aff0100');
  });

  test.each([
    ['data', 'c701c10001001105', { data: { type: 'unsigned', value: 5 } }],
    ['why there is none', 'c701c100010104', { dataAccessResult: dataAccessResult(4) }],
  ])('the method returns %s', (_, answer, returnParameters) => {
    const exchange = new ActionExchange([{ method, parameters: null }]);
    expect(answered(exchange, answer)).toBe('done');
    expect(exchange.result).toEqual([{ result: actionResult(0), returnParameters }]);
  });

  test('a refusal is a result', () => {
    const exchange = new ActionExchange([{ method, parameters: null }]);
    expect(answered(exchange, 'c701c10f00')).toBe('done');
    expect(exchange.result).toEqual([{ result: { code: 15, name: 'long-action-aborted' }, returnParameters: null }]);
  });

  test.each([
    ['small both ways', 10, 100],
    ['long out', 400, 1000],
    ['long back', 60, 20],
    ['long both ways', 700, 33],
  ])('%s', (_, length, blockSize) => {
    const meter = new Notebook(blockSize);
    const exchange = new ActionExchange([{ method, parameters: octets(length) }]);
    expect(talk(exchange, meter.action, 80).kind).toBe('done');
    expect(exchange.result).toEqual([{ result: actionResult(0), returnParameters: { data: octets(length) } }]);
  });

  test.each([
    ['in one', 1000, 1000],
    ['in blocks', 120, 30],
  ])('a list %s', (_, maxPdu, blockSize) => {
    const meter = new Notebook(blockSize);
    const values = [octets(90), octets(3), octets(120)];
    const exchange = new ActionExchange(values.map((parameters) => ({ method, parameters })));
    expect(talk(exchange, meter.action, maxPdu).kind).toBe('done');
    expect(exchange.result.map(({ returnParameters }) => returnParameters)).toEqual(values.map((data) => ({ data })));
  });

  test.each([
    ['fewer outcomes than methods', 'c703c1010000', 'lost UNEXPECTED_RESPONSE'],
    ['one outcome for a list', 'c701c10000', 'lost UNEXPECTED_RESPONSE'],
    ['a block acknowledged that was never sent', 'c704c100000001', 'lost UNEXPECTED_RESPONSE'],
    ['blocks that begin with 2', 'c702c100000000020100', 'lost UNEXPECTED_RESPONSE'],
  ])('a list, and the meter answers with %s', (_, answer, outcome) => {
    const exchange = new ActionExchange([
      { method, parameters: null },
      { method, parameters: null },
    ]);
    expect(answered(exchange, answer)).toBe(outcome);
  });

  test.each([
    ['ends within a value', 'c702c10100000001' + '04' + '00010009'],
    ['has octets left over', 'c702c10100000001' + '03' + '000000'],
    ['is empty', 'c702c10100000001' + '00'],
  ])('an answer in blocks that %s is refused', (_, answer) => {
    const exchange = new ActionExchange([{ method, parameters: null }]);
    exchange.begin(contextOf());
    expect(codeOf(() => exchange.receive(decodeApdu(fromHex(answer))))).toMatch(/TRUNCATED|TRAILING_BYTES/);
  });
});

describe('GET', () => {
  test('selective access stands in the request', () => {
    const accessSelection = { selector: 2, parameters: { type: 'unsigned', value: 1 } as const };
    const exchange = new GetExchange([{ ...attribute(), accessSelection }]);
    expect(toHex(encodeApdu(exchange.begin(contextOf())))).toBe('c001c100010000603208ff02' + '01021101');
    const list = new GetExchange([{ ...attribute(), accessSelection }, attribute(9)]);
    expect(toHex(encodeApdu(list.begin(contextOf())))).toBe(
      'c003c102' + '00010000603208ff0201021101' + '00010000603209ff0200',
    );
  });

  test('any value in blocks of any size', () => {
    fc.assert(
      fc.property(arbitraryData, fc.integer({ min: 1, max: 60 }), fc.constantFrom(0, 1), (value, size, first) => {
        const whole = dataBytes(value);
        const server: Server = (apdu) => {
          const request = apdu as GetRequest;
          const index = request.type === 'next' ? request.blockNumber - first + 1 : 0;
          const rawData = whole.subarray(index * size, (index + 1) * size);
          const lastBlock = (index + 1) * size >= whole.length;
          return {
            apdu: 'get-response',
            type: 'with-datablock',
            invokeIdAndPriority: ID,
            lastBlock,
            blockNumber: first + index,
            rawData,
          };
        };
        const exchange = new GetExchange([attribute()]);
        expect(talk(exchange, server).kind).toBe('done');
        const [result] = exchange.result;
        expect(toHex(dataBytes((result as { readonly data: Data }).data))).toBe(toHex(whole));
      }),
    );
  });

  test.each([
    ['the transfer is broken off', ['c402c100000000010001aa', 'c402c10100000002010f'], 'done'],
    ['a block comes twice', ['c402c100000000010001aa', 'c402c100000000010001aa'], 'lost UNEXPECTED_RESPONSE'],
    ['a block is left out', ['c402c100000000010001aa', 'c402c100000000030001aa'], 'lost UNEXPECTED_RESPONSE'],
    ['it begins in the midst', ['c402c100000000020001aa'], 'lost UNEXPECTED_RESPONSE'],
    ['it goes on', ['c402c100000000010001aa'], 'c002c100000001'],
  ])('blocks: %s', (_, answers, outcome) => {
    expect(answered(new GetExchange([attribute()]), ...answers)).toBe(outcome);
  });

  test('why a transfer was broken off is the result', () => {
    const exchange = new GetExchange([attribute()]);
    answered(exchange, 'c402c100000000010001aa', 'c402c10100000002010f');
    expect(exchange.result).toEqual([{ dataAccessResult: { code: 15, name: 'long-get-aborted' } }]);
  });

  test.each([
    ['ends within a value', 'c402c101000000010002' + '0904'],
    ['has octets left over', 'c402c101000000010003' + '110500'],
    ['is empty', 'c402c101000000010000'],
  ])('an answer in blocks that %s is refused', (_, answer) => {
    const exchange = new GetExchange([attribute()]);
    exchange.begin(contextOf());
    expect(codeOf(() => exchange.receive(decodeApdu(fromHex(answer))))).toMatch(/TRUNCATED|TRAILING_BYTES/);
  });
});

describe('nothing is sent', () => {
  const value = octets(200);
  const set = [{ ...attribute(), value }];
  const call = [{ method, parameters: value }];
  const selected = { ...attribute(), accessSelection: { selector: 1, parameters: { type: 'null-data' } as const } };
  test.each<[ConformanceBit, () => ServiceExchange<unknown>]>([
    ['get', () => new GetExchange([attribute()])],
    ['set', () => new SetExchange(set)],
    ['action', () => new ActionExchange(call)],
    ['multiple-references', () => new GetExchange([attribute(), attribute()])],
    ['multiple-references', () => new SetExchange([...set, ...set])],
    ['multiple-references', () => new ActionExchange([...call, ...call])],
    ['selective-access', () => new GetExchange([selected])],
    ['selective-access', () => new SetExchange([{ ...selected, value }])],
    ['block-transfer-with-set-or-write', () => new SetExchange(set)],
    ['block-transfer-with-action', () => new ActionExchange(call)],
  ])('when %s was not granted', (bit, make) => {
    expect(codeOf(() => make().begin(contextOf(100, [bit])))).toBe('SERVICE_NOT_GRANTED');
  });

  test.each<[string, () => ServiceExchange<unknown>]>([
    ['GET', () => new GetExchange([attribute(), attribute(), attribute()])],
    ['SET', () => new SetExchange(set)],
    ['ACTION', () => new ActionExchange(call)],
  ])('when the PDU has no room for the descriptors of a %s', (_, make) => {
    expect(codeOf(() => make().begin(contextOf(24)))).toBe('PDU_TOO_SMALL');
  });

  test.each<[string, () => ServiceExchange<unknown>]>([
    ['GET', () => new GetExchange([])],
    ['SET', () => new SetExchange([])],
    ['ACTION', () => new ActionExchange([])],
  ])('and no result is there before the answer of a %s', (_, make) => {
    expect(codeOf(() => make().result)).toBe('INTERNAL');
    expect(codeOf(() => make().begin(contextOf()))).toBe('INTERNAL');
  });
});
