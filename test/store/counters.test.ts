import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { toHex } from '../../src/core/bytes.ts';
import { DEFAULT_METER_SETTINGS, NO_SECRETS } from '../../src/dlms/settings.ts';
import { type Database, initDatabase, openDatabase } from '../../src/store/database.ts';
import { addMeter, removeMeter } from '../../src/store/fleet/meters.ts';
import { clientSystemTitle, clientSystemTitleFor } from '../../src/store/fleet/system-title.ts';
import { counterKeyId, loadCounters, raiseCounter, reserveCounters } from '../../src/store/local/counters.ts';
import type { Writer } from '../../src/store/local/types.ts';
import { openWriter } from '../../src/store/local/writer.ts';
import { codeOf, newDatabase, newFleet, newMeter, reopened, temporaryDirectory } from './support.ts';

const LIMIT = 2 ** 32;
const KEY_ID = new Uint8Array(32).fill(1);
const OTHER_KEY_ID = new Uint8Array(32).fill(2);

async function openedWriter(database: Database): Promise<Writer> {
  const writer = await openWriter(database.path, { thread: false });
  onTestFinished(() => writer.close());
  return writer;
}

describe('reserving, as a command', () => {
  const database = (): Database => newDatabase();

  test('begins at 0 and goes on, each key by itself', () => {
    const handle = database();
    expect(reserveCounters(handle, KEY_ID, 16)).toBe(0);
    expect(reserveCounters(handle, KEY_ID, 1)).toBe(16);
    expect(reserveCounters(handle, OTHER_KEY_ID, 1)).toBe(0);
    expect(reserveCounters(reopened(handle), KEY_ID, 1)).toBe(17);
  });

  test('raising never lowers', () => {
    const handle = database();
    raiseCounter(handle, KEY_ID, 100);
    raiseCounter(handle, KEY_ID, 50);
    expect(reserveCounters(handle, KEY_ID, 1)).toBe(100);
    raiseCounter(handle, KEY_ID, 0);
    expect(reserveCounters(handle, KEY_ID, 1)).toBe(101);
    expect(loadCounters(handle)).toMatchObject([{ next: 102, meterId: null }]);
  });

  test('gives the last counter, then none', () => {
    const handle = database();
    raiseCounter(handle, KEY_ID, LIMIT - 3);
    expect(codeOf(() => reserveCounters(handle, KEY_ID, 4))).toBe('COUNTER_EXHAUSTED');
    expect(reserveCounters(handle, KEY_ID, 2)).toBe(LIMIT - 3);
    expect(reserveCounters(handle, KEY_ID, 1)).toBe(LIMIT - 1);
    expect(codeOf(() => reserveCounters(handle, KEY_ID, 1))).toBe('COUNTER_EXHAUSTED');
    raiseCounter(handle, KEY_ID, LIMIT);
    expect(codeOf(() => reserveCounters(handle, KEY_ID, 1))).toBe('COUNTER_EXHAUSTED');
    expect(reserveCounters(handle, OTHER_KEY_ID, 1)).toBe(0);
  });

  test('all at once, and not one more', () => {
    const handle = database();
    expect(reserveCounters(handle, KEY_ID, LIMIT)).toBe(0);
    expect(codeOf(() => reserveCounters(handle, KEY_ID, 1))).toBe('COUNTER_EXHAUSTED');
  });

  test.each([0, -1, 0.5, Number.NaN, LIMIT + 1])('a count of %d is a fault of ours', (count) => {
    const handle = database();
    reserveCounters(handle, KEY_ID, 1);
    expect(codeOf(() => reserveCounters(handle, KEY_ID, count))).toBe('INTERNAL');
    expect(loadCounters(handle)).toMatchObject([{ next: 1 }]);
  });

  test.each([-1, 0.5, Number.NaN, LIMIT + 1])('raising to %d is refused', (atLeast) => {
    const handle = database();
    reserveCounters(handle, KEY_ID, 1);
    expect(codeOf(() => raiseCounter(handle, KEY_ID, atLeast))).toBe('INVALID_VALUE');
    expect(loadCounters(handle)).toMatchObject([{ next: 1 }]);
  });

  test('a handle for reading takes none', () => {
    const reading = reopened(database(), { readonly: true });
    expect(codeOf(() => reserveCounters(reading, KEY_ID, 1))).toBe('DATABASE_DENIED');
  });

  test('a database that another process holds gives none', () => {
    const handle = database();
    const impatient = reopened(handle, { busyTimeoutMs: 1 });
    handle.sql.exec('BEGIN IMMEDIATE');
    expect(codeOf(() => reserveCounters(impatient, KEY_ID, 1))).toBe('DATABASE_LOCKED');
    handle.sql.exec('ROLLBACK');
    expect(reserveCounters(impatient, KEY_ID, 1)).toBe(0);
  });
});

