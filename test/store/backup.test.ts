/** Copies of a database that is in use. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { BridgeError } from '../../src/core/errors.ts';
import { createBackup, listBackups } from '../../src/store/backup/backup.ts';
import { backupDirectoryOf, stampOf, timeIn } from '../../src/store/backup/names.ts';
import { addMeter } from '../../src/store/fleet/meters.ts';
import { latestVersion } from '../../src/store/migrations.ts';
import { type Built, buildStore, childScript } from './built.ts';
import { backedUp, closed, commitAll, HOUR, NOW, overwrite, PAGE, pagesWith, writerOf } from './replaced-support.ts';
import { newFleet, newMeter, temporaryDirectory } from './support.ts';

const quiet = new AbortController().signal;
const namesIn = (directory: string): string[] => readdirSync(directory).sort();

describe('a name', () => {
  test('carries its time', () => {
    expect(stampOf(NOW + 5)).toBe('20260101T000000005Z');
    expect(timeIn(`dlms-${stampOf(NOW + 5)}.db`, 'dlms-', '.db')).toBe(NOW + 5);
    for (const other of ['dlms.db', 'dlms-20261301T000000000Z.db', 'dlms-20260101.db', `x${stampOf(NOW)}.db`]) {
      expect(timeIn(other, 'dlms-', '.db')).toBeNull();
    }
  });
});

describe('a backup', () => {
  test('is one file that says what is in it, with the rights of the database', async () => {
    const database = newFleet();
    addMeter(database, newMeter('house1'));
    await commitAll(await writerOf(database), ['a', 'b']);
    const backup = await backedUp(database.path);
    expect(backup).toMatchObject({
      takenAt: NOW,
      meters: 1,
      outboxRows: 2,
      schemaVersion: latestVersion(),
      removed: [],
    });
    const directory = backupDirectoryOf(database.path);
    expect(namesIn(directory)).toEqual(['dlms-20260101T000000000Z.db']);
    expect(statSync(backup.file).mode & 0o777).toBe(statSync(database.path).mode & 0o777);
    expect(statSync(directory).mode & 0o007).toBe(0);
    const copy = new BetterSqlite3(backup.file, { readonly: true });
    expect(copy.pragma('journal_mode', { simple: true })).toBe('delete');
    expect(copy.prepare("SELECT updated_at FROM status WHERE subject = 'backup'").pluck().get()).toBe(NOW);
    copy.close();
    expect(namesIn(directory)).toHaveLength(1);
  });

  test('beyond those that are kept the oldest go, and nothing that is not ours', async () => {
    const database = newFleet();
    const directory = backupDirectoryOf(database.path);
    mkdirSync(directory);
    writeFileSync(join(directory, 'mine.db'), '');
    for (let hour = 0; hour < 4; hour += 1) await backedUp(database.path, NOW + hour * HOUR, 2);
    expect(namesIn(directory)).toEqual(['dlms-20260101T020000000Z.db', 'dlms-20260101T030000000Z.db', 'mine.db']);
    expect(listBackups(directory).map(({ takenAt }) => takenAt)).toEqual([NOW + 3 * HOUR, NOW + 2 * HOUR]);
    expect(listBackups(join(directory, 'nowhere'))).toEqual([]);
  });

  test('of a damaged database is none', async () => {
    const database = newFleet();
    await commitAll(
      await writerOf(database),
      Array.from({ length: 40 }, (_, n) => `row-${n}`),
    );
    const path = closed(database);
    overwrite(path, pagesWith(path, '"row-')[2]!, Buffer.alloc(PAGE));
    await expect(backedUp(path)).rejects.toMatchObject({ code: 'DATABASE_CORRUPT' });
    expect(namesIn(backupDirectoryOf(path))).toEqual([]);
  });

  test('that is broken off leaves nothing', async () => {
    const database = newFleet();
    const stop = new AbortController();
    stop.abort(new BridgeError('INTERRUPTED', 'stopped by a signal'));
    const directory = join(temporaryDirectory(), 'elsewhere');
    const options = { directory, keep: 3, now: NOW, signal: stop.signal };
    await expect(createBackup(database.path, options)).rejects.toMatchObject({ code: 'INTERRUPTED' });
    expect(namesIn(directory)).toEqual([]);
    // The database is not held.
    addMeter(database, newMeter('house1'));
  });

  test('clears away what others that were killed left, a day later', async () => {
    const database = newFleet();
    const directory = backupDirectoryOf(database.path);
    mkdirSync(directory);
    const left = [`dlms-${stampOf(NOW)}.db.tmp`, `dlms-${stampOf(NOW)}.db.tmp-journal`];
    for (const name of left) writeFileSync(join(directory, name), 'half');
    await backedUp(database.path, NOW + HOUR);
    expect(namesIn(directory)).toEqual(expect.arrayContaining(left));
    await backedUp(database.path, NOW + 25 * HOUR);
    expect(namesIn(directory)).toEqual(
      listBackups(directory)
        .map(({ file }) => file.slice(directory.length + 1))
        .sort(),
    );
  });

  test('takes no room that the outbox needs', async ({ skip }) => {
    const directory = temporaryDirectory();
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32m', 'tmpfs', directory], { stdio: 'ignore' });
    } catch {
      skip('mounting a tmpfs is not permitted here');
    }
    onTestFinished(() => void execFileSync('umount', ['-l', directory]));
    const options = { directory, keep: 3, now: NOW, signal: quiet };
    await expect(createBackup(newFleet().path, options)).rejects.toMatchObject({ code: 'DATABASE_FULL' });
    expect(namesIn(directory)).toEqual([]);
  });
});

describe('while a process commits', () => {
  let built: Built;
  beforeAll(() => {
    built = buildStore();
  }, 60_000);
  afterAll(() => built.remove());

  test('each copy is of one moment', async () => {
    const database = newFleet();
    const child = spawn(process.execPath, [childScript('committing.mjs'), built.directory, database.path]);
    onTestFinished(() => void child.kill('SIGKILL'));
    child.stderr.pipe(process.stderr);
    await once(child.stdout, 'data');
    child.stdout.resume();
    const copies: number[] = [];
    for (let n = 0; n < 5; n += 1) {
      const { file, outboxRows } = await backedUp(database.path, NOW + n);
      const copy = new BetterSqlite3(file, { readonly: true });
      const totals = new Map(copy.prepare<[], [string, number]>('SELECT name, value FROM counter').raw().all());
      expect(copy.pragma('integrity_check', { simple: true })).toBe('ok');
      // Rows and the figures about them are committed together.
      expect(outboxRows).toBe((totals.get('rows') ?? 0) - (totals.get('delivered') ?? 0));
      copies.push(totals.get('rows') ?? 0);
      copy.close();
    }
    expect(child.exitCode).toBeNull();
    expect(new Set(copies).size).toBeGreaterThan(1);
    expect(existsSync(join(dirname(database.path), 'backups'))).toBe(true);
  }, 30_000);
});
