/** Databases that are damaged in every way, repaired from a backup with what can still be read of them. */
import { copyFileSync, cpSync, existsSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { silentLogger } from '../../src/runtime/logger.ts';
import { makeSound, suspect } from '../../src/store/backup/repair.ts';
import { checkDatabase, openDatabase } from '../../src/store/database.ts';
import { loadFleet } from '../../src/store/fleet/load.ts';
import { addMeter } from '../../src/store/fleet/meters.ts';
import { revision } from '../../src/store/fleet/revision.ts';
import { acknowledgeAlerts, awaitsNote, loadAlerts } from '../../src/store/local/alerts.ts';
import { loadCounters, reserveCounters } from '../../src/store/local/counters.ts';
import { createOutboxReader } from '../../src/store/local/outbox-reader.ts';
import { loadTotals } from '../../src/store/local/status.ts';
import {
  backedUp,
  closed,
  commitAll,
  filesLike,
  HOUR,
  NOW,
  overwrite,
  PAGE,
  pagesWith,
  waiting,
  writerOf,
} from './replaced-support.ts';
import { codeOf, newFleet, newMeter, reopened, temporaryDirectory } from './support.ts';

const KEY_ID = new Uint8Array(32).fill(7);
const EARLY = Array.from({ length: 20 }, (_, n) => `early-${n}`);
const LATE = Array.from({ length: 200 }, (_, n) => `late-${n}`);

/** In use for an hour since its backup; the first of the rows that the backup has were delivered meanwhile. */
async function inUse(): Promise<string> {
  const database = newFleet();
  const writer = await writerOf(database);
  addMeter(database, newMeter('house1'));
  reserveCounters(database, KEY_ID, 500);
  const ids = await commitAll(writer, EARLY);
  await backedUp(database.path);
  await writer.acknowledge(ids.slice(0, 10));
  await commitAll(writer, LATE);
  reserveCounters(database, KEY_ID, 500);
  addMeter(database, newMeter('house2'));
  await writer.close();
  return closed(database);
}

const repair = (path: string, now = NOW + HOUR) => makeSound(path, now, silentLogger);

function repaired(path: string) {
  const database = openDatabase(path);
  try {
    checkDatabase(database);
    const rows = waiting(database);
    const totals = loadTotals(database);
    const depth = createOutboxReader(database).depth();
    // The figures of the outbox agree with what is in it.
    expect(depth.rows + depth.quarantined).toBe(totals.rows - totals.delivered - totals.dropped);
    expect(new Set(rows).size).toBe(rows.length);
    return {
      rows,
      meters: loadFleet(database).meters.map(({ name }) => name),
      next: loadCounters(database)[0]?.next ?? 0,
      revision: revision(database),
      alerts: loadAlerts(database),
    };
  } finally {
    database.close();
  }
}

const late = (rows: readonly string[]): string[] => rows.filter((cycle) => cycle.startsWith('late'));

describe('a damaged database', () => {
  test('whose first page is gone gives all that waited in it', async () => {
    const path = await inUse();
    overwrite(path, 0, Buffer.alloc(PAGE, 0xa5));
    const damaged = readFileSync(path);
    const report = repair(path);
    expect(report?.outbox).toMatchObject({ salvaged: LATE.length, unreadable: 0, unplaced: 0 });
    const { rows, meters, alerts, next } = repaired(path);
    expect(late(rows)).toEqual(LATE);
    expect(meters).toEqual(['house1']);
    expect(next).toBeGreaterThanOrEqual(1_001_000);
    expect(alerts).toMatchObject([{ code: 'DATABASE_REPAIRED', subject: 'daemon', cleared: null }]);
    expect(alerts[0]?.detail).toContain('200 rows of the outbox were salvaged');
    expect(readFileSync(report?.aside ?? '')).toEqual(damaged);
    expect(filesLike(path, /staged|next|salvage/)).toEqual([]);
    // It is sound now.
    expect(repair(path)).toBeNull();
  });

  test('loses no more than stood on the pages that are damaged', async () => {
    const path = await inUse();
    const pages = pagesWith(path, '"late-1');
    for (const at of [pages[3]!, pages[9]!]) overwrite(path, at, Buffer.alloc(PAGE));
    const report = repair(path);
    const lost = LATE.length - late(repaired(path).rows).length;
    // Five or six rows of 700 octets fill a page.
    expect(lost).toBeGreaterThan(0);
    expect(lost).toBeLessThanOrEqual(12);
    expect(report?.outbox.unreadable).toBe(lost);
    expect(report?.detail).toContain(`${lost} rows could not be read`);
  });

  test('that is cut off gives what is left of it', async () => {
    const path = await inUse();
    truncateSync(path, Math.floor((statSync(path).size * 0.7) / PAGE) * PAGE);
    const report = repair(path);
    const { rows } = repaired(path);
    expect(late(rows).length).toBeGreaterThan(20);
    expect(report?.outbox.salvaged).toBe(late(rows).length);
  });

  test.each([
    ['is empty', (path: string) => truncateSync(path, 0)],
    ['is a text', (path: string) => writeFileSync(path, 'nothing that SQLite would know '.repeat(2000))],
    ['is noise', (path: string) => overwrite(path, 0, Buffer.alloc(statSync(path).size, 0x5a))],
  ])('that %s gives way to its backup', async (_, damage) => {
    const path = await inUse();
    damage(path);
    const report = repair(path);
    expect(report?.outbox).toMatchObject({ restored: EARLY.length, salvaged: 0, unreadable: null });
    const { rows, meters, next } = repaired(path);
    expect(rows).toEqual(EARLY);
    expect(meters).toEqual(['house1']);
    expect(next).toBeGreaterThanOrEqual(1_000_500);
  });

  test('of which the last commits stand in the write-ahead log gives these, too', async () => {
    const database = newFleet();
    const writer = await writerOf(database);
    await commitAll(writer, EARLY);
    await backedUp(database.path);
    database.sql.pragma('wal_checkpoint(TRUNCATE)');
    await commitAll(writer, LATE.slice(0, 30));
    const directory = join(temporaryDirectory(), 'copy');
    cpSync(dirname(database.path), directory, { recursive: true });
    const path = join(directory, 'dlms.db');
    overwrite(path, pagesWith(path, '"early-')[1]!, Buffer.alloc(PAGE));
    expect(repair(path)?.outbox.salvaged).toBe(30);
    expect(repaired(path).rows).toEqual([...EARLY, ...LATE.slice(0, 30)]);
  });

  test('moves the revision beyond that of both', async () => {
    const path = await inUse();
    const before = openDatabase(path);
    const seen = revision(before);
    before.close();
    overwrite(path, pagesWith(path, '"late-1')[0]!, Buffer.alloc(PAGE));
    repair(path);
    expect(repaired(path).revision).toBeGreaterThan(seen);
  });

  test('without a backup is left as it is', async () => {
    const path = await inUse();
    rmSync(join(dirname(path), 'backups'), { recursive: true });
    overwrite(path, 0, Buffer.alloc(PAGE, 0xa5));
    const damaged = readFileSync(path);
    expect(() => repair(path)).toThrow(
      expect.objectContaining({ code: 'DATABASE_CORRUPT', hint: expect.stringContaining('dlms restore') }),
    );
    expect(readFileSync(path)).toEqual(damaged);
    expect(filesLike(path, /aside|staged|next/)).toEqual([]);
  });

  test('passes over backups that are no good', async () => {
    const path = await inUse();
    overwrite(path, 0, Buffer.alloc(PAGE, 0xa5));
    const [good] = [join(dirname(path), 'backups', 'dlms-20260101T000000000Z.db')];
    expect(existsSync(good)).toBe(true);
    const directory = join(dirname(path), 'backups');
    writeFileSync(join(directory, 'dlms-20260103T000000000Z.db'), 'no database, and long enough to be looked into');
    copyFileSync(good, join(directory, 'dlms-20260102T000000000Z.db'));
    overwrite(join(directory, 'dlms-20260102T000000000Z.db'), 3 * PAGE, Buffer.alloc(PAGE, 0xff));
    expect(repair(path)?.backup).toBe(good);
  });

  test('is not repaired again within the hour', async () => {
    const path = await inUse();
    overwrite(path, 0, Buffer.alloc(PAGE, 0xa5));
    const now = Date.now();
    repair(path, now);
    overwrite(path, 0, Buffer.alloc(PAGE, 0xa5));
    expect(() => repair(path, now + 600_000)).toThrow(
      expect.objectContaining({ code: 'DATABASE_CORRUPT', hint: expect.stringContaining('disk') }),
    );
    expect(filesLike(path, /aside/)).toHaveLength(1);
    expect(repair(path, now + 2 * HOUR)).not.toBeNull();
  });
});

test('what is no damage is not repaired', async () => {
  const path = await inUse();
  expect(repair(path)).toBeNull();
  suspect(path);
  expect(repair(path)).toBeNull();
  expect(filesLike(path, /suspect|aside/)).toEqual([]);
  const other = join(dirname(path), 'other.db');
  const sql = new BetterSqlite3(other);
  sql.exec('CREATE TABLE t (a)');
  sql.close();
  expect(codeOf(() => repair(other))).toBe('DATABASE_CORRUPT');
  expect(filesLike(other, /aside/)).toEqual([]);
});

test('the alert waits until somebody takes note of it', async () => {
  const path = await inUse();
  overwrite(path, 0, Buffer.alloc(PAGE, 0xa5));
  repair(path);
  const database = openDatabase(path);
  expect(awaitsNote(database, 'DATABASE_REPAIRED')).toBe(true);
  acknowledgeAlerts(database, 'DATABASE_REPAIRED', null, NOW);
  expect(awaitsNote(database, 'DATABASE_REPAIRED')).toBe(false);
  expect(awaitsNote(reopened(database), 'METER_OFFLINE')).toBe(false);
  database.close();
});
