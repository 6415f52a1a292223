/** The ThingsBoard double against facts/thingsboard.md: what it does with a publish, point by point. */
import { describe, expect, test } from 'vitest';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { startThingsBoardDouble } from '../../src/simulator/thingsboard/double.ts';
import { doubleBench, GATEWAY_TELEMETRY, TELEMETRY, TOKENS } from '../support/double-bench.ts';

const bench = doubleBench();
const { start, join, outcome, stored } = bench;

describe('device telemetry', () => {
  test.each([
    ['{"a":1}', 1_767_225_600_000],
    ['[{"a":1},{"b":2}]', 1_767_225_600_000],
    ['{"ts":5,"values":{"a":1}}', 5],
    ['[{"ts":"5","values":{"a":1}}]', 5],
  ])('%s', async (payload, ts) => {
    await start({ clock: new VirtualClock(1_767_225_600_000) });
    expect(await outcome(await join('d1', 5), TELEMETRY, payload)).toEqual([0]);
    expect(stored('meter one', 'a')).toEqual([[ts, 'LONG', 1n]]);
  });

  test.each([
    ['invalid JSON', '{"a":', [0x99], { pubacks: 0, disconnect: null }],
    ['a bare number', '5', [0x99], { pubacks: 0, disconnect: null }],
    [
      'non-numeric ts',
      '{"ts":"now","values":{"a":1}}',
      { pubacks: 0, disconnect: 0x8b },
      { pubacks: 0, disconnect: null },
    ],
    ['[]', '[]', [], []],
    ['{}', '{}', [0], ['plain']],
    ['a blank key', '{" ":1,"a":1}', [0], ['plain']],
    ['a key of 256 characters', `{"${'k'.repeat(256)}":1}`, [0], ['plain']],
  ])('bad input: %s', async (_name, payload, v5, v4) => {
    await start();
    expect(await outcome(await join('d1', 5), TELEMETRY, payload)).toEqual(v5);
    expect(await outcome(await join('d1', 4), TELEMETRY, payload)).toEqual(v4);
    expect(bench.double.received().readings).toBe(0);
  });

  test('an invalid payload at QoS 0 closes with 0x99', async () => {
    await start();
    const client = await join('d1', 5);
    client.publish(TELEMETRY, 'nonsense', 1, 0);
    await client.untilClosed();
    expect(client.disconnects).toEqual([0x99]);
  });

  test.each([
    ['"000123"', 'LONG', 123n],
    ['"12.50"', 'DOUBLE', 12.5],
    ['"-.5"', 'DOUBLE', -0.5],
    ['"12."', 'STRING', '12.'],
    ['"#000123"', 'STRING', '#000123'],
    ['230', 'LONG', 230n],
    ['230.0', 'DOUBLE', 230],
    ['2.3e2', 'LONG', 230n],
    ['9223372036854775807', 'LONG', 9223372036854775807n],
    ['-9223372036854775808', 'LONG', -9223372036854775808n],
    ['9223372036854775808', 'STRING', '9223372036854775808'],
    ['0.1234567890123456', 'DOUBLE', 0.1234567890123456],
    ['0.30000000000000004', 'STRING', '0.30000000000000004'],
    ['1e500', 'STRING', '1e500'],
    ['true', 'BOOLEAN', true],
    ['"text"', 'STRING', 'text'],
    ['{"x":[1.50,null]}', 'JSON', '{"x":[1.50,null]}'],
  ])('%s is stored as %s %s', async (value, type, expected) => {
    await start();
    await outcome(await join('d1', 5), TELEMETRY, `{"ts":1,"values":{"k":${value},"none":null}}`);
    expect(stored('meter one', 'k')).toEqual([[1, type, expected]]);
    expect(stored('meter one', 'none')).toEqual([]);
  });

  test('the same ts again overwrites, and is counted', async () => {
    await start();
    const client = await join('d1', 5);
    for (const value of [1, 1, 2]) client.publish(TELEMETRY, `{"ts":9,"values":{"k":${value}}}`, value + 1);
    await client.settled();
    expect(stored('meter one', 'k')).toEqual([[9, 'LONG', 2n]]);
    expect(bench.double.received()).toMatchObject({ messages: 3, readings: 1, duplicates: 2, changed: 1 });
  });
});

