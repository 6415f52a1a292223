import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decimal, parseDecimal, scaledText } from '../../src/core/decimal.ts';
import type { Reading } from '../../src/reading/reading.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';
import type { Database } from '../../src/store/database.ts';
import { addTarget } from '../../src/store/fleet/targets.ts';
import { createOutboxReader } from '../../src/store/local/outbox-reader.ts';
import { decodeReadings, encodeReadings } from '../../src/store/local/readings.ts';
import { loadStatus, loadTotals } from '../../src/store/local/status.ts';
import type { OutboxReader, Writer } from '../../src/store/local/types.ts';
import { openWriter } from '../../src/store/local/writer.ts';
import { codeOf, cycle, newFleet, newTarget, reading, reopened } from './support.ts';

interface Bench {
  readonly database: Database;
  readonly writer: Writer;
  readonly outbox: OutboxReader;
}

/** Two gateways (connections 1 and 2), a writer, and a reader on a read-only handle. */
async function bench(): Promise<Bench> {
  const database = newFleet();
  addTarget(database, newTarget('gateway', { name: 'second', token: 'SECOND' }));
  const writer = await openWriter(database.path, { thread: false });
  return { database, writer, outbox: createOutboxReader(reopened(database, { readonly: true })) };
}

describe('readings as they are stored', () => {
  test('keep every digit', () => {
    const values = [
      ['18446744073709551615', decimal(18446744073709551615n)],
      ['-0.00000000000000000001', decimal(-1n, -20)],
      ['230.5000', decimal(2305000n, -4)],
      ['90071992547409930', decimal(9007199254740993n, 1)],
    ] as const;
    const readings = values.map(([key, value]) => reading(key, { value }));
    for (const { key, text, type } of decodeReadings(encodeReadings(readings))) {
      expect({ text, type }).toEqual({ text: key, type: 'number' });
    }
  });

  test('are compact', () => {
    expect(encodeReadings([reading('voltageL1'), reading('on', { value: true, quality: 'doubtful' })])).toBe(
      '[["voltageL1",1767225600000,"n","230.5"],["on",1767225600000,"b","true","d"]]',
    );
  });

  test('come back as they went, whatever they are', () => {
    const value = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.boolean(),
      fc.record({ coefficient: fc.bigInt(), exponent: fc.integer({ min: -30, max: 30 }) }),
    );
    const quality = fc.constantFrom('good' as const, 'doubtful' as const, 'unsynchronised' as const);
    const ts = fc.integer({ min: 0, max: 4_102_444_800_000 });
    const one = fc.record({ key: fc.string(), ts, value, quality, unit: fc.constant(null), obis: fc.constant('') });
    fc.assert(
      fc.property(fc.array(one), (readings: readonly Reading[]) => {
        const back = decodeReadings(encodeReadings(readings));
        expect(back.map(({ key, ts, quality }) => ({ key, ts, quality }))).toEqual(
          readings.map(({ key, ts, quality }) => ({ key, ts, quality })),
        );
        for (const [index, { type, text }] of back.entries()) {
          const given = readings[index]?.value;
          expect(type).toBe(typeof given === 'object' ? 'number' : typeof given);
          expect(text).toBe(typeof given === 'object' ? scaledText(given) : String(given));
          if (type === 'number') expect(scaledText(parseDecimal(text))).toBe(text);
        }
      }),
    );
  });

  test('a broken row is told apart from an empty one', () => {
    expect(codeOf(() => decodeReadings('[['))).toBe('DATABASE_CORRUPT');
    expect(codeOf(() => decodeReadings('{}'))).toBe('DATABASE_CORRUPT');
    expect(decodeReadings('[]')).toEqual([]);
  });
});

