/** The limits of a session: how they are read, kept, and what is packed within them. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { OutboxRow } from '../../src/store/local/types.ts';
import { rowsPayload } from '../../src/thingsboard/delivery/payload.ts';
import { Pace } from '../../src/thingsboard/limits/pace.ts';
import { parseRates, RateBudget, shareOf } from '../../src/thingsboard/limits/rate-budget.ts';
import { NOTHING_TOLD, parseSessionLimits, pointsPerMessage } from '../../src/thingsboard/limits/session-limits.ts';
import { Throttle } from '../../src/thingsboard/limits/throttle.ts';
import { MAX_REMAINING_LENGTH } from '../../src/thingsboard/session/message.ts';
import { numberReading } from '../support/fake-outbox.ts';

describe('what is told', () => {
  test.each([
    [
      '100:1,2000:60',
      [
        { capacity: 100, seconds: 1 },
        { capacity: 2000, seconds: 60 },
      ],
    ],
    [' 5:10 ', [{ capacity: 5, seconds: 10 }]],
    ['', []],
    [null, []],
    ['0:1', []],
    ['100', []],
    ['100:1,x', []],
  ])('rates %j', (text, rates) => {
    expect(parseRates(text)).toEqual(rates);
  });

  test('80 % of each, at least one', () => {
    expect(shareOf(parseRates('100:1,1:60'), 0.8)).toEqual([
      { capacity: 80, seconds: 1 },
      { capacity: 1, seconds: 60 },
    ]);
  });

  test('of a device, and of a gateway with the devices behind it', () => {
    const rates = { messages: '100:1', telemetryMessages: null, telemetryDataPoints: '' };
    const device = { maxPayloadSize: 10_000, maxInflightMessages: 100, rateLimits: rates };
    expect(parseSessionLimits(JSON.stringify(device))).toMatchObject({
      packed: 8000,
      packet: 10_000,
      window: 80,
      session: { messages: [{ capacity: 80, seconds: 1 }], telemetryMessages: [], telemetryDataPoints: [] },
      device: { messages: [] },
    });
    const gateway = { ...device, gatewayRateLimits: { messages: '1000:1', telemetryDataPoints: '500:1' } };
    const limits = parseSessionLimits(JSON.stringify(gateway));
    expect(limits).toMatchObject({
      session: { messages: [{ capacity: 800 }], telemetryDataPoints: [{ capacity: 400 }] },
      device: { messages: [{ capacity: 80 }] },
    });
    expect(pointsPerMessage(limits ?? NOTHING_TOLD)).toBe(400);
  });

  test.each(['{"error":"timeout"}', 'nonsense', '[]', 'null', '5', '{}'])('%s is no answer', (payload) => {
    expect(parseSessionLimits(payload)).toBeNull();
  });

  test('never beyond the packet that every server takes, whatever is told', () => {
    expect(parseSessionLimits('{"maxPayloadSize":9000000,"rateLimits":null}')).toMatchObject({
      packet: MAX_REMAINING_LENGTH,
      window: null,
    });
  });
});

test('a budget never gives more than the rate allows, whatever is asked when', () => {
  const steps = fc.array(fc.tuple(fc.nat(3000), fc.integer({ min: 1, max: 5 })), { maxLength: 100 });
  fc.assert(
    fc.property(steps, (asked) => {
      const budget = new RateBudget([{ capacity: 10, seconds: 2 }], 0);
      let now = 0;
      let taken = 0;
      for (const [pause, cost] of asked) {
        now += pause;
        const wait = budget.wait(cost, now);
        if (wait === 0) {
          budget.take(cost, now);
          taken += cost;
        } else {
          now += wait;
          expect(budget.wait(cost, now)).toBe(0);
        }
        expect(taken * 2000).toBeLessThanOrEqual(10 * 2000 + now * 10);
      }
    }),
    { numRuns: 1000 },
  );
});

test('the throttle keeps every limit: messages, telemetry, data points, of the session and of each device', () => {
  const throttle = new Throttle(0);
  const rates = { messages: '10:1', telemetryMessages: '5:1', telemetryDataPoints: '10:1' };
  const told = { rateLimits: rates, gatewayRateLimits: { messages: '100:1', telemetryDataPoints: '20:1' } };
  throttle.update(parseSessionLimits(JSON.stringify(told)) ?? NOTHING_TOLD, 0);
  const send = (device: string, points: number) => {
    const message = { topic: 't', payload: '', points };
    return throttle.take({ device, message, isFirstContact: false }, 0);
  };
  expect([send('a', 6), send('a', 2)]).toEqual([null, null]);
  // Eight data points of a device in a second, sixteen of the session.
  expect(send('a', 1)).toEqual({ whose: 'device', ms: 125 });
  expect(send('b', 8)).toBe(null);
  expect(send('c', 1)).toEqual({ whose: 'session', ms: 63 });
  const attributes = { device: 'c', message: { topic: 't', payload: '' }, isFirstContact: false };
  expect(throttle.take(attributes, 0)).toBe(null);
});

test('the pace halves at a rate limit, and grows until it is forgotten', () => {
  const pace = new Pace();
  for (let sent = 0; sent < 40; sent += 1) pace.take(1, 100);
  pace.hit(500);
  expect(pace.limit).toBe(20);
  pace.hit(600);
  expect(pace.limit).toBe(10);
  expect(pace.wait(1, 600)).toBe(0);
  pace.take(1, 600);
  expect(pace.wait(1, 600)).toBe(100);
  let now = 600;
  const limits: (number | null)[] = [];
  for (let step = 0; step < 61; step += 1) {
    now += 10_000;
    pace.wait(1, now);
    limits.push(pace.limit);
  }
  expect(limits.slice(0, 2)).toEqual([12.5, 15.625]);
  expect(limits.at(-1)).toBeNull();
});

describe('packing', () => {
  const row = (id: number, readings: OutboxRow['readings']): OutboxRow => ({
    id,
    connectionId: 1,
    device: 'house1',
    cycleId: `c${id}`,
    createdAt: 0,
    readings,
  });

  test('rows of one device share messages; each message knows whose readings it has; of one ts the later row stands', () => {
    const rows = [
      row(1, [numberReading('a', 1, '1')]),
      row(2, [numberReading('a', 2, '2'), { ...numberReading('s', 2, '5'), kind: 'attribute' }]),
      row(3, [numberReading('a', 2, '3')]),
    ];
    const { messages } = rowsPayload(rows, 'device');
    expect(messages.map(({ message, owners }) => [message.payload, [...owners].map(({ id }) => id)])).toEqual([
      ['[{"ts":1,"values":{"a":1}},{"ts":2,"values":{"a":3}}]', [1, 2, 3]],
      ['{"s":5}', [2]],
    ]);
    expect(messages.map(({ message }) => message.points)).toEqual([2, undefined]);
  });

  test('no message is above its size or number of values, and every reading is in one that its row owns', () => {
    const readings = fc.array(fc.tuple(fc.nat(30), fc.nat(20)), { maxLength: 20 });
    fc.assert(
      fc.property(fc.array(readings, { maxLength: 10 }), fc.integer({ min: 1, max: 7 }), (given, points) => {
        const rows = given.map((pairs, at) =>
          row(
            at,
            pairs.map(([key, ts]) => numberReading(`k${key}`, ts, `${at}`)),
          ),
        );
        const { messages } = rowsPayload(rows, 'gateway', { soft: 200, hard: 300, points });
        for (const { message } of messages) {
          expect(message.points).toBeLessThanOrEqual(points);
          expect(message.payload.length + message.topic.length + 5).toBeLessThanOrEqual(200);
        }
        for (const one of rows) {
          for (const { key, ts } of one.readings) {
            const found = messages.some(({ message, owners }) => {
              const entries: { ts: number; values: object }[] = JSON.parse(message.payload).house1;
              return owners.has(one) && entries.some((entry) => entry.ts === ts && key in entry.values);
            });
            expect(found).toBe(true);
          }
        }
      }),
    );
  });
});
