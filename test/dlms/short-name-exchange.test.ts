/** Read, Write and UnconfirmedWrite from request to result: octets of the standard, blocks both ways, odd answers. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteReader, concat, fromHex, toHex } from '../../src/core/bytes.ts';
import { BridgeError, fail } from '../../src/core/errors.ts';
import { type Data, dataBytes } from '../../src/dlms/axdr/data.ts';
import type { ExchangeContext, ExchangeStep, ServiceExchange } from '../../src/dlms/exchange/exchange.ts';
import { ReadExchange, type VariableSelection } from '../../src/dlms/exchange/read-exchange.ts';
import { unconfirmedWrite, type VariableValue, WriteExchange } from '../../src/dlms/exchange/write-exchange.ts';
import { type Apdu, decodeApdu, encodeApdu } from '../../src/dlms/xdlms/apdu.ts';
import type { ConformanceBit } from '../../src/dlms/xdlms/conformance.ts';
import { dataAccessResult } from '../../src/dlms/xdlms/data-access-result.ts';
import { invokeIdAndPriority } from '../../src/dlms/xdlms/invoke-id.ts';
import { readRequest, writeRequest } from '../../src/dlms/xdlms/short-name.ts';
import { codeOf } from '../support/error-code.ts';
import { data as arbitraryData } from './arbitraries.ts';

function contextOf(maxRequestPdu = 0, lacking: readonly ConformanceBit[] = []): ExchangeContext {
  return {
    invokeIdAndPriority: invokeIdAndPriority(1),
    maxRequestPdu,
    require(bit) {
      if (lacking.includes(bit)) fail('SERVICE_NOT_GRANTED', bit);
    },
    isGranted: (bit) => !lacking.includes(bit),
  };
}

const variable = (variableName: number): VariableSelection => ({ variableName, accessSelection: null });
const selected = (variableName: number, selector: number, parameters: Data): VariableSelection => ({
  variableName,
  accessSelection: { selector, parameters },
});
const five: Data = { type: 'unsigned', value: 5 };
const octets = (length: number): Data => ({
  type: 'octet-string',
  value: Uint8Array.from({ length }, (_, index) => index & 0xff),
});

const begun = (exchange: ServiceExchange<unknown>, context = contextOf()): string =>
  toHex(encodeApdu(exchange.begin(context)));

function shown(step: ExchangeStep): string {
  if (step.kind === 'send') return toHex(encodeApdu(step.apdu));
  return 'error' in step ? `${step.kind} ${step.error.code}` : step.kind;
}

function received(exchange: ServiceExchange<unknown>, answer: string): string {
  try {
    return shown(exchange.receive(decodeApdu(fromHex(answer))));
  } catch (error) {
    if (error instanceof BridgeError) return `thrown ${error.code}`;
    throw error;
  }
}

/** What comes of the last of these answers. */
function answered(exchange: ServiceExchange<unknown>, ...answers: readonly string[]): string {
  exchange.begin(contextOf());
  return answers.map((answer) => received(exchange, answer)).at(-1) ?? 'nothing';
}

/** Sends a request in blocks to a meter that joins them; gives what was joined. */
function sentInBlocks(exchange: ServiceExchange<unknown>, maxPdu: number, last: Apdu): Uint8Array {
  const parts: Uint8Array[] = [];
  let request = exchange.begin(contextOf(maxPdu));
  for (let turn = 1; turn < 10_000; turn += 1) {
    expect(encodeApdu(request).length).toBeLessThanOrEqual(maxPdu);
    const { lastBlock, blockNumber, rawData } = blockIn(decodeApdu(encodeApdu(request)));
    expect(blockNumber).toBe(turn);
    parts.push(rawData);
    const acknowledged: Apdu =
      last.apdu === 'readResponse'
        ? { apdu: 'readResponse', results: [{ blockNumber }] }
        : { apdu: 'writeResponse', results: [{ blockNumber }] };
    const step = exchange.receive(lastBlock ? last : acknowledged);
    if (step.kind !== 'send') {
      expect([step.kind, lastBlock]).toEqual(['done', true]);
      return concat(parts);
    }
    request = step.apdu;
  }
  throw new Error('it never ends');
}

