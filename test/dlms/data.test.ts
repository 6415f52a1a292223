/** Data in A-XDR: all types, limits, compact arrays; OBIS codes and lengths. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteReader, ByteWriter, fromHex, toHex } from '../../src/core/bytes.ts';
import { BridgeError } from '../../src/core/errors.ts';
import { type Data, dataBytes, parseData } from '../../src/dlms/axdr/data.ts';
import { decodeLength, encodeLength } from '../../src/dlms/axdr/length.ts';
import { obisBytes, obisText, parseObis } from '../../src/dlms/axdr/obis.ts';
import { codeOf } from '../support/error-code.ts';
import { data, obis } from './arbitraries.ts';

const read = (hex: string): Data => parseData(fromHex(hex));

describe('Data', () => {
  test('encoding and decoding give the same value', () => {
    fc.assert(
      fc.property(data, (value) => {
        expect(parseData(dataBytes(value))).toEqual(value);
      }),
      { numRuns: 1000 },
    );
  });

  test('cut anywhere it is refused', () => {
    fc.assert(
      fc.property(data, fc.nat(), (value, at) => {
        const bytes = dataBytes(value);
        expect(() => parseData(bytes.subarray(0, at % bytes.length))).toThrow(BridgeError);
      }),
    );
  });

  test('random octets end in a value or a BridgeError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        expect(['none', 'TRUNCATED', 'MALFORMED', 'TRAILING_BYTES', 'LIMIT_EXCEEDED']).toContain(
          codeOf(() => parseData(bytes)),
        );
      }),
      { numRuns: 5000 },
    );
  });

  test('octets behind a value are refused', () => {
    expect(codeOf(() => read('110100'))).toBe('TRAILING_BYTES');
  });

  test('nesting is limited to 32 levels', () => {
    expect(read(`${'0101'.repeat(32)}00`).type).toBe('array');
    expect(codeOf(() => read(`${'0101'.repeat(33)}00`))).toBe('LIMIT_EXCEEDED');
  });

  test('an array cannot announce more elements than there are octets', () => {
    expect(codeOf(() => read('0184ffffffff00'))).toBe('TRUNCATED');
    expect(read(`0103${'00'.repeat(3)}`)).toEqual({ type: 'array', value: Array(3).fill({ type: 'null-data' }) });
  });

  test('the number of elements is limited', () => {
    const header = [0x01, 0x84, 0x00, 0x0f, 0x42, 0x41];
    const bytes = new Uint8Array(header.length + 1_000_001);
    bytes.set(header);
    expect(codeOf(() => parseData(bytes))).toBe('LIMIT_EXCEEDED');
  });

  test('numbers that do not fit their type are refused', () => {
    for (const value of [256, -1, 1.5])
      expect(codeOf(() => dataBytes({ type: 'unsigned', value }))).toBe('INVALID_VALUE');
    expect(codeOf(() => dataBytes({ type: 'long64', value: 2n ** 63n }))).toBe('INVALID_VALUE');
    expect(codeOf(() => dataBytes({ type: 'bit-string', value: '012' }))).toBe('INVALID_VALUE');
  });

  test('any boolean but 00 is true', () => {
    for (const octet of ['01', 'ff', '80']) expect(read(`03${octet}`)).toEqual({ type: 'boolean', value: true });
    expect(read('0300')).toEqual({ type: 'boolean', value: false });
  });

  test('a length longer than needed is taken', () => {
    expect(read('09820002aabb')).toEqual({ type: 'octet-string', value: fromHex('aabb') });
  });
});

describe('compact-array', () => {
  test('structures with an array in them', () => {
    // Two structures of { long-unsigned, array of 2 unsigned }.
    const value = read('1302021201000211 08 0001 0203 0004 0506');
    expect(value).toMatchObject({
      elementType: 'structure',
      value: [
        {
          value: [
            { type: 'long-unsigned', value: 1 },
            { type: 'array', value: [{ value: 2 }, { value: 3 }] },
          ],
        },
        { value: [{ value: 4 }, { value: [{ value: 5 }, { value: 6 }] }] },
      ],
    });
    expect(toHex(dataBytes(value))).toBe('1302021201000211080001020300040506');
  });

  test.each([
    ['contents for elements that have none', '130001ff', 'MALFORMED'],
    ['a compact-array in a compact-array', '13130600', 'MALFORMED'],
    ['contents that end within an element', '130603010203', 'TRUNCATED'],
    ['arrays of elements that have none', '1301ffff01ffff0001ff', 'MALFORMED'],
    ['more elements than anyone sends', `13028203e811${'00'.repeat(999)}8207d0${'01'.repeat(2000)}`, 'LIMIT_EXCEEDED'],
    ['a description nested too deep', `13${'010001'.repeat(40)}1100`, 'LIMIT_EXCEEDED'],
  ])('%s', (_, hex, code) => {
    expect(codeOf(() => read(hex))).toBe(code);
  });

  test('an element of another type is refused when encoding', () => {
    const array: Data = {
      type: 'compact-array',
      elementType: 'unsigned',
      typeDescription: { type: 'unsigned' },
      value: [{ type: 'long', value: 1 }],
    };
    expect(codeOf(() => dataBytes(array))).toBe('INVALID_VALUE');
  });
});

test('lengths', () => {
  fc.assert(
    fc.property(fc.nat(0xffffffff), (length) => {
      const writer = new ByteWriter();
      encodeLength(writer, length);
      expect(decodeLength(new ByteReader(writer.finish(), 'axdr'))).toBe(length);
    }),
  );
  expect(codeOf(() => decodeLength(new ByteReader(fromHex('80'), 'axdr')))).toBe('MALFORMED');
  expect(codeOf(() => decodeLength(new ByteReader(fromHex('850000000001'), 'axdr')))).toBe('LIMIT_EXCEEDED');
});

describe('OBIS codes', () => {
  test('all ways to write one', () => {
    for (const text of ['1-0:1.8.0*255', '1.0.1.8.0.255', '1-0:1.8.0', ' 1-0:1.8.0.255 ', '1-0:1.8.0&255']) {
      expect(parseObis(text), text).toBe('1.0.1.8.0.255');
    }
  });

  test.each(['', '1.8.0', '1.0.1.8.0', '1-0:1.8.0*256', '1:0-1.8.0', '1-0:1.8', 'a.b.c.d.e.f'])('not %s', (text) => {
    expect(codeOf(() => parseObis(text))).toBe('INVALID_VALUE');
  });

  test('octets and back', () => {
    fc.assert(
      fc.property(obis, (text) => {
        expect(obisText(obisBytes(text))).toBe(text);
        expect(parseObis(text)).toBe(text);
      }),
    );
  });
});