describe('the outbox', () => {
  test('has a row for each connection that wants the readings', async () => {
    const { writer, outbox } = await bench();
    const ids = await writer.commitCycle(cycle('c1', { connectionIds: [2, 1], device: 'house 7', createdAt: 1234 }));
    expect(ids).toEqual([1, 2]);
    expect(outbox.pending(2, 0, 10)).toEqual([
      {
        id: 1,
        connectionId: 2,
        device: 'house 7',
        cycleId: 'c1',
        createdAt: 1234,
        readings: [{ key: 'voltageL1', ts: 1_767_225_600_000, type: 'number', text: '230.5', quality: 'good' }],
      },
    ]);
    expect(outbox.pending(1, 0, 10)).toMatchObject([{ id: 2, connectionId: 1 }]);
    expect(outbox.pending(3, 0, 10)).toEqual([]);
  });

  test('has no row for nothing, nor for nobody', async () => {
    const { database, writer, outbox } = await bench();
    expect(await writer.commitCycle(cycle('c1', { readings: [] }))).toEqual([]);
    expect(await writer.commitCycle(cycle('c2', { connectionIds: [] }))).toEqual([]);
    expect(outbox.depth().rows).toBe(0);
    expect(loadTotals(database)).toEqual({ cycles: 0, readings: 0, rows: 0, delivered: 0, dropped: 0 });
  });

  test('gives rows by id, after a row, up to a limit, without those set aside', async () => {
    const { writer, outbox } = await bench();
    for (let n = 1; n <= 6; n += 1) await writer.commitCycle(cycle(`c${n}`));
    await writer.quarantine([3], 'refused');
    await writer.acknowledge([1, 1, 99]);
    expect(outbox.pending(1, 0, 3).map(({ id }) => id)).toEqual([2, 4, 5]);
    expect(outbox.pending(1, 4, 10).map(({ id }) => id)).toEqual([5, 6]);
  });

  test('never gives an id again', async () => {
    const { database, writer } = await bench();
    await writer.acknowledge(await writer.commitCycle(cycle('c1')));
    await writer.close();
    const again = await openWriter(database.path, { thread: false });
    expect(await again.commitCycle(cycle('c2'))).toEqual([2]);
    await again.close();
  });

  test('knows its depth without counting', async () => {
    const { database, writer, outbox } = await bench();
    expect(outbox.depth()).toEqual({ rows: 0, oldest: null, bytes: 0, quarantined: 0 });
    await writer.commitCycle(cycle('c1', { createdAt: 500, connectionIds: [1, 2] }));
    await writer.commitCycle(cycle('c2', { createdAt: 400, connectionIds: [1] }));
    const bytes = encodeReadings([reading('voltageL1')]).length;
    expect(outbox.depth()).toEqual({ rows: 3, oldest: 500, bytes: 3 * bytes, quarantined: 0 });
    expect([outbox.depthOf(1), outbox.depthOf(2), outbox.depthOf(3)]).toEqual([2, 1, 0]);
    await writer.quarantine([1], 'refused');
    await writer.quarantine([1], 'refused again');
    await writer.acknowledge([2]);
    expect(outbox.depth()).toEqual({ rows: 1, oldest: 400, bytes, quarantined: 1 });
    await writer.acknowledge([1, 3]);
    expect(outbox.depth()).toEqual({ rows: 0, oldest: null, bytes: 0, quarantined: 0 });
    expect(loadTotals(database)).toEqual({ cycles: 2, readings: 2, rows: 3, delivered: 3, dropped: 0 });
  });

  test('is read along its index', async () => {
    const { database } = await bench();
    const plan = database.sql
      .prepare<[], { detail: string }>(
        `EXPLAIN QUERY PLAN SELECT * FROM outbox
         WHERE connection_id = 1 AND quarantined = 0 AND id > 5 ORDER BY id LIMIT 10`,
      )
      .all();
    expect(plan.map(({ detail }) => detail)).toEqual([
      'SEARCH outbox USING INDEX outbox_of_connection (connection_id=? AND quarantined=? AND rowid>?)',
    ]);
  });
});

describe('status', () => {
  test('is kept by subject with its time', async () => {
    const database = newFleet();
    const clock = new VirtualClock();
    const writer = await openWriter(database.path, { thread: false, clock });
    await writer.saveStatus([
      { subject: 'daemon', json: '{"a":1}' },
      { subject: 'meter:3', json: '{}' },
    ]);
    await clock.advance(5000);
    await writer.saveStatus([{ subject: 'daemon', json: '{"a":2}' }]);
    const start = Date.UTC(2026, 0, 1);
    expect(loadStatus(database)).toEqual(
      new Map([
        ['daemon', { json: '{"a":2}', updatedAt: start + 5000 }],
        ['meter:3', { json: '{}', updatedAt: start }],
      ]),
    );
    await writer.close();
  });
});
