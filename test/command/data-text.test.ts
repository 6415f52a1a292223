/** COSEM data and methods as they are written on the command line. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseMethod } from '../../src/cli/flags/method-text.ts';
import { dataLike, dataOfText, parseTypedData } from '../../src/command/data-text.ts';
import { fromHex, toHex } from '../../src/core/bytes.ts';
import { type Data, dataBytes } from '../../src/dlms/axdr/data.ts';
import { present } from '../../src/dlms/decode/present.ts';
import { data as arbitraryData } from '../dlms/arbitraries.ts';
import { codeOf } from '../support/error-code.ts';

describe('TYPE:TEXT', () => {
  test.each([
    ['null-data', '00'],
    ['boolean:true', '0301'],
    ['boolean:0', '0300'],
    ['bit-string:101', '0403a0'],
    ['integer:-5', '0ffb'],
    ['unsigned:255', '11ff'],
    ['double-long:-70000', '05fffeee90'],
    ['long64-unsigned:18446744073709551615', '15ffffffffffffffff'],
    ['enum:3', '1603'],
    ['float32:230.5', '1743668000'],
    ['octet-string:', '0900'],
    ['octet-string:0A0b', '09020a0b'],
    ['octet-string:"12:30"', '090531323a3330'],
    ['visible-string:a:b', '0a03613a62'],
    ['utf8-string:ä', '0c02c3a4'],
    ['date-time:2024-06-15T20:23:45+02:00', '1907e8060f0614172d00ff8800'],
    ['date-time:2024-06-15T20:23:45', '1907e8060f0614172d00800000'],
    ['date:2024-06-15', '1a07e8060f06'],
    ['time:20:23:45', '1b14172d00'],
    [
      'structure:[{"type":"unsigned","value":5},{"type":"array","value":[{"type":"boolean","value":true}]}]',
      '0202110501010301',
    ],
  ])('%s', (text, octets) => {
    expect(toHex(dataBytes(parseTypedData(text)!))).toBe(octets);
  });

  test.each([['5'], ['12:30'], ['unsigned'], ['ffff'], ['2024-06-15T20:23:45Z'], ['a text'], ['']])(
    '"%s" has no type',
    (text) => {
      expect(parseTypedData(text)).toBeNull();
    },
  );

  test.each([
    ['unsigned:256'],
    ['unsigned:-1'],
    ['integer:1.5'],
    ['integer:'],
    ['long64:9223372036854775808'],
    ['boolean:yes'],
    ['bit-string:012'],
    ['octet-string:abc'],
    ['octet-string:text'],
    ['visible-string:\u20ac'],
    ['float64:1,5'],
    ['date-time:2024-02-30T00:00:00Z'],
    ['date-time:yesterday'],
    ['date:2024-13-01'],
    ['time:24:00:00'],
    ['structure:5'],
    ['structure:[5]'],
    ['structure:[{"type":"nonsense"}]'],
    ['structure:['],
    ['compact-array:[]'],
  ])('%s cannot be', (text) => {
    expect(codeOf(() => parseTypedData(text))).toBe('INVALID_VALUE');
  });

  test('what is shown as raw can be written', () => {
    const shown =
      /^(?:null-data|boolean|bit-string|integer|long|double-long|unsigned|long-unsigned|double-long-unsigned|long64|long64-unsigned|octet-string|enum|bcd)$/;
    fc.assert(
      fc.property(arbitraryData, (data) => {
        if (!shown.test(data.type)) return;
        const { value = '' } = present(data) as { readonly value?: unknown };
        expect(dataOfText(data.type, String(value))).toEqual(data);
      }),
    );
  });
});

describe('TEXT alone takes the type that stands there', () => {
  const clock: Data = { type: 'octet-string', value: fromHex('07e8060f0614172d00ff8800') };
  test.each<[string, Data, boolean, Data]>([
    ['7', { type: 'long-unsigned', value: 1 }, false, { type: 'long-unsigned', value: 7 }],
    ['false', { type: 'boolean', value: true }, false, { type: 'boolean', value: false }],
    ['0a', { type: 'octet-string', value: new Uint8Array(0) }, false, { type: 'octet-string', value: fromHex('0a') }],
    ['2024-06-15T20:23:45+02:00', { type: 'octet-string', value: new Uint8Array(12) }, true, clock],
  ])('%s', (text, before, isDateTime, data) => {
    expect(dataLike(before, text, isDateTime)).toEqual(data);
  });

  test.each<[string, Data]>([
    ['5', { type: 'null-data' }],
    ['70000', { type: 'unsigned', value: 1 }],
    ['2024-06-15T20:23:45+02:00', clock],
  ])('%s cannot be', (text, before) => {
    expect(codeOf(() => dataLike(before, text, false))).toBe('INVALID_VALUE');
  });
});

describe('methods', () => {
  test.each([
    ['70:0.0.96.3.10.255:1', { classId: 70, obis: '0.0.96.3.10.255', method: 1 }],
    ['0.0.96.3.10.255:2', { classId: null, obis: '0.0.96.3.10.255', method: 2 }],
    ['3:1-0:1.8.0:1', { classId: 3, obis: '1.0.1.8.0.255', method: 1 }],
    ['1-0:1.8.0*255:1', { classId: null, obis: '1.0.1.8.0.255', method: 1 }],
  ])('%s', (text, method) => {
    expect(parseMethod(text)).toEqual(method);
  });

  test.each([
    ['70:0.0.96.3.10.255'],
    ['0.0.96.3.10.255'],
    ['0.0.96.3.10.255:0'],
    ['0.0.96.3.10.255:128'],
    ['1-0:1.8.0'],
    ['x:1'],
  ])('%s is none', (text) => {
    expect(codeOf(() => parseMethod(text))).toBe('INVALID_POINT');
  });
});
