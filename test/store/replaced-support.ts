/** A database that was in use, with a backup from before: for tests of restores and repairs. */
import { closeSync, openSync, readdirSync, readFileSync, statSync, writeSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Backup, createBackup } from '../../src/store/backup/backup.ts';
import { backupDirectoryOf } from '../../src/store/backup/names.ts';
import type { Database } from '../../src/store/database.ts';
import { createOutboxReader } from '../../src/store/local/outbox-reader.ts';
import type { Writer } from '../../src/store/local/types.ts';
import { openWriter } from '../../src/store/local/writer.ts';
import { cycle, reading } from './support.ts';

export const NOW = Date.UTC(2026, 0, 1);
export const HOUR = 3_600_000;

export function backedUp(path: string, now = NOW, keep = 5): Promise<Backup> {
  const { signal } = new AbortController();
  return createBackup(path, { directory: backupDirectoryOf(path), keep, now, signal });
}

/** A writer that goes with the test. */
export async function writerOf(database: Database): Promise<Writer> {
  const writer = await openWriter(database.path, { thread: false });
  onTestFinished(() => writer.close());
  return writer;
}

/** Commits one row for each cycle, each long enough that a few fill a page. */
export async function commitAll(writer: Writer, cycles: readonly string[], connectionIds: readonly number[] = [1]) {
  const ids: number[] = [];
  for (const cycleId of cycles) {
    const readings = [reading('voltageL1'), reading('note', { value: cycleId.padEnd(600, '.') })];
    ids.push(...(await writer.commitCycle(cycle(cycleId, { readings, connectionIds }))));
  }
  return ids;
}

/** Everything in its file, as after an orderly end. */
export function closed(database: Database): string {
  database.sql.pragma('wal_checkpoint(TRUNCATE)');
  database.close();
  return database.path;
}

/** Cycles of the rows that wait for a connection, in their order. */
export function waiting(database: Database, connectionId = 1): string[] {
  return createOutboxReader(database)
    .pending(connectionId, 0, 100_000)
    .map(({ cycleId }) => cycleId);
}

export function filesLike(path: string, what: RegExp): string[] {
  return readdirSync(dirname(path)).filter((name) => name.startsWith(basename(path)) && what.test(name));
}

export function overwrite(path: string, offset: number, octets: Uint8Array): void {
  const handle = openSync(path, 'r+');
  try {
    writeSync(handle, octets, 0, octets.length, offset);
  } finally {
    closeSync(handle);
  }
}

export const PAGE = 4096;

/** Leaf pages of tables that hold this text, as offsets in the file. */
export function pagesWith(path: string, text: string): number[] {
  const octets = readFileSync(path);
  const pages = Math.floor(statSync(path).size / PAGE);
  return Array.from({ length: pages }, (_, page) => page * PAGE).filter(
    (at) => octets[at] === 0x0d && octets.subarray(at, at + PAGE).includes(text),
  );
}
