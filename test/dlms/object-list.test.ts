/** Object lists of associations: as the standard has them, and as meters send them (corner case 75). */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat, fromHex } from '../../src/core/bytes.ts';
import { type Data, dataBytes } from '../../src/dlms/axdr/data.ts';
import {
  type CosemObject,
  decodeObjectList,
  encodeObjectList,
  parseObjectList,
} from '../../src/dlms/cosem/object-list.ts';
import { codeOf } from '../support/error-code.ts';

function association(version: number): CosemObject {
  return {
    classId: 15,
    version,
    obis: '0.0.40.0.0.255',
    attributes: [{ id: 2, access: 'read-only' }],
    methods: [{ id: 1, access: 'access' }],
  };
}
const REGISTER: CosemObject = {
  classId: 3,
  version: 0,
  obis: '1.0.1.8.0.255',
  attributes: [
    { id: 1, access: 'read-only' },
    { id: 2, access: 'read-and-write' },
    { id: 3, access: 'no-access' },
  ],
  methods: [{ id: 1, access: 'no-access' }],
};
const PROFILE: CosemObject = {
  classId: 7,
  version: 1,
  obis: '1.0.99.1.0.255',
  attributes: [{ id: 2, access: 'read-only', selectors: [1, 2] }],
  methods: [],
};
const VENDOR: CosemObject = { classId: 9000, version: 3, obis: '0.128.96.0.0.255', attributes: [], methods: [] };

describe('object list', () => {
  test.each([0, 1, 2, 3])('of association version %i, as a server writes it', (version) => {
    const objects = [association(version), REGISTER, PROFILE, VENDOR];
    expect(decodeObjectList(encodeObjectList(objects, version))).toEqual(objects);
    expect(parseObjectList(dataBytes(encodeObjectList(objects, version)))).toEqual({
      objects,
      warnings: [{ code: 'unknown-class', message: 'classes without names for their attributes: 9000' }],
    });
  });

  test('without an association in it, the version is given', () => {
    const list = encodeObjectList([REGISTER], 3);
    expect(decodeObjectList(list, 3)).toEqual([REGISTER]);
  });

  test('inactive objects are left out', () => {
    const inactive = { ...VENDOR, obis: '0.0.127.0.0.0' };
    const list = encodeObjectList([inactive, REGISTER], 1);
    expect(decodeObjectList(list)).toEqual([REGISTER]);
    expect(parseObjectList(dataBytes(list)).warnings.map(({ code }) => code)).toEqual(['inactive']);
  });

  test.each([0, 1, 3, 100])('a count of %i for two entries does not matter, and is told', (count) => {
    const entries = dataBytes(encodeObjectList([association(1), REGISTER], 1)).subarray(2);
    expect(parseObjectList(concat([Uint8Array.of(1, count), entries]))).toEqual({
      objects: [association(1), REGISTER],
      warnings: [{ code: 'count', message: `the list announces ${count} entries and holds 2` }],
    });
  });

  test('cut off anywhere, what was whole before is there', () => {
    const whole = dataBytes(encodeObjectList([association(1), REGISTER, PROFILE], 1));
    const ends = [1, 2, 3].map(
      (n) => dataBytes(encodeObjectList([association(1), REGISTER, PROFILE].slice(0, n), 1)).length,
    );
    for (let length = ends[0]!; length < whole.length; length += 1) {
      const { objects, warnings } = parseObjectList(whole.subarray(0, length));
      expect(objects).toHaveLength(ends.filter((end) => end <= length).length);
      const cut = warnings.some(({ code }) => code === 'cut-off');
      expect(cut).toBe(!ends.includes(length));
    }
  });

  test.each([
    // attribute_access: array of 3, announced as 4: it would take the methods for an attribute, and then the next object.
    ['too many', 4],
    ['far too many', 40],
    ['too few', 2],
  ])('%s attributes in an entry spoil that entry alone', (_, count) => {
    const lists = [association(1), REGISTER, PROFILE];
    const octets = dataBytes(encodeObjectList(lists, 1)).slice();
    const second = dataBytes(encodeObjectList([association(1)], 1)).length;
    // 02 04 | 12 class | 11 version | 09 06 logical name | 02 02 | 01 count
    const at = second + 2 + 3 + 2 + 8 + 2 + 1;
    expect(octets.subarray(at - 3, at + 1)).toEqual(Uint8Array.of(2, 2, 1, 3));
    octets[at] = count;
    const { objects, warnings } = parseObjectList(octets);
    expect(objects).toContainEqual(association(1));
    expect(objects).toContainEqual(PROFILE);
    expect(warnings.length).toBeGreaterThan(0);
  });

  test('an object that ends the octets of a list of one is refused', () => {
    const octets = dataBytes(encodeObjectList([REGISTER], 1));
    for (let length = 0; length < octets.length; length += 1) {
      if (length === 2) continue;
      expect(codeOf(() => parseObjectList(octets.subarray(0, length)))).toBe('TRUNCATED');
    }
  });

  test('entries with other than four members', () => {
    const name: Data = { type: 'octet-string', value: fromHex('0100010800ff') };
    const head: readonly Data[] = [{ type: 'long-unsigned', value: 3 }, { type: 'unsigned', value: 0 }, name];
    const list: Data = {
      type: 'array',
      value: [
        { type: 'structure', value: head },
        { type: 'structure', value: head.slice(0, 2) },
        { type: 'null-data' },
      ],
    };
    expect(decodeObjectList(list)).toEqual([
      { classId: 3, version: 0, obis: '1.0.1.8.0.255', attributes: [], methods: [] },
    ]);
  });

  test('something else than an array', () => {
    expect(decodeObjectList({ type: 'null-data' })).toEqual([]);
    expect(codeOf(() => parseObjectList(fromHex('1101')))).toBe('MALFORMED');
  });

  test('access rights in the other way of writing are recognised', () => {
    const open = { ...REGISTER, attributes: [{ id: 1, access: 'authenticated-read-only' }], methods: [] };
    // Enumerated 4 in a list of version 3, and bits 5 + 32 in one of version 1.
    const enumerated = dataBytes(encodeObjectList([{ ...association(3), methods: [] }, open], 1));
    expect(parseObjectList(enumerated)).toEqual({
      objects: [{ ...association(3), methods: [] }, open],
      warnings: [{ code: 'access-rights', message: 'access rights are enumerated; in version 3 they should be bits' }],
    });
    const protectedToo = { ...open, attributes: [{ id: 1, access: 'authenticated-read-only+authenticated-response' }] };
    const bits = dataBytes(encodeObjectList([association(1), protectedToo], 3));
    expect(parseObjectList(bits)).toEqual({
      objects: [association(1), protectedToo],
      warnings: [{ code: 'access-rights', message: 'access rights are bits; in version 1 they should be enumerated' }],
    });
  });

  test('whatever the octets, it lists or says MALFORMED, TRUNCATED, LIMIT_EXCEEDED', () => {
    const whole = dataBytes(encodeObjectList([association(1), REGISTER, PROFILE, VENDOR], 1));
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, octet) => {
        const spoiled = whole.slice();
        spoiled[at] = octet;
        expect(['none', 'MALFORMED', 'TRUNCATED', 'LIMIT_EXCEEDED']).toContain(codeOf(() => parseObjectList(spoiled)));
      }),
    );
  });
});
