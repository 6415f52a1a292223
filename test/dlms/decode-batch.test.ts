/** `decode --batch` against the vectors, judged by their own `check.mjs`. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { type BatchVector, decodeBatch } from '../../src/dlms/decode/batch.ts';

const vectorFile = (name: string): string => fileURLToPath(new URL(`../vectors/${name}`, import.meta.url));
const vectorsOf = (layer: string): BatchVector[] => JSON.parse(readFileSync(vectorFile(`${layer}.json`), 'utf8'));

/** What `check.mjs` prints about the results of a layer: names of what fails, and the count. */
function checked(layer: string): string[] {
  const directory = mkdtempSync(join(tmpdir(), 'dlms-decode-'));
  try {
    const results = join(directory, 'results.json');
    writeFileSync(results, JSON.stringify(decodeBatch(vectorsOf(layer))));
    const check = spawnSync(process.execPath, [vectorFile('check.mjs'), vectorFile(`${layer}.json`), results]);
    return check.stdout.toString().trimEnd().split('\n');
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test.each(['hdlc', 'wrapper', 'axdr', 'datetime', 'acse', 'apdu', 'push', 'mode-e'])(
  'every vector of %s passes check.mjs',
  (layer) => {
    expect(checked(layer)).toEqual([`${vectorsOf(layer).length} passed, 0 failed`]);
  },
);

test('every vector of security passes check.mjs, but for two whose system titles are nowhere in them', () => {
  const unknown = ['sec-kdf-ephemeral-unified', 'sec-kdf-one-pass-server-to-client'];
  const lines = checked('security').filter((line) => !line.startsWith(' '));
  expect(lines).toEqual([
    ...unknown,
    `${vectorsOf('security').length - unknown.length} passed, ${unknown.length} failed`,
  ]);
  const results = decodeBatch(vectorsOf('security').filter(({ id }) => unknown.includes(id)));
  for (const { result } of results) expect(result).toMatchObject({ valid: false, error: { code: 'KEY_MISSING' } });
});

describe('results', () => {
  const resultOf = (vector: Omit<BatchVector, 'id'>): unknown => decodeBatch([{ id: 'x', ...vector }])[0]?.result;

  test('malformed octets are a whole error, not an exception', () => {
    expect(resultOf({ layer: 'axdr', hex: '0600' })).toEqual({
      valid: false,
      error: {
        code: 'TRUNCATED',
        message: expect.any(String),
        layer: 'axdr',
        fault: 'meter',
        retryable: true,
        hint: expect.any(String),
      },
    });
  });
  test.each([
    ['hex that is none', { layer: 'apdu', hex: 'xyz0' }, 'INVALID_VALUE'],
    ['nothing', { layer: 'apdu', hex: '' }, 'TRUNCATED'],
    ['no layer at all', { layer: 'morse', hex: '2f3f210d0a' }, 'UNSUPPORTED'],
    ['an unknown unit', { layer: 'axdr', hex: '00', context: { unit: 'colour' } }, 'UNSUPPORTED'],
    ['an unknown unit of hdlc', { layer: 'hdlc', hex: '00', context: { unit: 'colour' } }, 'UNSUPPORTED'],
    ['a name that every object has', { layer: 'constructor', hex: '00' }, 'UNSUPPORTED'],
    ['a header of a number', { layer: 'axdr', hex: '0600', context: { unit: 'header' } }, 'MALFORMED'],
    ['a date of seven octets', { layer: 'datetime', hex: '07e80b15ff0000' }, 'MALFORMED'],
  ])('%s', (_, vector, code) => {
    expect(resultOf(vector)).toMatchObject({ valid: false, error: { code } });
  });
  test('utcIso only when the instant is known', () => {
    expect(resultOf({ layer: 'datetime', hex: '07e80b15ff' })).not.toHaveProperty('utcIso');
    expect(resultOf({ layer: 'datetime', hex: '07e8060f0614172d00ff8880' })).toMatchObject({
      utcIso: '2024-06-15T18:23:45Z',
    });
  });
});
