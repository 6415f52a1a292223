/** A restore by an operator: what comes back, what the database before knew better, and what is refused. */
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { restoreDatabase } from '../../src/store/backup/restore.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { loadFleet, loadLearned } from '../../src/store/fleet/load.ts';
import { addMeter } from '../../src/store/fleet/meters.ts';
import { addTarget } from '../../src/store/fleet/targets.ts';
import { rotateSealingKey } from '../../src/store/key-rotation.ts';
import { addCommand, loadCommand } from '../../src/store/local/commands.ts';
import { listOutbox } from '../../src/store/local/outbox-keeping.ts';
import { latestVersion } from '../../src/store/migrations.ts';
import {
  backedUp,
  closed,
  commitAll,
  filesLike,
  HOUR,
  NOW,
  overwrite,
  PAGE,
  waiting,
  writerOf,
} from './replaced-support.ts';
import { codeOf, cycle, newFleet, newMeter, newTarget, temporaryDirectory } from './support.ts';

function restored(path: string, backup: string, now = NOW + HOUR) {
  return restoreDatabase({ file: path, backup, now });
}

function using<T>(path: string, action: (database: Database) => T): T {
  const database = openDatabase(path);
  try {
    return action(database);
  } finally {
    database.close();
  }
}

/** The daemon says that it lives, later than the backup: the database goes on from it. */
const LIVES = [{ subject: 'daemon', json: '{}' }];

describe('the outbox', () => {
  test('has every row once that the database before still had, and none that it had delivered', async () => {
    const database = newFleet();
    const writer = await writerOf(database);
    const ids = await commitAll(writer, ['delivered', 'refused', 'waits']);
    const { file } = await backedUp(database.path);
    await writer.acknowledge([ids[0]!]);
    await writer.quarantine([ids[1]!], 'told so');
    await commitAll(writer, ['new', 'new and refused']);
    await writer.quarantine([5], 'too long');
    await writer.saveStatus(LIVES);
    await writer.close();
    const path = closed(database);
    // Time through the port is not the status's: it was written by the system clock, after the backup's NOW.
    const { outbox } = restored(path, file, Date.now() + 1000);
    expect(outbox).toEqual({ restored: 3, settled: 1, salvaged: 2, unreadable: 0, unplaced: 0 });
    using(path, (after) => {
      expect(waiting(after)).toEqual(['waits', 'new']);
      expect(listOutbox(after, { quarantined: true, limit: 10 }).map(({ reason }) => reason)).toEqual([
        'told so',
        'too long',
      ]);
    });
    // Once more: nothing comes twice.
    restored(path, file, Date.now() + 2000);
    using(path, (after) => expect(waiting(after)).toEqual(['waits', 'new']));
  });

  test('keeps what waits for a meter that came after the backup, under its own token', async () => {
    const database = newFleet('device');
    const writer = await writerOf(database);
    const { file } = await backedUp(database.path);
    addMeter(database, newMeter('house1', { token: 'TOKEN-OF-HOUSE1' }));
    const connection = loadFleet(database).connections.find(({ token }) => token === 'TOKEN-OF-HOUSE1')!;
    await commitAll(writer, ['a', 'b'], [connection.id]);
    await writer.close();
    const path = closed(database);
    expect(restored(path, file).outbox).toMatchObject({ salvaged: 2, unplaced: 0 });
    using(path, (after) => {
      const { meters, connections } = loadFleet(after);
      expect(meters).toEqual([]);
      const kept = connections.find(({ token }) => token === 'TOKEN-OF-HOUSE1')!;
      expect(kept.retired).toBe(true);
      expect(waiting(after, kept.id)).toEqual(['a', 'b']);
    });
  });

  test('says of rows for a target that the backup does not have', async () => {
    const database = newFleet();
    const writer = await writerOf(database);
    const { file } = await backedUp(database.path);
    addTarget(database, newTarget('gateway', { name: 'second', url: 'mqtt://127.0.0.1:1884', token: 'SECOND-TOKEN' }));
    await commitAll(writer, ['a'], [2]);
    await writer.close();
    const path = closed(database);
    const { outbox, aside } = restored(path, file);
    expect(outbox).toMatchObject({ salvaged: 0, unplaced: 1 });
    // They are where they were.
    using(aside!, (before) => expect(waiting(before, 2)).toEqual(['a']));
  });

  test('has nothing of a database of another origin', async () => {
    const first = newFleet();
    await commitAll(await writerOf(first), ['mine']);
    const { file } = await backedUp(first.path);
    const second = newFleet();
    copyFileSync(join(dirname(first.path), 'dlms.key'), join(dirname(second.path), 'dlms.key'));
    const writer = await writerOf(second);
    await commitAll(writer, ['of another']);
    await writer.close();
    const path = closed(second);
    expect(restored(path, file).outbox).toMatchObject({ restored: 1, salvaged: 0, unplaced: 1 });
    using(path, (after) => expect(waiting(after)).toEqual(['mine']));
  });
});