describe('topics', () => {
  test('an unknown one is 0x90, lost silently in 3.1.1', async () => {
    await start();
    expect(await outcome(await join('d1', 5), 'v1/devices/me/telemetri', '{}')).toEqual([0x90]);
    expect(await outcome(await join('d1', 4), 'v1/devices/me/telemetri', '{}')).toEqual(['plain']);
  });

  test('a wildcard closes with 0x81', async () => {
    await start();
    // mqtt-packet refuses to write it: `v1/+`, identifier 7, no properties, no payload.
    const client = await join('d1', 5);
    client.sendOctets(Buffer.from([0x32, 0x09, 0x00, 0x04, 0x76, 0x31, 0x2f, 0x2b, 0x00, 0x07, 0x00]));
    await client.untilClosed();
    expect(client.disconnects).toEqual([0x81]);
  });

  test('QoS 2 gets a PUBACK, never a PUBREC', async () => {
    await start();
    const client = await join('d1', 5);
    client.publish(TELEMETRY, '{"k":1}', 3, 2);
    await client.settled();
    expect(client.pubacks).toEqual([{ messageId: 3, reasonCode: 0 }]);
    expect(client.of('pubrec')).toEqual([]);
  });

  test('SUBSCRIBE takes exact strings; QoS 2 is granted as 1', async () => {
    await start();
    const subscriptions = [
      { topic: 'v1/devices/me/rpc/request/+', qos: 2 as const },
      { topic: 'v1/devices/me/#', qos: 1 as const },
      { topic: 'v1/gateway/disconnect', qos: 1 as const },
    ];
    const five = await join('d1', 5);
    five.send({ cmd: 'subscribe', messageId: 1, subscriptions });
    await five.settled();
    expect(five.of('suback')[0]?.granted).toEqual([1, 0x8f, 0x8f]);
    const four = await join('d1', 4);
    four.send({ cmd: 'subscribe', messageId: 1, subscriptions });
    await four.settled();
    expect(four.of('suback')[0]?.granted).toEqual([1, 0x80, 0x80]);
    five.close();
  });

  test('attributes are kept and answered', async () => {
    await start();
    const client = await join('d1', 5);
    client.send({
      cmd: 'subscribe',
      messageId: 1,
      subscriptions: [{ topic: 'v1/devices/me/attributes/response/+', qos: 1 }],
    });
    client.publish('v1/devices/me/attributes', '{"serial":"M-1","n":5}', 2);
    client.publish('v1/devices/me/attributes/request/4', '{"clientKeys":"serial,none"}', 3);
    await client.settled();
    expect(client.of('publish').map(({ topic, payload }) => [topic, payload.toString()])).toEqual([
      ['v1/devices/me/attributes/response/4', '{"client":{"serial":"M-1"},"shared":{}}'],
    ]);
  });

  test('session limits are told by client RPC; other methods time out after 60 s', async () => {
    const clock = new VirtualClock();
    await start({ clock, rate: '100:1' });
    const client = await join('gw', 5);
    client.send({
      cmd: 'subscribe',
      messageId: 1,
      subscriptions: [{ topic: 'v1/devices/me/rpc/response/+', qos: 1 }],
    });
    client.publish('v1/devices/me/rpc/request/1', '{"method":"getSessionLimits","params":{}}', 2);
    client.publish('v1/devices/me/rpc/request/2', '{"method":"other","params":{}}', 3);
    await client.settled();
    const answers = (): unknown[] => client.of('publish').map(({ payload }) => JSON.parse(payload.toString()));
    const limits = { messages: '100:1', telemetryMessages: null, telemetryDataPoints: null };
    expect(answers()).toEqual([
      { maxPayloadSize: 65536, maxInflightMessages: 100, rateLimits: limits, gatewayRateLimits: limits },
    ]);
    await clock.advance(60_000);
    await client.settled();
    expect(answers()[1]).toEqual({ error: 'timeout' });
  });
});

