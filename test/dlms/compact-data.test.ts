/** Compact data (class 62): contents without tags, told apart by their template. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat, fromHex } from '../../src/core/bytes.ts';
import { type Data, dataBytes } from '../../src/dlms/axdr/data.ts';
import { TAGS } from '../../src/dlms/axdr/scalar.ts';
import { type CompactTemplate, expandCompactData, parseCompactTemplate } from '../../src/dlms/cosem/compact-data.ts';
import { type CaptureObject, captureObjectData } from '../../src/dlms/cosem/profile-generic.ts';
import { codeOf } from '../support/error-code.ts';
import { scalar } from './arbitraries.ts';

const TEMPLATE_ID: CaptureObject = { classId: 62, obis: '0.0.66.0.1.255', attribute: 4, dataIndex: 0 };
const ENERGY: CaptureObject = { classId: 3, obis: '1.0.1.8.0.255', attribute: 2, dataIndex: 0 };
const TIME: CaptureObject = { classId: 8, obis: '0.0.1.0.0.255', attribute: 2, dataIndex: 0 };
const OBJECTS = [TEMPLATE_ID, ENERGY, TIME];

/** structure of 3: unsigned, double-long-unsigned, octet-string. */
const DESCRIPTION = fromHex('0203 11 06 09');
/** Template 7; 5009; 12 octets of time. */
const BUFFER = fromHex('07 00001391 0c 07e8060f0614172d00ff8880');
const template = (more: Partial<CompactTemplate> = {}): CompactTemplate => ({
  captureObjects: OBJECTS,
  templateId: 7,
  description: DESCRIPTION,
  ...more,
});

describe('a buffer', () => {
  test('of three values', () => {
    expect(expandCompactData(BUFFER, template())).toEqual([
      { object: TEMPLATE_ID, data: { type: 'unsigned', value: 7 } },
      { object: ENERGY, data: { type: 'double-long-unsigned', value: 5009 } },
      { object: TIME, data: { type: 'octet-string', value: fromHex('07e8060f0614172d00ff8880') } },
    ]);
  });

  test('whose types stand in a row, without a structure around them', () => {
    expect(expandCompactData(BUFFER, template({ description: fromHex('11 06 09') }))).toHaveLength(3);
  });

  test('with the id of the template before contents that do not have it', () => {
    const more = { captureObjects: [ENERGY], description: fromHex('0201 06') };
    expect(expandCompactData(fromHex('07 00001391'), template(more))).toEqual([
      { object: ENERGY, data: { type: 'double-long-unsigned', value: 5009 } },
    ]);
  });

  test('of a single value, of arrays and structures', () => {
    expect(
      expandCompactData(fromHex('05'), template({ captureObjects: [ENERGY], description: fromHex('11') })),
    ).toEqual([{ object: ENERGY, data: { type: 'unsigned', value: 5 } }]);
    // structure of 1: array of 2 structures of (integer, enum).
    const nested = { captureObjects: [ENERGY], description: fromHex('0201 01 0002 0202 0f 16') };
    const pair = (value: number, unit: number): Data => ({
      type: 'structure',
      value: [
        { type: 'integer', value },
        { type: 'enum', value: unit },
      ],
    });
    expect(expandCompactData(fromHex('ff1e 021b'), template(nested))).toEqual([
      { object: ENERGY, data: { type: 'array', value: [pair(-1, 30), pair(2, 27)] } },
    ]);
  });

  test('cut off at any octet, or with one too many, is refused', () => {
    for (let length = 0; length < BUFFER.length; length += 1) {
      expect(codeOf(() => expandCompactData(BUFFER.subarray(0, length), template()))).toBe('TRUNCATED');
    }
    expect(codeOf(() => expandCompactData(concat([BUFFER, Uint8Array.of(0)]), template()))).toBe('TRAILING_BYTES');
  });

  test.each([
    ['of another template', { templateId: 8 }],
    ['with more capture objects', { captureObjects: [...OBJECTS, ENERGY] }],
    ['with fewer capture objects', { captureObjects: OBJECTS.slice(0, 2) }],
  ])('%s is refused', (_, more) => {
    expect(codeOf(() => expandCompactData(BUFFER, template(more)))).toBe('MALFORMED');
  });

  test('of whatever values', () => {
    fc.assert(
      fc.property(fc.array(scalar, { minLength: 1, maxLength: 20 }), (values) => {
        const description = Uint8Array.from([TAGS.structure, values.length, ...values.map(({ type }) => TAGS[type])]);
        const buffer = concat(values.map((data) => dataBytes(data).subarray(1)));
        const captureObjects = values.map(() => ENERGY);
        const elements = expandCompactData(buffer, template({ captureObjects, description, templateId: -1 }));
        expect(elements.map(({ data }) => dataBytes(data))).toEqual(values.map(dataBytes));
      }),
    );
  });
});

describe('a template', () => {
  const objects: Data = { type: 'array', value: OBJECTS.map(captureObjectData) };
  const description: Data = { type: 'octet-string', value: DESCRIPTION };

  test('from its attributes', () => {
    expect(parseCompactTemplate(objects, { type: 'unsigned', value: 7 }, description)).toEqual(template());
  });

  test.each<[string, Data, Data, Data]>([
    ['capture objects', description, { type: 'unsigned', value: 7 }, description],
    ['id', objects, { type: 'null-data' }, description],
    ['description', objects, { type: 'unsigned', value: 7 }, objects],
  ])('with a wrong %s is refused', (_, captured, id, types) => {
    expect(codeOf(() => parseCompactTemplate(captured, id, types))).toBe('MALFORMED');
  });

  test('that is nested without end, or announces too much, is refused', () => {
    const deep = Uint8Array.from(Array.from({ length: 80 }, () => [2, 1]).flat());
    expect(codeOf(() => expandCompactData(BUFFER, template({ description: deep, templateId: 9 })))).toBe(
      'LIMIT_EXCEEDED',
    );
    const wide = fromHex('01ffff 01ffff 11');
    expect(
      codeOf(() => expandCompactData(new Uint8Array(70_000), template({ description: wide, templateId: 9 }))),
    ).toBe('LIMIT_EXCEEDED');
  });
});
