/** Declarations of settings: every form with what it takes and refuses, as a value and as a text. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  changedSettings,
  checkSettings,
  choice,
  defaultsOf,
  faultOf,
  flag,
  isValid,
  orNone,
  parseSetting,
  type Setting,
  settingText,
  structure,
  takesText,
  text,
  whole,
} from '../../src/core/setting.ts';

const about = { applies: 'live', about: 'for this test' } as const;
const TABLE = {
  count: whole(5, { least: 1, most: 10, unit: 's', ...about }),
  way: choice(['a', 'b'], 'a', about),
  width: choice([1, 2, 4], 1, about),
  on: flag(false, about),
  name: text('', { pattern: /^[a-z]*$/, takes: 'small letters', ...about }),
  secret: orNone('none', text('', { pattern: /^[a-z]+$/, takes: 'small letters', secret: true, ...about })),
  limit: orNone('never', whole(0, { least: 0, most: 9, ...about }), 7),
  list: structure<readonly string[]>([], { takes: 'a list', ...about }),
};

describe('what a setting takes', () => {
  const cases: readonly (readonly [keyof typeof TABLE, readonly unknown[], readonly unknown[]])[] = [
    ['count', [1, 10], [0, 11, 1.5, '5', null, Number.NaN]],
    ['way', ['a', 'b'], ['c', '', 1, null]],
    ['width', [1, 4], [3, '1', null]],
    ['on', [true, false], ['on', 1, null]],
    ['name', ['', 'abc'], ['A', 5, null, {}]],
    ['secret', ['abc', null], ['', 'ABC', 5]],
    ['limit', [0, 9, null], [10, 'never']],
    ['list', [[], ['x']], ['x', 5, null]],
  ];
  test.each(cases)('%s', (name, good, bad) => {
    const setting: Setting<unknown> = TABLE[name];
    for (const value of good) expect(isValid(setting, value), String(value)).toBe(true);
    for (const value of bad) {
      expect(isValid(setting, value), String(value)).toBe(false);
      expect(faultOf(name, setting, value)).toMatch(new RegExp(`^${name} takes `));
    }
  });

  test('in words', () => {
    expect(Object.values(TABLE).map(takesText)).toEqual([
      '1 to 10 s',
      'a | b',
      '1 | 2 | 4',
      'on | off',
      'small letters',
      'small letters, or none',
      '0 to 9, or never',
      'a list',
    ]);
  });

  test('a secret stands in no fault and is only said to be there', () => {
    expect(faultOf('secret', TABLE.secret, 'TOP SECRET')).toBe('secret takes small letters, or none');
    expect(settingText(TABLE.secret, 'abc')).toBe('(set)');
    expect(settingText(TABLE.secret, null)).toBe('none');
  });

  test('a table is checked name by name', () => {
    checkSettings(TABLE, { count: 3, limit: null });
    expect(() => checkSettings(TABLE, { count: 3, limit: 10 })).toThrow('limit takes 0 to 9, or never, not 10');
    expect(() => checkSettings(TABLE, { toString: 3 })).toThrow('there is no setting "toString"');
  });
});

describe('as people write it', () => {
  test('what is written is read back', () => {
    const values: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
      count: fc.integer({ min: 1, max: 10 }),
      way: fc.constantFrom('a', 'b'),
      width: fc.constantFrom(1, 2, 4),
      on: fc.boolean(),
      name: fc.stringMatching(/^[a-z]{0,5}$/),
      limit: fc.option(fc.integer({ min: 0, max: 9 })),
    };
    for (const [name, value] of Object.entries(values)) {
      const setting: Setting<unknown> = TABLE[name as keyof typeof TABLE];
      fc.assert(fc.property(value, (one) => parseSetting(name, setting, settingText(setting, one)) === one));
    }
  });

  test.each([
    ['count', ''],
    ['count', '1e1'],
    ['count', '0x5'],
    ['count', '-1'],
    ['on', 'true'],
    ['way', 'c'],
    ['width', '3'],
    ['limit', ''],
    ['list', '[]'],
  ] as const)('%s does not take "%s"', (name, written) => {
    expect(() => parseSetting(`--${name}`, TABLE[name] as Setting<unknown>, written)).toThrow(`--${name} takes`);
  });
});

test('only what differs from the defaults is kept', () => {
  const usual = defaultsOf(TABLE);
  expect(usual).toMatchObject({ count: 5, way: 'a', limit: 7, secret: null, list: [] });
  expect(changedSettings(TABLE, { ...usual, list: [] })).toEqual({});
  expect(changedSettings(TABLE, { ...usual, limit: null, list: ['x'] })).toEqual({ limit: null, list: ['x'] });
});