describe('gateway', () => {
  test('creates devices on connect with their type, or under default', async () => {
    await start();
    const client = await join('gw', 5);
    client.publish('v1/gateway/connect', '{"device":"A","type":"dlms-meter"}', 1);
    client.publish(GATEWAY_TELEMETRY, '{"A":[{"ts":1,"values":{"k":1.5}}]}', 2);
    client.publish(GATEWAY_TELEMETRY, '{"B":[{"ts":1,"values":{"k":2}}]}', 3);
    client.publish('v1/gateway/attributes', '{"B":{"serial":"x1"}}', 4);
    client.publish('v1/gateway/disconnect', '{"device":"A"}', 5);
    await client.settled();
    expect(client.pubacks.map(({ reasonCode }) => reasonCode)).toEqual([0, 0, 0, 0, 0]);
    const { devices } = bench.double.received();
    expect(devices.get('A')).toMatchObject({ type: 'dlms-meter', gateway: 'gateway' });
    expect(devices.get('B')).toMatchObject({ type: 'default', gateway: 'gateway' });
    expect(devices.get('B')?.attributes.get('serial')).toEqual({ type: 'STRING', value: 'x1' });
    expect(stored('A', 'k')).toEqual([[1, 'DOUBLE', 1.5]]);
  });

  test('a device that is no gateway gets no PUBACK and no close', async () => {
    await start();
    expect(await outcome(await join('d1', 5), GATEWAY_TELEMETRY, '{"A":[{"k":1}]}')).toEqual([]);
    expect(bench.double.received().readings).toBe(0);
  });

  test.each([
    ['{"A":{"k":1}}', [0x99], { pubacks: 0, disconnect: null }],
    ['{"A":[]}', [], []],
    ['{"A":[5]}', [0x99], { pubacks: 0, disconnect: null }],
    ['nonsense', [0x99], { pubacks: 0, disconnect: null }],
  ])('bad input: %s', async (payload, v5, v4) => {
    await start();
    expect(await outcome(await join('gw', 5), GATEWAY_TELEMETRY, payload)).toEqual(v5);
    expect(await outcome(await join('gw', 4), GATEWAY_TELEMETRY, payload)).toEqual(v4);
  });

  test('several devices in one message: one PUBACK from 4.2.1 on, one per device before', async () => {
    const payload = '{"A":[{"k":1}],"B":[{"k":1}]}';
    await start();
    expect(await outcome(await join('gw', 5), GATEWAY_TELEMETRY, payload)).toEqual([0]);
    await start({ quirks: 'old' });
    expect(await outcome(await join('gw', 5), GATEWAY_TELEMETRY, payload)).toEqual([0, 0]);
  });

  test.each([
    ['device-creation-failed', 0x80],
    ['device-limit', 0x97],
  ] as const)('%s', async (refusal, code) => {
    const payload = '{"A":[{"k":1}]}';
    await start();
    bench.double.refuseDevices(['A'], refusal);
    expect(await outcome(await join('gw', 5), GATEWAY_TELEMETRY, payload)).toEqual([code]);
    expect(await outcome(await join('gw', 4), GATEWAY_TELEMETRY, payload)).toEqual(['plain']);
    expect(bench.double.received().readings).toBe(0);
    await start({ quirks: 'old' });
    bench.double.refuseDevices(['A'], refusal);
    expect(await outcome(await join('gw', 5), GATEWAY_TELEMETRY, payload)).toEqual([]);
  });

  test('rate limit: PUBACK 0x97 then close from 4.2.1 on, a close before; the first contact costs two more', async () => {
    const payload = '{"A":[{"k":1}]}';
    await start({ rate: '4:60' });
    const five = await join('gw', 5);
    for (const messageId of [1, 2, 3]) five.publish(GATEWAY_TELEMETRY, payload, messageId);
    await five.untilClosed();
    expect(five.pubacks.map(({ reasonCode }) => reasonCode)).toEqual([0, 0, 0x97]);
    expect(five.disconnects).toEqual([0x83]);
    await start({ rate: '4:60', quirks: 'old' });
    const old = await join('gw', 5);
    for (const messageId of [1, 2, 3]) old.publish(GATEWAY_TELEMETRY, payload, messageId);
    await old.untilClosed();
    expect(old.disconnects).toEqual([0x83]);
  });
});

describe('rate limit of a device', () => {
  test('closes without PUBACK, and refills with time', async () => {
    const clock = new VirtualClock();
    await start({ clock, rate: '2:1,100:60' });
    const client = await join('d1', 5);
    client.publish(TELEMETRY, '{"k":1}', 1);
    client.publish(TELEMETRY, '{"k":1}', 2);
    await client.settled();
    await clock.advance(500);
    client.publish(TELEMETRY, '{"k":1}', 3);
    client.publish(TELEMETRY, '{"k":1}', 4);
    await client.untilClosed();
    expect(client.pubacks.map(({ messageId }) => messageId)).toEqual([1, 2, 3]);
    expect(client.disconnects).toEqual([0x83]);
  });

  test('a limit that is none is refused at the start', async () => {
    await start();
    await expect(startThingsBoardDouble({ tokens: TOKENS, rate: 'fast' })).rejects.toMatchObject({
      code: 'INVALID_VALUE',
    });
  });
});
