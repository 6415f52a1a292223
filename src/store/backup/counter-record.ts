/**
 * Where invocation counters were when a database was restored, in a file beside it: what the restored database used since
 * began there, which the next restore has to know even if that database can be read no more.
 */
import { closeSync, existsSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type BetterSqlite3 from 'better-sqlite3';
import { mapped } from '../errors.ts';
import { makeDurable, ownAsDirectory } from '../key-file.ts';
import { titleIn } from './last-heard.ts';
import { allOrNull } from './salvage.ts';

export interface CounterRecord {
  /** System title of the installation, in hex. */
  readonly title: string;
  /** Milliseconds UTC. */
  readonly at: number;
  /** Where keys begin that are not among `counters`. */
  readonly floor: number;
  /** The next counter of each key, by its name in hex. */
  readonly counters: Readonly<Record<string, number>>;
}

function recordFileOf(file: string): string {
  return `${file}.counters`;
}

/** What is recorded of this installation; null for nothing. */
export function readCounterRecord(file: string, title: string | null): CounterRecord | null {
  const path = recordFileOf(file);
  if (!existsSync(path)) return null;
  try {
    const record = JSON.parse(readFileSync(path, 'utf8')) as CounterRecord;
    return record.title === title ? record : null;
  } catch (thrown) {
    // It is written in one piece: what is no record is nobody's.
    if (thrown instanceof SyntaxError) return null;
    throw thrown;
  }
}

/** Records the counters of a restored database, durably. */
export function writeCounterRecord(file: string, restored: BetterSqlite3.Database, at: number): void {
  const rows = allOrNull<{ name: string; next: number }>(
    restored,
    'SELECT lower(hex(key_id)) AS name, next FROM invocation_counter',
  );
  const floor = allOrNull<{ floor: number }>(restored, 'SELECT counter_floor AS floor FROM installation');
  const record: CounterRecord = {
    title: titleIn(restored) ?? '',
    at,
    floor: floor?.[0]?.floor ?? 0,
    counters: Object.fromEntries((rows ?? []).map(({ name, next }) => [name, next])),
  };
  const path = recordFileOf(file);
  mapped(path, () => {
    const made = `${path}.tmp`;
    rmSync(made, { force: true });
    const handle = openSync(made, 'wx', 0o600);
    try {
      writeSync(handle, JSON.stringify(record));
    } finally {
      closeSync(handle);
    }
    ownAsDirectory(made);
    makeDurable(made);
    renameSync(made, path);
    makeDurable(dirname(path));
  });
}