function blockIn(apdu: Apdu): { lastBlock: boolean; blockNumber: number; rawData: Uint8Array } {
  const [access] = apdu.apdu === 'readRequest' || apdu.apdu === 'writeRequest' ? apdu.variables : [];
  if (access !== undefined && 'read-data-block-access' in access) return access['read-data-block-access'];
  if (apdu.apdu !== 'writeRequest' || access === undefined || !('write-data-block-access' in access))
    throw new Error('a block was expected');
  const [value] = apdu.data;
  if (value?.type !== 'octet-string') throw new Error('the raw data is an octet-string');
  return { ...access['write-data-block-access'], rawData: value.value };
}

describe('Read', () => {
  test('one variable', () => {
    const exchange = new ReadExchange([variable(0xfa08)]);
    // readRequest, one variable: variable-name FA08
    expect(begun(exchange)).toBe('05' + '01' + '02fa08');
    // readResponse, one result: data, double-long-unsigned 5009
    expect(answered(exchange, '0c' + '01' + '00' + '0600001391')).toBe('done');
    expect(exchange.result).toEqual([{ data: { type: 'double-long-unsigned', value: 5009 } }]);
  });

  test('several; one refused does not spoil the rest', () => {
    const exchange = new ReadExchange([variable(0x0108), variable(0x0110)]);
    expect(begun(exchange)).toBe('05' + '02' + '020108' + '020110');
    // data unsigned 5; data-access-error 3
    expect(answered(exchange, '0c' + '02' + '001105' + '0103')).toBe('done');
    expect(exchange.result).toEqual([{ data: five }, { dataAccessResult: dataAccessResult(3) }]);
  });

  test('with parameters: selective access, or a method', () => {
    // parameterized-access: variable-name FA58, selector 0, octet-string of two octets
    const proof: Data = { type: 'octet-string', value: fromHex('0a0b') };
    expect(begun(new ReadExchange([selected(0xfa58, 0, proof)]))).toBe('0501' + '04fa5800' + '09020a0b');
  });

  test('an answer in blocks: what is joined is a list of results', () => {
    const exchange = new ReadExchange([variable(0x0108)]);
    exchange.begin(contextOf());
    // data-block-result: not the last, block 1, raw data `01 00 09`; then block-number-access 1
    expect(shown(exchange.receive(decodeApdu(fromHex('0c0102' + '00' + '0001' + '03010009'))))).toBe('0501050001');
    // the last, block 2: `02 0a 0b`
    expect(shown(exchange.receive(decodeApdu(fromHex('0c0102' + '01' + '0002' + '03020a0b'))))).toBe('done');
    expect(exchange.result).toEqual([{ data: { type: 'octet-string', value: fromHex('0a0b') } }]);
  });

  test.each([
    ['numbered from 0', ['0c01020000000101', '0c0102' + '01' + '0001' + '03001105'], 'done'],
    ['block 1 lost', ['0c010200000203010009'], 'lost UNEXPECTED_RESPONSE'],
    ['block 1 twice', ['0c010200000103010009', '0c010200000103010009'], 'lost UNEXPECTED_RESPONSE'],
    ['block 2 lost', ['0c010200000103010009', '0c0102010003020a0b'], 'lost UNEXPECTED_RESPONSE'],
    ['an empty last block', ['0c0102000001' + '0401001105', '0c0102010002' + '00'], 'done'],
    ['cut short', ['0c0102010001' + '020109'], 'thrown MALFORMED'],
    ['an error in the midst', ['0c010200000103010009', '0c010113'], 'done'],
    ['two results for one', ['0c0200110500' + '1105'], 'lost UNEXPECTED_RESPONSE'],
    ['no result', ['0c00'], 'lost UNEXPECTED_RESPONSE'],
    ['an acknowledgement of nothing', ['0c01030001'], 'lost UNEXPECTED_RESPONSE'],
    ['a block among others', ['0c020011050200000101' + '00'], 'lost UNEXPECTED_RESPONSE'],
  ])('%s', (_, answers, expected) => {
    expect(answered(new ReadExchange([variable(0x0108)]), ...answers)).toBe(expected);
  });

  test('a list refused as a whole', () => {
    const exchange = new ReadExchange([variable(8), variable(16)]);
    expect(answered(exchange, '0c010103')).toBe('failed DATA_ACCESS_READ_WRITE_DENIED');
  });

  test('any parameters through any PDU that takes a block', () => {
    fc.assert(
      fc.property(
        fc.array(arbitraryData, { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 20, max: 90 }),
        (values, maxPdu) => {
          const variables = values.map((value, index) => selected(index, 1, value));
          const results = values.map((data) => ({ data }));
          const whole = encodeApdu(new ReadExchange(variables).begin(contextOf()));
          if (whole.length <= maxPdu) return;
          const exchange = new ReadExchange(variables);
          const joined = sentInBlocks(exchange, maxPdu, { apdu: 'readResponse', results });
          expect(toHex(joined)).toBe(toHex(whole.subarray(1)));
          expect(readRequest.decode(new ByteReader(joined, 'xdlms')).variables).toHaveLength(values.length);
          expect(exchange.result).toEqual(results);
        },
      ),
    );
  });

  test('some put the bare value into blocks, without the list that stands around it', () => {
    const exchange = new ReadExchange([variable(0xfa10)]);
    // 0c, one data-block-result, blocks 1 and 2: an array of two
    expect(answered(exchange, '0c010200000103' + '010211', '0c010201000203' + '051106')).toBe('done');
    expect(exchange.result).toEqual([{ data: { type: 'array', value: [five, { type: 'unsigned', value: 6 }] } }]);
  });

  test('what is neither is refused, for one variable and for two', () => {
    for (const variables of [[variable(0xfa10)], [variable(0xfa10), variable(0xfa18)]]) {
      expect(answered(new ReadExchange(variables), '0c010201000103' + '011805')).toBe('thrown MALFORMED');
    }
  });

  test('any values in blocks of any size', () => {
    fc.assert(
      fc.property(
        fc.array(arbitraryData, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 60 }),
        (values, size) => {
          const whole = encodeApdu({ apdu: 'readResponse', results: values.map((data) => ({ data })) }).subarray(1);
          const exchange = new ReadExchange(values.map((_, index) => variable(index * 8)));
          exchange.begin(contextOf());
          let step: ExchangeStep | null = null;
          for (let at = 0, blockNumber = 1; at < whole.length; at += size, blockNumber += 1) {
            const dataBlockResult = {
              lastBlock: at + size >= whole.length,
              blockNumber,
              rawData: whole.subarray(at, at + size),
            };
            step = exchange.receive({ apdu: 'readResponse', results: [{ dataBlockResult }] });
          }
          expect(step?.kind).toBe('done');
          expect(exchange.result.map((one) => ('data' in one ? toHex(dataBytes(one.data)) : 'refused'))).toEqual(
            values.map((value) => toHex(dataBytes(value))),
          );
        },
      ),
    );
  });
});