test('what was learned of pushes since is kept, or they could be replayed', async () => {
  const database = newFleet();
  addMeter(database, newMeter('house1'));
  const writer = await writerOf(database);
  const learn = (counter: number): Promise<unknown> =>
    writer.commitCycle(cycle(`push-${counter}`, { learned: [{ kind: 'push-counters', json: `{"k":${counter}}` }] }));
  await learn(5);
  const { file } = await backedUp(database.path);
  await learn(9);
  await writer.saveStatus(LIVES);
  await writer.close();
  const path = closed(database);
  restored(path, file, Date.now() + 1000);
  using(path, (after) => expect(loadLearned(after, 1).get('push-counters')).toBe('{"k":9}'));
});

test('a command that waited in the backup is not begun', async () => {
  const database = newFleet();
  const command = {
    ...{ meter: 'house1', verb: 'relay', subject: 'relay', arguments: '{}', requestedBy: 'cli:x(1)' },
    ...{ idempotencyKey: null, createdAt: NOW, deadline: NOW + 10 * HOUR },
  };
  const id = addCommand(database, command);
  const { file } = await backedUp(database.path);
  const path = closed(database);
  restored(path, file);
  using(path, (after) => expect(loadCommand(after, id).state).toBe('cancelled'));
});

describe('who has the database open meanwhile', () => {
  test('goes on reading what was, and writes to neither', async () => {
    const database = newFleet();
    const { file } = await backedUp(database.path);
    const { aside } = restored(database.path, file);
    expect(loadFleet(database).meters).toEqual([]);
    expect(codeOf(() => addMeter(database, newMeter('house1')))).toBe('DATABASE_LOCKED');
    using(database.path, (after) => expect(loadFleet(after).meters).toEqual([]));
    using(aside!, (before) => expect(loadFleet(before).meters).toEqual([]));
  });

  test('and writes, is waited for', async () => {
    const database = newFleet();
    const { file } = await backedUp(database.path);
    database.sql.exec('BEGIN IMMEDIATE');
    expect(codeOf(() => restored(database.path, file))).toBe('DATABASE_LOCKED');
    database.sql.exec('ROLLBACK');
    expect(filesLike(database.path, /staged|next|aside/)).toEqual([]);
  }, 20_000);
});

describe('refused, with the database as it was', () => {
  async function scene(): Promise<{ readonly path: string; readonly file: string; readonly was: Buffer }> {
    const database = newFleet();
    await commitAll(
      await writerOf(database),
      Array.from({ length: 60 }, (_, n) => `c${n}`),
    );
    const { file } = await backedUp(database.path);
    const path = closed(database);
    return { path, file, was: readFileSync(path) };
  }

  test.each([
    ['a damaged copy', 'DATABASE_CORRUPT', (file: string) => overwrite(file, 5 * PAGE, Buffer.alloc(PAGE, 0xff))],
    ['an empty file', 'DATABASE_CORRUPT', (file: string) => writeFileSync(file, '')],
    ['no database', 'DATABASE_CORRUPT', (file: string) => writeFileSync(file, 'text '.repeat(100))],
    ['what is not there', 'NOT_FOUND', (file: string) => rmSync(file)],
    [
      'a newer one',
      'DATABASE_TOO_NEW',
      (file: string) => {
        const sql = new BetterSqlite3(file);
        sql.pragma(`user_version = ${latestVersion() + 1}`);
        sql.close();
      },
    ],
  ] as const)('%s', async (_, code, spoil) => {
    const { path, file, was } = await scene();
    spoil(file);
    const act = (): unknown => restored(path, file);
    expect(codeOf(act)).toBe(code);
    expect(act).toThrow(file);
    expect(readFileSync(path)).toEqual(was);
    expect(filesLike(path, /aside|staged|next/)).toEqual([]);
  });

  test('a copy that was made with another key, until that is named', async () => {
    const database = newFleet();
    addMeter(database, newMeter('house1'));
    const { file } = await backedUp(database.path);
    const path = closed(database);
    const old = join(temporaryDirectory(), 'old.key');
    rotateSealingKey(path, old);
    expect(codeOf(() => restored(path, file))).toBe('SEALING_KEY_WRONG');
    const backupKey = Buffer.from(readFileSync(old, 'ascii').trim(), 'hex');
    expect(codeOf(() => restoreDatabase({ file: path, backup: file, now: NOW, backupKey: Buffer.alloc(32) }))).toBe(
      'SEALING_KEY_WRONG',
    );
    restoreDatabase({ file: path, backup: file, now: NOW, backupKey });
    using(path, (after) => expect(loadFleet(after).meters.map(({ name }) => name)).toEqual(['house1']));
  });

  test('the database itself', async () => {
    const { path } = await scene();
    expect(codeOf(() => restored(path, path))).toBe('INVALID_VALUE');
  });
});

test('a copy that was made by hand, with its write-ahead log', async () => {
  const database = newFleet();
  addMeter(database, newMeter('house1'));
  const copy = join(temporaryDirectory(), 'mine.db');
  copyFileSync(database.path, copy);
  copyFileSync(`${database.path}-wal`, `${copy}-wal`);
  const other = newFleet();
  copyFileSync(join(dirname(database.path), 'dlms.key'), join(dirname(other.path), 'dlms.key'));
  const path = closed(other);
  rmSync(path);
  expect(restored(path, copy).aside).toBeNull();
  using(path, (after) => expect(loadFleet(after).meters.map(({ name }) => name)).toEqual(['house1']));
  expect(existsSync(`${path}-shm`)).toBe(false);
});
