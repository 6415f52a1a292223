/** Client attributes: what goes over the wire, and that an old value never undoes a newer one. */
import { describe, expect, test } from 'vitest';
import { decodeReadings, encodeReadings } from '../../src/store/local/readings.ts';
import type { OutboxRow, StoredReading } from '../../src/store/local/types.ts';
import { AttributeTimes } from '../../src/thingsboard/delivery/attribute-times.ts';
import { numberReading, stringReading } from '../support/fake-outbox.ts';
import { rowPayload } from '../support/row-payload.ts';

const attribute = (key: string, ts: number, text: string): StoredReading => ({
  ...stringReading(key, ts, text),
  kind: 'attribute',
});

function row(readings: readonly StoredReading[], device = 'house1'): OutboxRow {
  return { id: 1, connectionId: 1, device, cycleId: 'c', createdAt: 0, readings };
}

describe('payload', () => {
  const mixed = row([numberReading('a', 5, '1'), attribute('serial', 5, '000123'), attribute('firmware', 5, 'V1')]);

  test('beside the telemetry of the row, in messages of their own', () => {
    expect(rowPayload(mixed, 'device').messages).toEqual([
      { topic: 'v1/devices/me/telemetry', payload: '[{"ts":5,"values":{"a":1}}]' },
      { topic: 'v1/devices/me/attributes', payload: '{"serial":"#000123","firmware":"V1"}' },
    ]);
    expect(rowPayload(mixed, 'gateway').messages).toEqual([
      { topic: 'v1/gateway/telemetry', payload: '{"house1":[{"ts":5,"values":{"a":1}}]}' },
      { topic: 'v1/gateway/attributes', payload: '{"house1":{"serial":"#000123","firmware":"V1"}}' },
    ]);
  });

  test('of a key that stands twice the newest; alone no telemetry', () => {
    const { messages } = rowPayload(row([attribute('f', 6, 'new'), attribute('f', 5, 'old')]), 'device');
    expect(messages).toEqual([{ topic: 'v1/devices/me/attributes', payload: '{"f":"new"}' }]);
  });

  test('split by size; what fits no packet is named', () => {
    const readings = [1, 2, 3, 4].map((n) => attribute(`k${n}`, 5, 'x'.repeat(40)));
    const { messages, unpublishable } = rowPayload(
      row([...readings, attribute('big', 5, 'y'.repeat(300))]),
      'device',
      150,
    );
    expect(unpublishable.map(({ key }) => key)).toEqual(['big']);
    expect(messages.length).toBeGreaterThan(1);
    expect(Object.assign({}, ...messages.map(({ payload }) => JSON.parse(payload)))).toEqual(
      Object.fromEntries(readings.map(({ key, text }) => [key, text])),
    );
    for (const { topic, payload } of messages) expect(topic.length + payload.length + 5).toBeLessThanOrEqual(150);
  });
});

describe('order', () => {
  test('a value that waited does not undo a newer one; of another device or key it goes', () => {
    const times = new AttributeTimes();
    const keys = (one: OutboxRow): string[] => times.current(one).readings.map(({ key, ts }) => `${key}@${ts}`);
    expect(keys(row([attribute('f', 20, 'new')]))).toEqual(['f@20']);
    expect(keys(row([attribute('f', 10, 'old'), numberReading('a', 10, '1'), attribute('g', 10, 'x')]))).toEqual([
      'a@10',
      'g@10',
    ]);
    expect(keys(row([attribute('f', 10, 'old')], 'house2'))).toEqual(['f@10']);
    expect(keys(row([attribute('f', 20, 'new')]))).toEqual(['f@20']);
  });
});

test('the outbox keeps what a reading is', () => {
  const common = { unit: null, obis: '0.0.96.1.0.255', ts: 5, value: 'x' } as const;
  const readings = (['good', 'doubtful', 'unsynchronised'] as const).flatMap((quality) => [
    { ...common, key: `t-${quality}`, quality },
    { ...common, key: `a-${quality}`, quality, kind: 'attribute' as const },
  ]);
  expect(decodeReadings(encodeReadings(readings))).toEqual(
    readings.map(({ key, quality, ...rest }) => ({
      key,
      quality,
      ts: 5,
      type: 'string',
      text: 'x',
      ...('kind' in rest ? { kind: rest.kind } : {}),
    })),
  );
});
