/** What ends the daemon is heard on its way, whoever asked; everything else passes. */
import BetterSqlite3 from 'better-sqlite3';
import { expect, test } from 'vitest';
import { BridgeError } from '../../src/core/errors.ts';
import { DamageWatch } from '../../src/daemon/damage-watch.ts';
import { storeError } from '../../src/store/errors.ts';
import { errorOf, failureOf } from '../../src/store/local/requests.ts';

const damage = storeError(new BetterSqlite3.SqliteError('malformed', 'SQLITE_CORRUPT'), 'dlms.db');

const inner = (error: Error) => ({
  name: 'inner',
  now(): never {
    throw error;
  },
  later: async (): Promise<never> => {
    throw error;
  },
  twice: (value: number) => 2 * value,
});

test.each([
  ['damage', damage, true, 1],
  ['damage that the writer thread told of', errorOf(failureOf(damage)), true, 1],
  ['a writer thread that is given up', new BridgeError('DATABASE_ERROR', 'died', { retryable: false }), true, 0],
  ['a full disk', new BridgeError('DATABASE_FULL', 'full'), false, 0],
  ['an error for now', new BridgeError('DATABASE_ERROR', 'busy'), false, 0],
  // A row of ours that makes no sense: no new start would make it better.
  ['a row that holds no readings', new BridgeError('DATABASE_CORRUPT', 'no readings'), false, 0],
  ['anything else', new Error('x'), false, 0],
])('%s', async (_, error, ends, suspected) => {
  let calls = 0;
  const watch = new DamageWatch(() => {
    calls += 1;
  });
  const watched = watch.over(inner(error));
  expect(watched.name).toBe('inner');
  expect(watched.twice(21)).toBe(42);
  expect(watch.hasFound).toBe(false);
  expect(() => watched.now()).toThrow(error);
  await expect(watched.later()).rejects.toBe(error);
  expect(watch.hasFound).toBe(ends);
  expect(calls).toBe(suspected);
  if (ends) expect(await watch.found).toBe(error);
});
