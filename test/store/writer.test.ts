import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/runtime/clock.ts';
import { DAEMON_BUSY_MS, type Database } from '../../src/store/database.ts';
import { createOutboxReader } from '../../src/store/local/outbox-reader.ts';
import type { CommitRequest, WriterReply, WriterRequest } from '../../src/store/local/requests.ts';
import { loadStatus, loadTotals } from '../../src/store/local/status.ts';
import type { Writer } from '../../src/store/local/types.ts';
import { openWriter, writerOn } from '../../src/store/local/writer.ts';
import { openWriterCore } from '../../src/store/local/writer-core.ts';
import { cycle, newFleet, reading, temporaryDirectory } from './support.ts';

/** A backend that holds each group until the test lets it go. */
function heldBackend() {
  const groups: (readonly WriterRequest[])[] = [];
  const held: { resolve(replies: readonly WriterReply[]): void; reject(error: unknown): void }[] = [];
  let closed = false;
  const writer = writerOn(
    {
      apply(requests) {
        groups.push(requests);
        return new Promise((resolve, reject) => held.push({ resolve, reject }));
      },
      async close() {
        closed = true;
      },
    },
    systemClock,
  );
  return {
    writer,
    groups,
    /** Answers the oldest group that is held; each request gets its place in the group as row id. */
    release() {
      const group = groups[groups.length - held.length] ?? [];
      held.shift()?.resolve(group.map((_, index) => ({ ok: true, result: [index] })));
    },
    breakOff(error: Error) {
      held.shift()?.reject(error);
    },
    get closed() {
      return closed;
    },
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('group commit', () => {
  test('what is asked together goes together, and what comes meanwhile is the next group', async () => {
    const backend = heldBackend();
    const first = [1, 2, 3].map((n) => backend.writer.commitCycle(cycle(`a${n}`)));
    await turn();
    expect(backend.groups.map(({ length }) => length)).toEqual([3]);
    const second = [1, 2, 3, 4].map((n) => backend.writer.commitCycle(cycle(`b${n}`)));
    const acknowledged = backend.writer.acknowledge([1]);
    await turn();
    expect(backend.groups).toHaveLength(1);
    backend.release();
    expect(await Promise.all(first)).toEqual([[0], [1], [2]]);
    await turn();
    expect(backend.groups.map(({ length }) => length)).toEqual([3, 5]);
    backend.release();
    await Promise.all([...second, acknowledged]);
  });

  test('a group of unknown fate rejects, and the next one goes on', async () => {
    const backend = heldBackend();
    const first = backend.writer.commitCycle(cycle('a'));
    await turn();
    const second = backend.writer.commitCycle(cycle('b'));
    backend.breakOff(new Error('the thread died'));
    await expect(first).rejects.toThrow('the thread died');
    await turn();
    backend.release();
    expect(await second).toEqual([0]);
  });

  test('a group has an upper bound', async () => {
    const backend = heldBackend();
    const all = Array.from({ length: 2500 }, (_, n) => backend.writer.acknowledge([n]));
    for (let group = 0; group < 3; group += 1) {
      await turn();
      backend.release();
    }
    await Promise.all(all);
    expect(backend.groups.map(({ length }) => length)).toEqual([1000, 1000, 500]);
  });

  test('closing finishes what was asked for and refuses the rest', async () => {
    const backend = heldBackend();
    const asked = backend.writer.commitCycle(cycle('a'));
    const closing = backend.writer.close();
    await expect(backend.writer.acknowledge([1])).rejects.toMatchObject({ code: 'STOPPING' });
    await turn();
    expect(backend.closed).toBe(false);
    backend.release();
    await asked;
    await closing;
    await backend.writer.close();
    expect(backend.closed).toBe(true);
  });

  test('nothing to do asks nothing', async () => {
    const backend = heldBackend();
    await backend.writer.acknowledge([]);
    await backend.writer.quarantine([], 'none');
    await backend.writer.saveStatus([]);
    expect(backend.groups).toEqual([]);
  });

  test('readings that cannot be stored reject and reach no group', async () => {
    const backend = heldBackend();
    const broken = cycle('a', { readings: [reading('voltageL1', { ts: 0.5 })] });
    await expect(backend.writer.commitCycle(broken)).rejects.toMatchObject({ code: 'INTERNAL' });
    expect(backend.groups).toEqual([]);
  });
});

describe('a request that fails for a reason of its own', () => {
  const commit = (cycleId: string, connectionIds: readonly number[]): CommitRequest => ({
    kind: 'commit',
    cycleId,
    meterId: 1,
    device: 'house1',
    createdAt: 1,
    connectionIds,
    readings: '[]',
    readingCount: 1,
    learned: [],
  });

  test('leaves nothing of itself, and the others stand', () => {
    const database = newFleet();
    const core = openWriterCore(database.path, { busyTimeoutMs: DAEMON_BUSY_MS, ballastOctets: 4096 });
    const replies = core.apply([
      commit('first', [1]),
      commit('gone', [77]),
      commit('half', [1, 0.5]),
      { ...commit('untyped', [1]), createdAt: 0.5 },
      { kind: 'status', entries: [{ subject: 'daemon', json: '{}' }], updatedAt: 1 },
      commit('last', [1]),
    ]);
    expect(replies).toMatchObject([
      { ok: true, result: [1] },
      { ok: false, failure: { code: 'NOT_FOUND', layer: 'store' } },
      { ok: false, failure: { code: 'DATABASE_ERROR' } },
      { ok: false, failure: { code: 'DATABASE_ERROR' } },
      { ok: true },
      { ok: true },
    ]);
    const rows = createOutboxReader(database).pending(1, 0, 10);
    expect(rows.map(({ cycleId }) => cycleId)).toEqual(['first', 'last']);
    expect(loadTotals(database)).toEqual({ cycles: 2, readings: 2, rows: 2, delivered: 0, dropped: 0 });
    expect(loadStatus(database).size).toBe(1);
    core.close();
  });
});

describe('a database that another process holds', () => {
  async function locked(database: Database, writer: Writer): Promise<void> {
    database.sql.exec('BEGIN IMMEDIATE');
    await expect(writer.commitCycle(cycle('a'))).rejects.toMatchObject({ code: 'DATABASE_LOCKED', retryable: true });
    database.sql.exec('ROLLBACK');
  }

  test('rejects with DATABASE_LOCKED, and the same call succeeds later', async () => {
    const database = newFleet();
    const writer = await openWriter(database.path, { thread: false });
    await locked(database, writer);
    expect(await writer.commitCycle(cycle('a'))).toEqual([1]);
    await writer.close();
  });
});

test('a writer on nothing does not open', async () => {
  const path = `${temporaryDirectory()}/none.db`;
  await expect(openWriter(path, { thread: false })).rejects.toMatchObject({ code: 'DATABASE_MISSING' });
});
