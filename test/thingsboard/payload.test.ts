/** What ThingsBoard is sent for a reading and for a row. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decimal, scaledText } from '../../src/core/decimal.ts';
import { writeJson } from '../../src/core/json.ts';
import type { OutboxRow, StoredReading } from '../../src/store/local/types.ts';
import { connectMessage } from '../../src/thingsboard/delivery/payload.ts';
import { meterText, telemetryText, telemetryValue } from '../../src/thingsboard/delivery/values.ts';
import { MAX_REMAINING_LENGTH, type Message } from '../../src/thingsboard/session/message.ts';
import { numberReading, stringReading } from '../support/fake-outbox.ts';
import { rowPayload } from '../support/row-payload.ts';

function row(readings: readonly StoredReading[], device = 'house1'): OutboxRow {
  return { id: 1, connectionId: 1, device, cycleId: 'c', createdAt: 0, readings };
}

describe('values', () => {
  test.each([
    ['230.5', '230.5'],
    ['230.50', '230.50'],
    ['230.0', '230.0'],
    ['0', '0'],
    ['-12', '-12'],
    ['9223372036854775807', '9223372036854775807'],
    ['-9223372036854775808', '-9223372036854775808'],
    // Beyond int64 ThingsBoard keeps text: it goes as text, so that no reader on the way rounds it.
    ['9223372036854775808', '"9223372036854775808"'],
    ['18446744073709551615', '"18446744073709551615"'],
    ['1e3', '1000'],
    ['0.1234567890123456', '0.1234567890123456'],
    ['0.12345678901234565', '0.1234567890123457'],
    ['-0.12345678901234565', '-0.1234567890123457'],
    ['0.12345678901234564', '0.1234567890123456'],
    ['0.00000000000000001', '0.0'],
    ['1234567890123.99999999999999999', '1234567890124.0'],
  ])('number %s goes as %s', (text, json) => {
    expect(telemetryText({ type: 'number', text })).toBe(json);
  });

  test('a number that goes as it is stored goes as any other', () => {
    const decimals = fc.tuple(fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }), fc.integer({ min: -18, max: 3 }));
    const odd = fc.stringMatching(/^-?0{0,3}\d{0,3}\.?\d{0,3}$/).filter((text) => /\d/.test(text));
    const texts = fc.oneof(
      decimals.map(([digits, exponent]) => scaledText(decimal(digits, exponent))),
      odd,
    );
    fc.assert(
      fc.property(texts, (text) => {
        const reading = { type: 'number', text } as const;
        expect(telemetryText(reading)).toBe(writeJson(telemetryValue(reading)));
      }),
    );
  });

  test.each([
    ['000123', '#000123'],
    ['12.50', '#12.50'],
    ['-7', '#-7'],
    ['.5', '#.5'],
    ['١٢٣', '#١٢٣'],
    ['#000123', '##000123'],
    ['1.2.3', '1.2.3'],
    ['12.', '12.'],
    ['1e5', '1e5'],
    ['KFM1000', 'KFM1000'],
    ['', ''],
    ['#', '#'],
    ['#x', '#x'],
  ])('string %s goes as %s, and back', (text, published) => {
    expect(telemetryValue({ type: 'string', text })).toBe(published);
    expect(meterText(published)).toBe(text);
  });

  test('every string comes back from its published form, and none of them is numeric', () => {
    const texts = fc.oneof(fc.string(), fc.stringMatching(/^#{0,3}-?\d*\.?\d*$/));
    fc.assert(
      fc.property(texts, (text) => {
        const published = String(telemetryValue({ type: 'string', text }));
        expect(meterText(published)).toBe(text);
        expect(published).not.toMatch(/^-?(?:\d+(?:\.\d+)?|\.\d+)$/);
      }),
    );
  });

  test('booleans', () => {
    expect(telemetryValue({ type: 'boolean', text: 'true' })).toBe(true);
    expect(telemetryValue({ type: 'boolean', text: 'false' })).toBe(false);
  });
});

describe('rows', () => {
  test('device mode: grouped by ts', () => {
    const payload = rowPayload(
      row([numberReading('a', 5, '1'), numberReading('p', 3, '2'), numberReading('b', 5, '230.5')]),
      'device',
    );
    expect(payload).toEqual({
      messages: [
        {
          topic: 'v1/devices/me/telemetry',
          payload: '[{"ts":5,"values":{"a":1,"b":230.5}},{"ts":3,"values":{"p":2}}]',
        },
      ],
      unpublishable: [],
    });
  });

  test('gateway mode: one device per publish', () => {
    const payload = rowPayload(row([stringReading('s "x"', 5, 'ü')], 'house "1"'), 'gateway');
    expect(payload.messages).toEqual([
      { topic: 'v1/gateway/telemetry', payload: '{"house \\"1\\"":[{"ts":5,"values":{"s \\"x\\"":"ü"}}]}' },
    ]);
    expect(connectMessage('house "1"', 'dlms-meter')).toEqual({
      topic: 'v1/gateway/connect',
      payload: '{"device":"house \\"1\\"","type":"dlms-meter"}',
    });
  });

  test('what can never be stored is named, the rest goes', () => {
    const long = 'k'.repeat(256);
    const payload = rowPayload(
      row([
        numberReading(' ', 1, '1'),
        numberReading(long, 1, '1'),
        numberReading('ok', 1, '1'),
        numberReading('x', 1, 'none'),
        stringReading('huge', 1, 'y'.repeat(MAX_REMAINING_LENGTH)),
        numberReading('k'.repeat(255), 1, '2'),
      ]),
      'device',
    );
    expect(payload.messages.map((message) => message.payload)).toEqual([
      `[{"ts":1,"values":{"ok":1,"${'k'.repeat(255)}":2}}]`,
    ]);
    expect(payload.unpublishable).toEqual([
      { key: ' ', reason: 'the key is blank' },
      { key: long, reason: 'the key is longer than 255 characters' },
      { key: 'x', reason: '"none" is no decimal number' },
      { key: 'huge', reason: 'the value is larger than a packet may be' },
    ]);
  });

  test('nothing to publish makes no message: never an empty list', () => {
    expect(rowPayload(row([]), 'device').messages).toEqual([]);
    expect(rowPayload(row([numberReading('', 1, '1')]), 'gateway').messages).toEqual([]);
  });

  /** Remaining length of the publish in MQTT 5 without properties. */
  function remainingLength({ topic, payload }: Message): number {
    return 2 + Buffer.byteLength(topic) + 2 + 1 + Buffer.byteLength(payload);
  }

  test.each(['device', 'gateway'] as const)('%s mode: split below any limit, nothing lost, nothing twice', (mode) => {
    const readings = fc.array(
      fc.record({ ts: fc.integer({ min: 1, max: 4 }), text: fc.string({ unit: 'binary', maxLength: 20 }) }),
      { minLength: 1, maxLength: 30 },
    );
    fc.assert(
      fc.property(readings, fc.integer({ min: 250, max: 600 }), (items, limit) => {
        const given = items.map(({ ts, text }, index) => stringReading(`key${index}`, ts, `s${text}`));
        const { messages, unpublishable } = rowPayload(row(given, 'dévice'), mode, limit);
        expect(unpublishable).toEqual([]);
        const arrived = messages.flatMap((message) => {
          expect(remainingLength(message)).toBeLessThanOrEqual(limit);
          const document = JSON.parse(message.payload);
          const entries: { ts: number; values: Record<string, string> }[] =
            mode === 'gateway' ? document.dévice : document;
          expect(entries.length).toBeGreaterThan(0);
          return entries.flatMap(({ ts, values }) => Object.entries(values).map(([key, text]) => [key, ts, text]));
        });
        const byKey = (a: unknown[], b: unknown[]): number => String(a[0]).localeCompare(String(b[0]));
        expect(arrived.sort(byKey)).toEqual(given.map(({ key, ts, text }) => [key, ts, text]).sort(byKey));
      }),
      { numRuns: 60 },
    );
  });

  test('a packet is filled to the last octet', () => {
    const one = rowPayload(row([stringReading('k', 1, 'x')]), 'device').messages[0] as Message;
    const room = MAX_REMAINING_LENGTH - remainingLength(one) + 1;
    const full = rowPayload(row([stringReading('k', 1, 'x'.repeat(room))]), 'device');
    expect(full.messages.map(remainingLength)).toEqual([MAX_REMAINING_LENGTH]);
    expect(rowPayload(row([stringReading('k', 1, 'x'.repeat(room + 1))]), 'device').messages).toEqual([]);
  });
});
