/** Publishing on change: what goes, what is kept back, and for how long. */
import { expect, test } from 'vitest';
import { parseDecimal } from '../../src/core/decimal.ts';
import { ChangeFilter } from '../../src/polling/on-change.ts';
import type { Reading, ReadingValue } from '../../src/reading/reading.ts';

const reading = (key: string, value: ReadingValue, quality: Reading['quality'] = 'good'): Reading => ({
  key,
  value,
  quality,
  ts: 0,
  unit: null,
  obis: '1.0.1.8.0.255',
});

test('the first value, a change, and nothing in between', () => {
  const filter = new ChangeFilter([
    { key: 'a', options: { publish: 'on-change', maxSilenceMs: 900_000 } },
    { key: 'b' },
  ]);
  const poll = (at: number, value: ReadingValue, quality?: Reading['quality']): string[] => {
    const worth = filter.worth([reading('a', value, quality), reading('b', true)], at);
    filter.note(worth, at);
    return worth.map(({ key }) => key);
  };
  expect(poll(0, parseDecimal('1.0'))).toEqual(['a', 'b']);
  expect(poll(60_000, parseDecimal('1.0'))).toEqual(['b']);
  expect(poll(120_000, parseDecimal('1.1'))).toEqual(['a', 'b']);
  expect(poll(180_000, parseDecimal('1.1'), 'doubtful')).toEqual(['a', 'b']);
  expect(poll(1_079_999, parseDecimal('1.1'), 'doubtful')).toEqual(['b']);
  expect(poll(1_080_000, parseDecimal('1.1'), 'doubtful')).toEqual(['a', 'b']);
});

test('what could not be stored is offered again; text is not taken for a number', () => {
  const filter = new ChangeFilter([{ key: 'a', options: { publish: 'on-change', maxSilenceMs: null } }]);
  expect(filter.worth([reading('a', '1')], 0)).toHaveLength(1);
  expect(filter.worth([reading('a', '1')], 1)).toHaveLength(1);
  filter.note([reading('a', '1')], 1);
  expect(filter.worth([reading('a', '1')], 1e12)).toHaveLength(0);
  expect(filter.worth([reading('a', parseDecimal('1'))], 2)).toHaveLength(1);
});
