/** The table of interface classes, against the Blue Book's counts for every class and version that a bridge meets. */
import { describe, expect, test } from 'vitest';
import { TAGS } from '../../src/dlms/axdr/scalar.ts';
import { attributeName, CLASSES, className, cosemClass, methodName } from '../../src/dlms/cosem/classes.ts';

/** Class, version, how many attributes there are (the logical name included), the highest method number. */
const COUNTS: readonly (readonly [id: number, version: number, attributes: number, methods: number])[] = [
  [1, 0, 2, 0],
  [3, 0, 3, 1],
  [4, 0, 5, 1],
  [5, 0, 9, 2],
  [6, 0, 4, 3],
  [7, 0, 8, 4],
  [7, 1, 8, 4],
  [8, 0, 9, 6],
  [9, 0, 2, 1],
  [11, 0, 2, 2],
  [12, 0, 2, 8],
  [12, 1, 2, 8],
  [12, 2, 4, 8],
  [12, 3, 6, 10],
  [12, 4, 6, 10],
  [15, 0, 8, 4],
  [15, 1, 9, 4],
  [15, 2, 11, 6],
  [15, 3, 11, 6],
  [17, 0, 2, 1],
  [18, 0, 7, 4],
  [19, 1, 9, 0],
  [20, 0, 10, 1],
  [21, 0, 4, 0],
  [22, 0, 4, 0],
  [23, 1, 9, 0],
  [27, 1, 4, 0],
  [28, 0, 6, 0],
  [28, 2, 7, 0],
  [29, 0, 6, 0],
  [29, 1, 6, 0],
  [29, 2, 6, 1],
  [40, 0, 7, 1],
  [40, 1, 10, 1],
  [40, 2, 13, 2],
  [41, 0, 6, 0],
  [42, 0, 10, 3],
  [45, 0, 4, 0],
  [47, 0, 8, 0],
  [61, 0, 4, 2],
  [62, 0, 6, 2],
  [62, 1, 6, 2],
  [63, 0, 3, 0],
  [64, 0, 5, 2],
  [64, 1, 6, 8],
  [68, 0, 6, 2],
  [70, 0, 4, 2],
  [71, 0, 11, 0],
  [72, 0, 12, 8],
  [72, 1, 14, 8],
  [111, 0, 19, 3],
  [112, 0, 11, 3],
  [113, 0, 13, 5],
  [115, 0, 6, 1],
];

describe('classes', () => {
  test.each(COUNTS)('%i, version %i', (id, version, attributes, methods) => {
    const found = cosemClass(id, version);
    expect(found).toMatchObject({ id, version });
    expect(found?.attributes.map((attribute) => attribute.id)).toEqual(
      Array.from({ length: attributes }, (_, index) => index + 1),
    );
    expect(found?.methods.at(-1)?.id ?? 0).toBe(methods);
  });

  test('each stands once in a version, its names are distinct, its types are Data types', () => {
    expect(new Set(CLASSES.map(({ id, version }) => `${id}/${version}`)).size).toBe(CLASSES.length);
    for (const { attributes, methods } of CLASSES) {
      for (const items of [attributes, methods]) {
        expect(new Set(items.map(({ name }) => name)).size).toBe(items.length);
        for (const { name } of items) expect(name).toMatch(/^[a-z0-9_]+$/);
      }
      for (const { type } of attributes) expect(type === 'any' || type in TAGS).toBe(true);
    }
  });

  test('names', () => {
    expect(attributeName(3, 3)).toBe('scaler_unit');
    expect(attributeName(7, 8)).toBe('profile_entries');
    expect(attributeName(8, 9)).toBe('clock_base');
    expect(methodName(70, 2)).toBe('remote_reconnect');
    expect(methodName(12, 1)).toBeNull();
    expect(attributeName(9000, 1)).toBe('logical_name');
    expect(attributeName(9000, 2)).toBeNull();
    expect(className(9000)).toBe('class 9000');
  });

  test('names follow the version; without one, and for one that is not known, they are the latest', () => {
    expect(methodName(64, 2, 0)).toBe('global_key_transfer');
    expect([methodName(64, 2, 1), methodName(64, 2), methodName(64, 2, 9)]).toEqual(Array(3).fill('key_transfer'));
    expect(attributeName(15, 9, 0)).toBeNull();
    expect(attributeName(15, 9, 1)).toBe('security_setup_reference');
    expect([className(29, 0), className(29, 1)]).toEqual(['Auto dial', 'Auto connect']);
  });

  test('what a client is meant to write', () => {
    const access = (id: number, attribute: number) => cosemClass(id)?.attributes[attribute - 1]?.access;
    expect([access(8, 2), access(3, 2), access(3, 1), access(18, 5)]).toEqual([
      'read-and-write',
      'read-only',
      'read-only',
      'read-and-write',
    ]);
  });
});
