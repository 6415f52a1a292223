/** Whatever is backed up, lost, damaged and restored: no counter is given twice with its key. */
import { copyFileSync, rmSync, truncateSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toHex } from '../../src/core/bytes.ts';
import { NO_SECRETS } from '../../src/dlms/settings.ts';
import { restoreDatabase } from '../../src/store/backup/restore.ts';
import { type Database, initDatabase, inTransaction, openDatabase } from '../../src/store/database.ts';
import { addMeter } from '../../src/store/fleet/meters.ts';
import { addTarget } from '../../src/store/fleet/targets.ts';
import { readKeyFile } from '../../src/store/key-file.ts';
import { rotateSealingKey } from '../../src/store/key-rotation.ts';
import { counterKeyId, loadCounters, reserveCounters } from '../../src/store/local/counters.ts';
import { backedUp, HOUR, NOW, overwrite, PAGE, pagesWith } from './replaced-support.ts';
import { codeOf, newMeter, newTarget, temporaryDirectory } from './support.ts';

const KEYS = [1, 2, 3].map((octet) => new Uint8Array(16).fill(octet));
const TITLE = Uint8Array.of(0x44, 0x4d, 0x4d, 1, 2, 3, 4, 5);

function using<T>(path: string, action: (database: Database) => T): T {
  const database = openDatabase(path);
  try {
    return action(database);
  } finally {
    database.close();
  }
}

/** The daemon says that it lives, at this time of the test. */
function sayAlive(database: Database, at: number): void {
  inTransaction(database, () => {
    database.sql.prepare("INSERT OR REPLACE INTO status VALUES ('daemon', '{}', ?)").run(at);
  });
}

type Step =
  | { readonly kind: 'reserve'; readonly key: number; readonly count: number }
  | { readonly kind: 'pass'; readonly hours: number }
  | { readonly kind: 'backup' | 'rotate' }
  | { readonly kind: 'restore'; readonly which: number; readonly lose: 'nothing' | 'file' | 'page' | 'end' };

const steps = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant('reserve' as const),
        key: fc.nat(2),
        count: fc.integer({ min: 1, max: 200_000 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('pass' as const), hours: fc.integer({ min: 1, max: 100 }) }),
    },
    { weight: 2, arbitrary: fc.constant({ kind: 'backup' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'rotate' as const }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('restore' as const),
        which: fc.nat(3),
        lose: fc.constantFrom('nothing' as const, 'file' as const, 'page' as const, 'end' as const),
      }),
    },
  ),
  { minLength: 4, maxLength: 20 },
);

function damage(path: string, lose: Extract<Step, { kind: 'restore' }>['lose']): void {
  if (lose === 'nothing') return;
  for (const suffix of ['-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true });
  if (lose === 'file') truncateSync(path, 0);
  if (lose === 'page') overwrite(path, 0, Buffer.alloc(PAGE, 0xa5));
  if (lose === 'end') truncateSync(path, 8 * PAGE);
}

const reserve: Step = { kind: 'reserve', key: 0, count: 1 };
const lost = (lose: Extract<Step, { kind: 'restore' }>['lose'], which = 0): Step => ({ kind: 'restore', which, lose });

test('a counter that was given is never given again', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      const path = join(temporaryDirectory(), 'dlms.db');
      initDatabase(path).close();
      const backups: { readonly file: string; readonly key: string }[] = [];
      const highest = new Map<number, number>();
      let now = NOW;
      let rotations = 0;
      const backUp = async (): Promise<void> => {
        now += 1000;
        const { file } = await backedUp(path, now, 100);
        const key = join(temporaryDirectory(), 'key');
        copyFileSync(join(dirname(path), 'dlms.key'), key);
        backups.push({ file, key });
      };
      await backUp();
      for (const step of all) {
        now += 60_000;
        if (step.kind === 'pass') now += step.hours * HOUR;
        else if (step.kind === 'backup') await backUp();
        else if (step.kind === 'rotate') {
          rotations += 1;
          rotateSealingKey(path, null);
        } else if (step.kind === 'reserve') {
          using(path, (database) => {
            const keyId = counterKeyId(database, KEYS[step.key]!, TITLE);
            const first = reserveCounters(database, keyId, step.count);
            expect(first).toBeGreaterThanOrEqual(highest.get(step.key) ?? 0);
            highest.set(step.key, first + step.count);
            sayAlive(database, now);
          });
          // No meter takes more in a second; a restore relies on it.
          now += Math.ceil((step.count / 64) * 1000);
        } else {
          const { file, key } = backups[step.which % backups.length]!;
          damage(path, step.lose);
          const backupKey = rotations > 0 ? { backupKey: readKeyFile({ path: key, credential: false }) } : {};
          restoreDatabase({ file: path, backup: file, now, ...backupKey });
        }
      }
    }),
    {
      numRuns: 40,
      examples: [
        // Twice from the same backup, the second time with nothing to read.
        [[lost('nothing'), reserve, lost('end'), reserve, reserve]],
        // First from an older backup, whose line is the higher one.
        [[reserve, { kind: 'backup' }, lost('file'), reserve, lost('end', 1), reserve]],
      ],
    },
  );
}, 120_000);

