/** Rows that are stored and not delivered yet: a stranger's, and those of a clock that is not believed. */
import { describe, expect, test } from 'vitest';
import type { Database } from '../../src/store/database.ts';
import {
  acceptStranger,
  knownIdentity,
  type MeterIdentity,
  pinnedFact,
  rejectStranger,
  strangerFact,
  strangerReason,
} from '../../src/store/fleet/identity.ts';
import { loadLearned } from '../../src/store/fleet/load.ts';
import { addMeter } from '../../src/store/fleet/meters.ts';
import { revision } from '../../src/store/fleet/revision.ts';
import { doubtReason, SET_ASIDE } from '../../src/store/local/doubts.ts';
import { createOutboxReader } from '../../src/store/local/outbox-reader.ts';
import { openWriter } from '../../src/store/local/writer.ts';
import { codeOf, cycle, newFleet, newMeter, reading } from './support.ts';

const KNOWN: MeterIdentity = { logicalDeviceName: 'ABC1', serialNumber: '1' };
const OTHER: MeterIdentity = { logicalDeviceName: 'ABC2', serialNumber: '2' };
const WITHHELD = { reason: strangerReason(OTHER), unless: pinnedFact(OTHER) };

async function scene() {
  const database = newFleet();
  const meterId = addMeter(database, newMeter('house1'));
  addMeter(database, newMeter('house2'));
  const writer = await openWriter(database.path, { thread: false });
  return { database, meterId, writer, outbox: createOutboxReader(database) };
}

function identityOf(database: Database, meterId: number) {
  return knownIdentity(loadLearned(database, meterId));
}

describe('a stranger', () => {
  async function strange() {
    const all = await scene();
    const { writer, meterId } = all;
    await writer.commitCycle(cycle('a', { meterId, learned: [pinnedFact(KNOWN)] }));
    await writer.commitCycle(cycle('b', { meterId, learned: [strangerFact(OTHER)], withheld: WITHHELD }));
    await writer.commitCycle(cycle('c', { meterId, withheld: WITHHELD }));
    await writer.commitCycle(cycle('d', { meterId: 2, device: 'house2' }));
    return all;
  }

  test('its rows are there and do not wait; the figures say so', async () => {
    const { database, meterId, outbox, writer } = await strange();
    expect(outbox.pending(1, 0, 9).map(({ cycleId }) => cycleId)).toEqual(['a', 'd']);
    expect(outbox.depth()).toMatchObject({ rows: 2, quarantined: 2 });
    expect(identityOf(database, meterId)).toEqual({ pinned: KNOWN, stranger: OTHER });
    await writer.close();
  });

  test('accepted: its rows go, and the next ones too, even one that was judged before', async () => {
    const { database, meterId, outbox, writer } = await strange();
    const before = revision(database);
    expect(acceptStranger(database, 'house1', false)).toEqual({ identity: OTHER, released: 2, dropped: 0 });
    expect(revision(database)).toBeGreaterThan(before);
    expect(identityOf(database, meterId)).toEqual({ pinned: OTHER, stranger: null });
    await writer.commitCycle(cycle('e', { meterId, withheld: WITHHELD }));
    expect(outbox.pending(1, 0, 9).map(({ cycleId }) => cycleId)).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(outbox.depth()).toMatchObject({ rows: 5, quarantined: 0 });
    expect(codeOf(() => acceptStranger(database, 'house1', false))).toBe('NOT_FOUND');
    await writer.close();
  });

  test('accepted without what it said', async () => {
    const { database, outbox, writer } = await strange();
    expect(acceptStranger(database, 'house1', true)).toMatchObject({ released: 0, dropped: 2 });
    expect(outbox.depth()).toMatchObject({ rows: 2, quarantined: 0 });
    await writer.close();
  });

  test('rejected: its rows are dropped, who is known stays', async () => {
    const { database, meterId, outbox, writer } = await strange();
    expect(rejectStranger(database, 'house1')).toEqual({ identity: KNOWN, released: 0, dropped: 2 });
    expect(identityOf(database, meterId).pinned).toEqual(KNOWN);
    expect(outbox.depth()).toMatchObject({ rows: 2, quarantined: 0 });
    expect(codeOf(() => rejectStranger(database, 'house2'))).toBe('NOT_FOUND');
    expect(codeOf(() => rejectStranger(database, 'nobody'))).toBe('NOT_FOUND');
    await writer.close();
  });
});

describe('a clock that is not believed', () => {
  const doubtful = (cycleId: string, doubt: string, createdAt: number) =>
    cycle(cycleId, {
      createdAt,
      withheld: { reason: doubtReason(doubt) },
      readings: [
        reading('voltageL1', { ts: createdAt, quality: 'unsynchronised' }),
        reading('serial', { ts: createdAt, quality: 'unsynchronised', kind: 'attribute' }),
        reading('demand', { ts: 777 }),
      ],
    });

  test('what was stamped by it is put right, what the meter stamped is left', async () => {
    const { writer, outbox } = await scene();
    const rows = 250;
    for (let index = 0; index < rows; index += 1) await writer.commitCycle(doubtful(`c${index}`, 'p.1', 5000 + index));
    await writer.commitCycle(doubtful('other', 'p.2', 9000));
    expect(outbox.depth()).toMatchObject({ rows: 0, quarantined: rows + 1 });
    expect(await writer.settleDoubt('p.1', 1_000_000)).toBe(rows);
    const released = outbox.pending(1, 0, 1000);
    expect(released).toHaveLength(rows);
    expect(released[3]).toMatchObject({ cycleId: 'c3', createdAt: 1_005_003 });
    expect(released[3]?.readings).toEqual([
      { key: 'voltageL1', ts: 1_005_003, type: 'number', text: '230.5', quality: 'good' },
      { key: 'serial', ts: 1_005_003, type: 'number', text: '230.5', quality: 'good', kind: 'attribute' },
      { key: 'demand', ts: 777, type: 'number', text: '230.5', quality: 'good' },
    ]);
    expect(outbox.depth()).toMatchObject({ rows, quarantined: 1 });
    await writer.close();
  });

  test('rows of another process go as they are, unless they are of before there were meters', async () => {
    const { writer, outbox } = await scene();
    const recent = Date.UTC(2026, 0, 1);
    await writer.commitCycle(doubtful('old', 'q.1', 5000));
    await writer.commitCycle(doubtful('recent', 'q.1', recent));
    await writer.commitCycle(doubtful('ours', 'p.1', recent));
    expect(await writer.releaseDoubts('p')).toBe(1);
    expect(outbox.pending(1, 0, 9).map(({ cycleId }) => cycleId)).toEqual(['recent']);
    const [row] = outbox.pending(1, 0, 9);
    expect(row?.readings[0]).toMatchObject({ ts: recent, quality: 'unsynchronised' });
    expect(row?.readings.map(({ key, text }) => [key, text])).toEqual([
      ['voltageL1', '230.5'],
      ['voltageL1Quality', 'unsynchronised'],
      ['serial', '230.5'],
      ['demand', '230.5'],
    ]);
    expect(outbox.depth()).toMatchObject({ quarantined: 2 });
    await writer.close();
  });
});

test('rows that are set aside are found by their index, however many others wait', () => {
  const database = newFleet();
  const plan = database.sql
    .prepare<[], { detail: string }>(
      `EXPLAIN QUERY PLAN SELECT id FROM outbox WHERE ${SET_ASIDE} AND reason = 'clock: a'`,
    )
    .all()
    .map(({ detail }) => detail);
  expect(plan.join('\n')).toMatch(/SEARCH outbox USING .*INDEX outbox_of_connection/);
});