describe('reserving, by the writer', () => {
  test('those asked for together get different ones', async () => {
    const database = newDatabase();
    const writer = await openedWriter(database);
    expect(await Promise.all([1, 2, 3].map((count) => writer.reserveCounters(KEY_ID, count)))).toEqual([0, 1, 3]);
    await writer.raiseCounter(KEY_ID, 100);
    expect(await writer.reserveCounters(KEY_ID, 1)).toBe(100);
    expect(reserveCounters(database, KEY_ID, 1)).toBe(101);
    expect(await writer.reserveCounters(KEY_ID, 1)).toBe(102);
  });

  test('what cannot be given takes nothing from the others of its group', async () => {
    const writer = await openedWriter(newDatabase());
    await writer.raiseCounter(KEY_ID, LIMIT - 1);
    const asked = [writer.reserveCounters(KEY_ID, 2), writer.reserveCounters(KEY_ID, 1)];
    const raised = writer.raiseCounter(KEY_ID, -1);
    expect(await Promise.allSettled([...asked, raised])).toMatchObject([
      { status: 'rejected', reason: { code: 'COUNTER_EXHAUSTED', fault: 'credentials', layer: 'security' } },
      { status: 'fulfilled', value: LIMIT - 1 },
      { status: 'rejected', reason: { code: 'INVALID_VALUE', facts: { atLeast: -1 } } },
    ]);
  });

  test('is on the disk when the promise resolves', async () => {
    const database = newDatabase();
    const writer = await openedWriter(database);
    const first = await writer.reserveCounters(KEY_ID, 5);
    expect(loadCounters(reopened(database, { readonly: true }))).toMatchObject([{ next: first + 5 }]);
  });
});

type Step =
  | { readonly do: 'reserve'; readonly key: number; readonly count: number; readonly by: 'writer' | 'command' }
  | { readonly do: 'raise'; readonly key: number; readonly atLeast: number; readonly by: 'writer' | 'command' }
  | { readonly do: 'reopen' };

const key = fc.nat({ max: 1 });
const by = fc.constantFrom('writer' as const, 'command' as const);
const near = fc.oneof(fc.nat({ max: 100 }), fc.integer({ min: LIMIT - 50, max: LIMIT }));
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('reserve' as const), key, count: fc.integer({ min: 1, max: 20 }), by }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('raise' as const), key, atLeast: near, by }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reopen' as const) }) },
);

test('writer and commands together give what a plain number would', async () => {
  const root = temporaryDirectory();
  const keyIds = [KEY_ID, OTHER_KEY_ID];
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      run += 1;
      const database = initDatabase(`${root}/${run}/dlms.db`);
      let writer = await openWriter(database.path, { thread: false });
      const next = [0, 0];
      for (const action of steps) {
        if (action.do === 'reopen') {
          await writer.close();
          writer = await openWriter(database.path, { thread: false });
          continue;
        }
        const keyId = keyIds[action.key] ?? KEY_ID;
        const before = next[action.key] ?? 0;
        if (action.do === 'raise') {
          if (action.by === 'writer') await writer.raiseCounter(keyId, action.atLeast);
          else raiseCounter(database, keyId, action.atLeast);
          next[action.key] = Math.max(before, action.atLeast);
          continue;
        }
        const { count } = action;
        const reserve = async (): Promise<number> =>
          action.by === 'writer' ? writer.reserveCounters(keyId, count) : reserveCounters(database, keyId, count);
        if (before + count > LIMIT) {
          await expect(reserve()).rejects.toMatchObject({ code: 'COUNTER_EXHAUSTED' });
        } else {
          expect(await reserve()).toBe(before);
          next[action.key] = before + count;
        }
      }
      await writer.close();
      database.close();
      rmSync(dirname(database.path), { recursive: true });
    }),
    { numRuns: 30 },
  );
}, 60_000);