describe('how far they go on', () => {
  const KEY = KEYS[0]!;
  const secrets = { ...NO_SECRETS, blockCipherKey: KEY };
  /** What the counters go on by for a day. */
  const DAY = 1_001_000 + 128 * 86_400;

  /** A database whose key has 100 counters less, and a backup of it. */
  async function scene(meters: number): Promise<{ readonly path: string; readonly file: string }> {
    const path = join(temporaryDirectory(), 'dlms.db');
    const database = initDatabase(path);
    addTarget(database, newTarget());
    for (let n = 0; n < meters; n += 1) addMeter(database, newMeter(`house${n}`, { secrets }));
    const [row] = loadCounters(database);
    reserveCounters(database, row!.keyId, 100);
    const { file } = await backedUp(path);
    reserveCounters(database, row!.keyId, 50);
    sayAlive(database, NOW + 24 * HOUR);
    database.close();
    return { path, file };
  }

  const nextIn = (path: string): readonly number[] => using(path, loadCounters).map(({ next }) => next);

  test('from the database before, where that can be read', async () => {
    const { path, file } = await scene(1);
    const { counters } = restoreDatabase({ file: path, backup: file, now: NOW + 24 * HOUR + 5000 });
    expect(counters).toEqual({ known: true, margin: 5 * 128 });
    expect(nextIn(path)).toEqual([150 + 5 * 128]);
    // A key that comes now is known to be new.
    using(path, (database) => expect(reserveCounters(database, new Uint8Array(32), 16)).toBe(0));
  });

  test('by a lead and 128 for each second since the backup, where it cannot; keys that nobody knows begin there', async () => {
    const { path, file } = await scene(1);
    damage(path, 'file');
    const { counters } = restoreDatabase({ file: path, backup: file, now: NOW + 24 * HOUR });
    expect(counters).toEqual({ known: false, margin: DAY });
    expect(nextIn(path)).toEqual([100 + DAY]);
    using(path, (database) => {
      expect(reserveCounters(database, new Uint8Array(32), 16)).toBe(DAY);
      addMeter(database, newMeter('late', { secrets: { ...NO_SECRETS, blockCipherKey: KEYS[1]! } }));
      expect(loadCounters(database).at(-1)?.next).toBe(DAY);
    });
  });

  test('from the backup, too, where the database before is damaged: its page of counters may be an old one', async () => {
    const { path, file } = await scene(1);
    for (const suffix of ['-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true });
    overwrite(path, pagesWith(path, 'house0')[0]!, Buffer.alloc(PAGE));
    expect(restoreDatabase({ file: path, backup: file, now: NOW + 24 * HOUR }).counters.known).toBe(false);
    expect(nextIn(path)).toEqual([100 + DAY]);
  });

  test('for each meter that has the key', async () => {
    const { path, file } = await scene(3);
    damage(path, 'file');
    restoreDatabase({ file: path, backup: file, now: NOW + 1000 });
    expect(nextIn(path)).toEqual([100 + 1_003_000 + 3 * 128]);
  });

  test('by no more than a daemon can use, however many meters have the key', async () => {
    const { path, file } = await scene(200);
    damage(path, 'file');
    restoreDatabase({ file: path, backup: file, now: NOW + 24 * HOUR });
    expect(nextIn(path)).toEqual([100 + 1_200_000 + 10_000 * 86_400]);
  });

  test('by 90 days where the clock is behind the backup', async () => {
    const { path, file } = await scene(1);
    damage(path, 'file');
    const { counters } = restoreDatabase({ file: path, backup: file, now: NOW - HOUR });
    expect(counters.margin).toBe(1_001_000 + 128 * 86_400 * 90);
  });

  test('to their end, and then none is given', async () => {
    const { path, file } = await scene(1);
    damage(path, 'file');
    restoreDatabase({ file: path, backup: file, now: NOW + 900 * 24 * HOUR });
    expect(nextIn(path)).toEqual([2 ** 32]);
    using(path, (database) => {
      expect(codeOf(() => reserveCounters(database, loadCounters(database)[0]!.keyId, 1))).toBe('COUNTER_EXHAUSTED');
      expect(codeOf(() => reserveCounters(database, new Uint8Array(32), 1))).toBe('COUNTER_EXHAUSTED');
    });
  });

  test('under the names that they had, after a rotation of the key', async () => {
    const { path } = await scene(1);
    const before = using(path, (database) => toHex(counterKeyId(database, KEY, TITLE)));
    rotateSealingKey(path, null);
    rotateSealingKey(path, null);
    expect(using(path, (database) => toHex(counterKeyId(database, KEY, TITLE)))).toBe(before);
  });
});
