import { expect, test } from 'vitest';
import { table } from '../../src/cli/views/table.ts';

test('columns are as wide as what stands in them, whatever its letters and colours', () => {
  const rows = [
    ['casa número 1', '\u001b[31merror\u001b[39m', ''],
    ['电表', 'connected', 'x'],
    ['e\u0301', '', ''],
  ];
  expect(table(['METER', 'STATE', 'ERROR'], rows).split('\n')).toEqual([
    'METER          STATE      ERROR',
    'casa número 1  \u001b[31merror\u001b[39m',
    '电表           connected  x',
    'e\u0301',
  ]);
  expect(table(['METER', 'STATE'], [])).toBe('METER  STATE');
});
