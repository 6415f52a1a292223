/** A restore and a rotation of the key that are killed before each of their steps: what was, or what was to be, is there. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { silentLogger } from '../../src/runtime/logger.ts';
import { createBackup } from '../../src/store/backup/backup.ts';
import { makeSound } from '../../src/store/backup/repair.ts';
import { restoreDatabase } from '../../src/store/backup/restore.ts';
import { checkDatabase, type Database, openDatabase } from '../../src/store/database.ts';
import { loadFleet } from '../../src/store/fleet/load.ts';
import { addMeter } from '../../src/store/fleet/meters.ts';
import { rotateSealingKey } from '../../src/store/key-rotation.ts';
import { loadCounters, reserveCounters } from '../../src/store/local/counters.ts';
import { createOutboxReader } from '../../src/store/local/outbox-reader.ts';
import { openWriter } from '../../src/store/local/writer.ts';
import { type Built, buildStore, childScript } from './built.ts';
import { cycle, GATEWAY_TOKEN, newFleet, newMeter, temporaryDirectory } from './support.ts';

let built: Built;
beforeAll(() => {
  built = buildStore();
}, 60_000);
afterAll(() => built.remove());

const KEY_ID = new Uint8Array(32).fill(7);
const NOW = Date.UTC(2026, 0, 1);

/** A database with a backup of it, after which a meter, a row and counters came. */
async function scene(): Promise<{ readonly directory: string; readonly backup: string }> {
  const database = newFleet();
  addMeter(database, newMeter('before'));
  reserveCounters(database, KEY_ID, 100);
  const writer = await openWriter(database.path, { thread: false });
  await writer.commitCycle(cycle('early'));
  const directory = join(dirname(database.path), 'backups');
  const { signal } = new AbortController();
  const { file } = await createBackup(database.path, { directory, keep: 3, now: NOW, signal });
  addMeter(database, newMeter('after'));
  reserveCounters(database, KEY_ID, 900);
  await writer.commitCycle(cycle('late'));
  // As a daemon that was killed leaves it: what came last stands in the write-ahead log.
  const copy = join(temporaryDirectory(), 'copy');
  cpSync(dirname(database.path), copy, { recursive: true });
  await writer.close();
  return { directory: copy, backup: join(copy, 'backups', file.slice(directory.length + 1)) };
}

/** How many calls it made, where it was not killed. */
function childKilledAt(call: number, verb: string, ...rest: readonly string[]): number | null {
  const child = spawnSync(process.execPath, [
    childScript('killed-at.mjs'),
    built.directory,
    String(call),
    verb,
    ...rest,
  ]);
  if (child.signal === 'SIGKILL') return null;
  if (child.status !== 0) throw new Error(String(child.stderr));
  return Number(child.stdout);
}

/** Runs it once for each of its calls, killed there, in a copy of the directory of its own. */
function forEachCall(
  directory: string,
  verb: string,
  backup: string,
  look: (path: string, call: number) => void,
): number {
  for (let call = 1; ; call += 1) {
    const copy = join(temporaryDirectory(), 'copy');
    cpSync(directory, copy, { recursive: true });
    const path = join(copy, 'dlms.db');
    const calls = childKilledAt(call, verb, path, backup.replace(directory, copy));
    look(path, call);
    if (calls !== null) return calls;
  }
}

function using<T>(path: string, action: (database: Database) => T): T {
  const database = openDatabase(path);
  try {
    checkDatabase(database);
    return action(database);
  } finally {
    database.close();
  }
}

const stateOf = (path: string) =>
  using(path, (database) => ({
    meters: loadFleet(database).meters.map(({ name }) => name),
    token: loadFleet(database).connections[0]?.token,
    cycles: createOutboxReader(database)
      .pending(1, 0, 10)
      .map(({ cycleId }) => cycleId),
    next: loadCounters(database)[0]?.next ?? 0,
  }));

describe('killed before each call', () => {
  test('a restore leaves the database that was, or the restored one', async () => {
    const { directory, backup } = await scene();
    const seen = new Set<string>();
    const calls = forEachCall(directory, 'restore', backup, (path, call) => {
      expect({ call, repair: makeSound(path, NOW + 1000, silentLogger) }).toEqual({ call, repair: null });
      const { meters, next, cycles, token } = stateOf(path);
      expect({ call, cycles: [...cycles].sort(), token }).toEqual({
        call,
        cycles: ['early', 'late'],
        token: GATEWAY_TOKEN,
      });
      const isOld = meters.includes('after');
      seen.add(isOld ? 'old' : 'new');
      // The old one goes on where it was; of the new one nobody can have used a counter.
      expect(isOld ? next === 1000 : next >= 1_000_000).toBe(true);
      expect(readdirSync(dirname(path)).filter((name) => name.endsWith('.next'))).toEqual([]);
      const file = backup.replace(directory, dirname(path));
      restoreDatabase({ file: path, backup: file, now: NOW + 2000 });
      expect(stateOf(path).meters).toEqual(['before']);
      expect(readdirSync(dirname(path)).filter((name) => /staged|salvage|next/.test(name))).toEqual([]);
    });
    expect(calls).toBeGreaterThan(20);
    expect(seen).toEqual(new Set(['old', 'new']));
  }, 120_000);

  test('a rotation leaves the database with a key that opens it', async () => {
    const { directory } = await scene();
    const before = readFileSync(join(directory, 'dlms.key'), 'utf8');
    const seen = new Set<boolean>();
    const calls = forEachCall(directory, 'rotate', '', (path, call) => {
      const keyFile = join(dirname(path), 'dlms.key');
      // Whoever looks meanwhile finds the key, too.
      expect({ call, token: stateOf(path).token }).toEqual({ call, token: GATEWAY_TOKEN });
      expect({ call, repair: makeSound(path, NOW + 1000, silentLogger) }).toEqual({ call, repair: null });
      expect(existsSync(`${keyFile}.new`)).toBe(false);
      const { token, meters, next } = stateOf(path);
      expect({ call, token, meters, next }).toEqual({
        call,
        token: GATEWAY_TOKEN,
        meters: ['before', 'after'],
        next: 1000,
      });
      seen.add(readFileSync(keyFile, 'utf8') === before);
      rotateSealingKey(path, null);
      expect(stateOf(path).token).toBe(GATEWAY_TOKEN);
    });
    expect(calls).toBeGreaterThan(10);
    expect(seen).toEqual(new Set([true, false]));
  }, 120_000);
});