describe('the id of a key', () => {
  const blockCipherKey = randomBytes(16);
  const systemTitle = Buffer.from('DMM12345');

  test('is the same for the same key and title, in any handle, and for no other', () => {
    const database = newDatabase();
    const id = counterKeyId(database, blockCipherKey, systemTitle);
    expect(id).toHaveLength(32);
    expect(counterKeyId(reopened(database, { readonly: true }), blockCipherKey, systemTitle)).toEqual(id);
    const others = [
      counterKeyId(database, randomBytes(16), systemTitle),
      counterKeyId(database, blockCipherKey, Buffer.from('DMM12346')),
      counterKeyId(database, Buffer.concat([blockCipherKey, systemTitle]), new Uint8Array(0)),
      counterKeyId(newDatabase(), blockCipherKey, systemTitle),
    ];
    for (const other of others) expect(other).not.toEqual(id);
  });

  test('tells nothing of the key', () => {
    const id = toHex(counterKeyId(newDatabase(), blockCipherKey, systemTitle));
    expect(id).not.toContain(toHex(blockCipherKey).slice(0, 8));
  });
});

describe('the counter of a meter', () => {
  const secrets = { ...NO_SECRETS, blockCipherKey: randomBytes(16) };

  test('goes on when the meter was removed and came back with the same key', () => {
    const database = newFleet();
    const first = addMeter(database, newMeter('house1', { secrets }));
    const keyId = counterKeyId(database, secrets.blockCipherKey, clientSystemTitle(database));
    expect(loadCounters(database)).toMatchObject([{ next: 0, meterId: first }]);
    expect(reserveCounters(database, keyId, 40)).toBe(0);
    removeMeter(database, 'house1');
    expect(loadCounters(database)).toMatchObject([{ next: 40, meterId: null }]);
    const second = addMeter(database, newMeter('house1', { secrets }));
    expect(loadCounters(database)).toMatchObject([{ next: 40, meterId: second }]);
    expect(reserveCounters(database, keyId, 1)).toBe(40);
  });

  test('is that of the title in its settings; without a key it has none', () => {
    const database = newFleet();
    const settings = { ...DEFAULT_METER_SETTINGS, systemTitle: '4D4D4D0000BC614E' };
    const id = addMeter(database, newMeter('house1', { secrets, settings }));
    addMeter(database, newMeter('house2'));
    const keyId = counterKeyId(database, secrets.blockCipherKey, clientSystemTitleFor(database, settings));
    const [only, ...others] = loadCounters(database);
    expect(others).toEqual([]);
    expect(toHex(only?.keyId ?? new Uint8Array(0))).toBe(toHex(keyId));
    expect(only?.meterId).toBe(id);
  });
});

describe('the client system title', () => {
  test('is made once, and is of this installation', () => {
    const database = newDatabase();
    const title = clientSystemTitle(database);
    expect(title).toHaveLength(8);
    expect(Buffer.from(title.subarray(0, 3)).toString()).toBe('DMM');
    expect(clientSystemTitle(reopened(database, { readonly: true }))).toEqual(title);
    initDatabase(database.path).close();
    openDatabase(database.path).close();
    expect(clientSystemTitle(database)).toEqual(title);
    expect(clientSystemTitle(newDatabase())).not.toEqual(title);
  });

  test('gives way to that of a meter', () => {
    const database = newDatabase();
    expect(clientSystemTitleFor(database, { systemTitle: null })).toEqual(clientSystemTitle(database));
    expect(toHex(clientSystemTitleFor(database, { systemTitle: '4D4D4D0000BC614E' }))).toBe('4d4d4d0000bc614e');
  });
});
