import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { BALLAST_OCTETS, createBallast } from '../../src/store/ballast.ts';
import { COMMAND_BUSY_MS, type Database } from '../../src/store/database.ts';
import { addTarget } from '../../src/store/fleet/targets.ts';
import { createOutboxReader } from '../../src/store/local/outbox-reader.ts';
import type { WriterReply, WriterRequest } from '../../src/store/local/requests.ts';
import { loadStatus } from '../../src/store/local/status.ts';
import { openWriterCore, type WriterCore, type WriterCoreOptions } from '../../src/store/local/writer-core.ts';
import { fillDisk, mountSmallDisk } from '../support/small-disk.ts';
import { newDatabase, newFleet, newTarget, temporaryDirectory } from './support.ts';

const commit: WriterRequest = {
  kind: 'commit',
  cycleId: 'c',
  meterId: 1,
  device: 'house1',
  createdAt: 1,
  connectionIds: [1],
  readings: JSON.stringify([['key', 1, 's', 'x'.repeat(2000)]]),
  readingCount: 1,
  learned: [],
};
const acknowledge = (...rowIds: number[]): WriterRequest => ({ kind: 'acknowledge', rowIds });
const status: WriterRequest = { kind: 'status', entries: [{ subject: 'daemon', json: '{}' }], updatedAt: 1 };
const reserve: WriterRequest = { kind: 'reserve-counters', keyId: new Uint8Array(32), count: 16 };
const verdict = (reply: WriterReply | undefined): string => (reply?.ok === false ? reply.failure.code : 'ok');

function openCore(database: Database, options: Partial<WriterCoreOptions> = {}): WriterCore {
  const core = openWriterCore(database.path, { busyTimeoutMs: COMMAND_BUSY_MS, ...options });
  onTestFinished(() => core.close());
  return core;
}

/** Commits until the disk is full; returns the rows that were acknowledged to be there. */
function fill(core: WriterCore): number[] {
  const rows: number[] = [];
  for (;;) {
    const [reply] = core.apply([commit]);
    if (reply?.ok !== true) {
      expect(verdict(reply)).toBe('DATABASE_FULL');
      return rows;
    }
    rows.push(...reply.result);
    expect(rows.length).toBeLessThan(100_000);
  }
}

describe('a database that may not grow', () => {
  test('refuses commits, still acknowledges, and takes commits again', () => {
    const database = newFleet();
    const pages = Number(database.sql.pragma('page_count', { simple: true }));
    const core = openCore(database, { ballastOctets: 65_536, maxPages: pages + 20 });
    const outbox = createOutboxReader(database);
    const rows = fill(core);
    expect(rows.length).toBeGreaterThan(5);
    expect(outbox.depth().rows).toBe(rows.length);
    expect(core.apply([commit, acknowledge(...rows.slice(0, 4)), commit, status, reserve]).map(verdict)).toEqual([
      'DATABASE_FULL',
      'ok',
      'DATABASE_FULL',
      'ok',
      'ok',
    ]);
    // The attempt that the full disk undid took none.
    expect(core.apply([reserve])).toEqual([{ ok: true, result: [16] }]);
    expect(outbox.depth().rows).toBe(rows.length - 4);
    expect(loadStatus(database).size).toBe(1);
    expect(core.apply([commit, commit]).map(verdict)).toEqual(['ok', 'ok']);
    expect(outbox.depth().rows).toBe(rows.length - 2);
  });
});

describe('ballast', () => {
  test('is made, given back and made again', () => {
    const path = join(temporaryDirectory(), 'dlms.db');
    const ballast = createBallast(path, 100_000);
    expect(ballast.held).toBe(false);
    expect(ballast.restore()).toBe(true);
    expect(createBallast(path, 100_000).held).toBe(true);
    expect(createBallast(path, 100_001).held).toBe(false);
    ballast.release();
    expect(existsSync(`${path}.ballast`)).toBe(false);
    expect(ballast.restore()).toBe(true);
  });

  test('is 8 MB beside the database', () => {
    const database = newFleet();
    openCore(database);
    expect(createBallast(database.path).held).toBe(true);
    expect(BALLAST_OCTETS).toBe(8 * 1024 * 1024);
  });
});

describe('a disk that is really full', () => {
  test('the outbox drains on the ballast, and commits go on when there is room', ({ skip }) => {
    const directory = temporaryDirectory();
    if (!mountSmallDisk(directory, 24, onTestFinished)) skip('mounting a tmpfs is not permitted here');
    const database = newDatabase(join(directory, 'dlms.db'));
    addTarget(database, newTarget());
    const core = openCore(database);
    const outbox = createOutboxReader(database);
    const before = fill(core);
    expect(before.length).toBeGreaterThan(100);
    expect(existsSync(`${database.path}.ballast`)).toBe(false);
    // Somebody else takes most of the room that was given back.
    const filler = fillDisk(directory, 6 << 20);

    expect(core.apply([commit, acknowledge(...before.slice(0, 50)), status]).map(verdict)).toEqual([
      'DATABASE_FULL',
      'ok',
      'ok',
    ]);
    for (const row of before.slice(50)) expect(core.apply([acknowledge(row)]).map(verdict)).toEqual(['ok']);
    expect(outbox.depth()).toEqual({ rows: 0, oldest: null, bytes: 0, quarantined: 0 });
    expect(core.apply([commit]).map(verdict)).toEqual(['DATABASE_FULL']);

    rmSync(filler);
    database.sql.pragma('wal_checkpoint(TRUNCATE)');
    expect(core.apply([commit]).map(verdict)).toEqual(['ok']);
    expect(existsSync(`${database.path}.ballast`)).toBe(true);
  });
});