describe('Write', () => {
  const value = (variableName: number, written: Data): VariableValue => ({ ...variable(variableName), value: written });

  test('one variable', () => {
    const exchange = new WriteExchange([value(0x0108, five)]);
    // writeRequest: one variable-name 0108; one value, unsigned 5
    expect(begun(exchange)).toBe('06' + '01020108' + '011105');
    expect(answered(exchange, '0d0100')).toBe('done');
    expect(exchange.result).toEqual([dataAccessResult(0)]);
  });

  test('several; one refused does not spoil the rest', () => {
    const exchange = new WriteExchange([value(0x0108, five), value(0x0208, five)]);
    expect(begun(exchange)).toBe('06' + '02020108020208' + '0211051105');
    expect(answered(exchange, '0d0200' + '010c')).toBe('done');
    expect(exchange.result.map(({ name }) => name)).toEqual(['success', 'type-unmatched']);
  });

  test('in blocks, as the octets go', () => {
    const exchange = new WriteExchange([value(0x0108, octets(20))]);
    // write-data-block-access: not the last, block 1; an octet-string of 8 with what a writeRequest has behind its tag
    expect(begun(exchange, contextOf(21))).toBe('06' + '0107000001' + '010908' + '01020108' + '01091400');
    expect(shown(exchange.receive(decodeApdu(fromHex('0d01020001'))))).toBe(
      '06' + '0107000002' + '010908' + '0102030405060708',
    );
    exchange.receive(decodeApdu(fromHex('0d01020002')));
    expect(shown(exchange.receive(decodeApdu(fromHex('0d01020003'))))).toBe('06' + '0107010004' + '010903' + '111213');
    expect(shown(exchange.receive(decodeApdu(fromHex('0d0100'))))).toBe('done');
  });

  test('any values through any PDU that takes a block', () => {
    fc.assert(
      fc.property(
        fc.array(arbitraryData, { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 21, max: 90 }),
        (values, maxPdu) => {
          const written = values.map((one, index) => value(index * 8, one));
          const whole = encodeApdu(new WriteExchange(written).begin(contextOf()));
          if (whole.length <= maxPdu) return;
          const exchange = new WriteExchange(written);
          const last: Apdu = { apdu: 'writeResponse', results: values.map(() => 'success') };
          const joined = sentInBlocks(exchange, maxPdu, last);
          expect(toHex(joined)).toBe(toHex(whole.subarray(1)));
          expect(writeRequest.decode(new ByteReader(joined, 'xdlms')).data).toHaveLength(values.length);
          expect(exchange.result).toHaveLength(values.length);
        },
      ),
    );
  });

  test.each([
    ['another block acknowledged', '0d01020002', 'lost UNEXPECTED_RESPONSE'],
    ['block 0 acknowledged', '0d01020000', 'lost UNEXPECTED_RESPONSE'],
    ['refused in the midst', '0d010113', 'done'],
    ['two results for one', '0d020000', 'lost UNEXPECTED_RESPONSE'],
    ['a block among others', '0d0200020001', 'lost UNEXPECTED_RESPONSE'],
  ])('%s', (_, answer, expected) => {
    const exchange = new WriteExchange([value(0x0108, octets(300))]);
    exchange.begin(contextOf(60));
    expect(shown(exchange.receive(decodeApdu(fromHex(answer))))).toBe(expected);
  });

  test('a list refused as a whole; one success is no answer to a list', () => {
    const list = () => new WriteExchange([value(8, five), value(16, five)]);
    expect(answered(list(), '0d010103')).toBe('failed DATA_ACCESS_READ_WRITE_DENIED');
    expect(answered(list(), '0d0100')).toBe('lost UNEXPECTED_RESPONSE');
  });

  test('unconfirmed', () => {
    expect(toHex(encodeApdu(unconfirmedWrite([value(0x0108, five)], contextOf())))).toBe('16' + '01020108' + '011105');
    expect(codeOf(() => unconfirmedWrite([value(8, octets(100))], contextOf(60)))).toBe('PDU_TOO_SMALL');
    expect(codeOf(() => unconfirmedWrite([value(8, five)], contextOf(0, ['unconfirmed-write'])))).toBe(
      'SERVICE_NOT_GRANTED',
    );
  });

  test.each<[ConformanceBit, () => ServiceExchange<unknown>]>([
    ['read', () => new ReadExchange([variable(8)])],
    ['write', () => new WriteExchange([value(8, five)])],
    ['multiple-references', () => new ReadExchange([variable(8), variable(16)])],
    ['multiple-references', () => new WriteExchange([value(8, five), value(16, five)])],
    ['parameterized-access', () => new ReadExchange([selected(8, 1, five)])],
    ['parameterized-access', () => new WriteExchange([{ ...selected(8, 1, five), value: five }])],
    ['block-transfer-with-get-or-read', () => new ReadExchange([selected(8, 1, octets(200))])],
    ['block-transfer-with-set-or-write', () => new WriteExchange([value(8, octets(200))])],
  ])('without %s nothing is sent', (bit, exchange) => {
    expect(codeOf(() => exchange().begin(contextOf(100, [bit])))).toBe('SERVICE_NOT_GRANTED');
    expect(() => exchange().begin(contextOf(100))).not.toThrow();
  });
});
