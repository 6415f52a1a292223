/** What only real threads and processes show, on the compiled store. */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { acquireDaemonLock, daemonRuns } from '../../src/store/daemon-lock.ts';
import { checkDatabase } from '../../src/store/database.ts';
import { loadCounters } from '../../src/store/local/counters.ts';
import { createOutboxReader } from '../../src/store/local/outbox-reader.ts';
import { loadTotals } from '../../src/store/local/status.ts';
import { type Built, buildStore, childScript } from './built.ts';
import { codeOf, newFleet, reopened } from './support.ts';

let built: Built;
beforeAll(() => {
  built = buildStore();
}, 60_000);
afterAll(() => built.remove());

function start(script: string, path: string, ...rest: string[]): ChildProcessWithoutNullStreams {
  const child = spawn(process.execPath, [childScript(script), built.directory, path, ...rest]);
  child.stderr.pipe(process.stderr);
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

async function firstLine(child: ChildProcessWithoutNullStreams): Promise<unknown> {
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  return JSON.parse(line);
}

test('commits of 100 ms hold nobody up and are shared', () => {
  const database = newFleet();
  const script = childScript('slow-disk.mjs');
  const output = execFileSync(process.execPath, [script, built.directory, database.path], { encoding: 'utf8' });
  const { groups, turns } = JSON.parse(output) as { groups: number; turns: number };
  expect(groups).toBeLessThan(40);
  // A loop that waited for its commits would turn but a few times for each of them.
  expect(turns).toBeGreaterThan(groups * 100);
  expect(createOutboxReader(database).depth().rows).toBe(201);
}, 30_000);

describe('a process killed at any moment', () => {
  test.each([1, 40, 300, 2000])('after %i lines has lost nothing that it was told is durable', async (count) => {
    const database = newFleet();
    const child = start('committing.mjs', database.path);
    const lines: string[] = [];
    const reader = createInterface(child.stdout).on('line', (line) => {
      if (lines.push(line) === count) child.kill('SIGKILL');
    });
    await once(reader, 'close');

    const committed = new Map<number, string>();
    const asked = new Set<number>();
    const gone = new Set<number>();
    for (const line of lines) {
      const [id = '', word = ''] = line.split(' ');
      if (word === 'asked') asked.add(Number(id));
      else if (word === 'gone') gone.add(Number(id));
      else committed.set(Number(id), word);
    }
    expect(committed.size).toBeGreaterThan(0);

    const after = reopened(database);
    checkDatabase(after);
    const rows = new Map(
      createOutboxReader(after)
        .pending(1, 0, 1_000_000)
        .map((row) => [row.id, row]),
    );
    for (const [id, cycleId] of committed) {
      if (gone.has(id)) expect(rows.has(id)).toBe(false);
      else if (!asked.has(id)) expect(rows.get(id)?.cycleId).toBe(cycleId);
    }
    const totals = loadTotals(after);
    expect(totals.rows - totals.delivered).toBe(rows.size);
  });
});

describe('invocation counters', () => {
  /** A portion that a process was told is its own. */
  interface Portion {
    readonly first: number;
    readonly count: number;
  }

  /** What processes of these kinds were given, all at work at once and each killed after so many portions. */
  async function portionsUntilKilled(path: string, portions: number, kinds: readonly string[]): Promise<Portion[]> {
    const given = await Promise.all(
      kinds.map(async (kind) => {
        const child = start('reserving.mjs', path, kind);
        const lines: string[] = [];
        const reader = createInterface(child.stdout).on('line', (line) => {
          if (lines.push(line) === portions) child.kill('SIGKILL');
        });
        await once(reader, 'close');
        return lines;
      }),
    );
    return given.flat().map((line) => {
      const [first = Number.NaN, count = Number.NaN] = line.split(' ').map(Number);
      return { first, count };
    });
  }

  /** The end of the last portion; fails when two overlap. */
  function endOf(portions: readonly Portion[]): number {
    let end = 0;
    for (const { first, count } of [...portions].sort((a, b) => a.first - b.first)) {
      expect(first).toBeGreaterThanOrEqual(end);
      end = first + count;
    }
    return end;
  }

  test.each([
    ['the writer', ['writer']],
    ['a command', ['command']],
    ['the writer beside two commands', ['writer', 'command', 'command']],
  ])(
    '%s, killed again and again: none is given twice',
    async (_, kinds) => {
      const database = newFleet();
      const portions: Portion[] = [];
      for (const killedAfter of [1, 30, 200]) {
        portions.push(...(await portionsUntilKilled(database.path, killedAfter, kinds)));
        expect(portions.length).toBeGreaterThanOrEqual(killedAfter);
      }
      const after = reopened(database);
      checkDatabase(after);
      expect(loadCounters(after)[0]?.next).toBeGreaterThanOrEqual(endOf(portions));
    },
    60_000,
  );
});

describe('the daemon lock between processes', () => {
  test('keeps a second one out and is gone with a killed one', async () => {
    const { path } = newFleet();
    const first = start('holding-lock.mjs', path);
    expect(await firstLine(first)).toEqual({ runs: false, taken: true });
    expect(daemonRuns(path)).toBe(true);
    expect(codeOf(() => acquireDaemonLock(path))).toBe('DAEMON_ALREADY_RUNNING');
    expect(await firstLine(start('holding-lock.mjs', path))).toEqual({
      runs: true,
      taken: false,
      code: 'DAEMON_ALREADY_RUNNING',
    });
    first.kill('SIGKILL');
    await once(first, 'exit');
    expect(daemonRuns(path)).toBe(false);
    acquireDaemonLock(path).release();
  });
});
