/** The ThingsBoard double against facts/thingsboard.md, point by point, over raw MQTT packets. */
import { connect as connectMqtt } from 'mqtt';
import { afterEach, describe, expect, test } from 'vitest';
import { VirtualClock } from '../../src/runtime/clock.ts';
import {
  type DoubleOptions,
  startThingsBoardDouble,
  type ThingsBoardDouble,
} from '../../src/simulator/thingsboard/double.ts';
import { RawMqtt } from '../support/raw-mqtt.ts';
import { quiet, until } from '../support/until.ts';

const TOKENS = [
  { token: 'gw', device: 'gateway', gateway: true },
  { token: 'd1', device: 'meter one', gateway: false },
];
const TELEMETRY = 'v1/devices/me/telemetry';
const GATEWAY_TELEMETRY = 'v1/gateway/telemetry';

let double: ThingsBoardDouble;
const clients: RawMqtt[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await double.stop();
});

async function start(options: Partial<DoubleOptions> = {}): Promise<void> {
  double = await startThingsBoardDouble({ tokens: TOKENS, ...options });
}

async function join(username: string | undefined, version: 4 | 5, clientId = 'raw'): Promise<RawMqtt> {
  const client = await RawMqtt.connect(double.port, version, {
    clientId,
    ...(username === undefined ? {} : { username }),
  });
  clients.push(client);
  return client;
}

/** Publishes at QoS 1 and returns the PUBACK's code, 'none', or 'closed' with the DISCONNECT's reason. */
async function outcome(client: RawMqtt, topic: string, payload: string): Promise<unknown> {
  client.publish(topic, payload, 7);
  await client.settled();
  if (client.closed) return { pubacks: client.pubacks.length, disconnect: client.disconnects[0] ?? null };
  return client.pubacks.map(({ reasonCode }) => reasonCode ?? 'plain');
}

function stored(device: string, key: string): unknown[] {
  const points = double.received().devices.get(device)?.telemetry.get(key) ?? [];
  return points.map(({ ts, value }) => [ts, value.type, value.value]);
}

describe('CONNECT', () => {
  test.each([
    ['bad token', 'nobody', 'raw', 0x86, 5],
    ['empty username', '', 'raw', 0x86, 5],
    ['unknown client ID', undefined, 'raw', 0x85, 2],
    ['nothing at all', undefined, '', 0x87, 5],
  ])('%s', async (_name, username, clientId, v5, v4) => {
    await start();
    const five = await join(username, 5, clientId);
    await five.untilClosed();
    expect(five.of('connack')[0]).toMatchObject({ reasonCode: v5 });
    // A DISCONNECT with the same code follows.
    expect(five.octets.subarray(-4)).toEqual(Buffer.from([0xe0, 0x02, v5, 0x00]));
    const four = await join(username, 4, clientId);
    await four.untilClosed();
    expect(four.of('connack')[0]).toMatchObject({ returnCode: v4 });
    expect(four.octets.length).toBe(4);
  });

  test.each([
    ['unavailable', 0x88, 3],
    ['rate-limit', 0x9f, 3],
  ] as const)('refuses when told to: %s', async (refusal, v5, v4) => {
    await start();
    double.refuseConnections(refusal);
    expect((await join('d1', 5)).of('connack')[0]).toMatchObject({ reasonCode: v5 });
    expect((await join('d1', 4)).of('connack')[0]).toMatchObject({ returnCode: v4 });
    double.refuseConnections('silent');
    expect((await join('d1', 5)).octets.length).toBe(0);
    double.refuseConnections(null);
    expect((await join('d1', 5)).of('connack')[0]).toMatchObject({ reasonCode: 0 });
  });

  test('sessionPresent is the clean flag turned round, whatever there is', async () => {
    await start();
    const client = await RawMqtt.connect(double.port, 4, { username: 'd1', clean: false });
    clients.push(client);
    expect(client.of('connack')[0]).toMatchObject({ returnCode: 0, sessionPresent: true });
  });

  test('a session is idle for 600 s at most; PINGREQ counts', async () => {
    const clock = new VirtualClock();
    await start({ clock });
    const client = await join('d1', 5);
    await clock.advance(599_000);
    await client.settled();
    await clock.advance(599_000);
    expect(client.closed).toBe(false);
    await clock.advance(1_000);
    await client.untilClosed();
    expect(client.disconnects).toEqual([0x83]);
  });
});

describe('the same token twice', () => {
  test('MQTT 5: the eldest gets DISCONNECT 0x8E, then the close', async () => {
    await start();
    const eldest = await join('d1', 5, 'a');
    const newcomer = await join('d1', 5, 'b');
    await eldest.untilClosed();
    expect(eldest.disconnects).toEqual([0x8e]);
    await newcomer.settled();
    expect(newcomer.closed).toBe(false);
    expect(double.sessions()).toEqual([{ device: 'meter one', clientId: 'b', version: 5 }]);
  });

  test('3.1.1: a plain close', async () => {
    await start();
    const eldest = await join('d1', 4);
    await join('d1', 4);
    await eldest.untilClosed();
    expect(eldest.packets.map(({ cmd }) => cmd)).toEqual(['connack']);
  });

  test('until it is closed, what the eldest publishes is kept and not acknowledged', async () => {
    const clock = new VirtualClock();
    await start({ clock, takeoverDelayMs: 50 });
    const eldest = await join('d1', 5);
    await join('d1', 5);
    eldest.publish(TELEMETRY, '{"ts":1,"values":{"a":1}}', 1);
    await eldest.settled();
    expect(eldest.pubacks).toEqual([]);
    expect(stored('meter one', 'a')).toEqual([[1, 'LONG', 1n]]);
    await clock.advance(50);
    await eldest.untilClosed();
  });

  test('the same client ID with different tokens is no conflict', async () => {
    await start();
    const one = await join('d1', 5, 'same');
    await join('gw', 5, 'same');
    await quiet();
    await one.settled();
    expect(one.closed).toBe(false);
  });
});

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
    expect(double.received().readings).toBe(0);
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
    expect(double.received()).toMatchObject({ messages: 3, readings: 1, duplicates: 2, changed: 1 });
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

describe('sizes and octets', () => {
  /** A telemetry packet of exactly this remaining length. */
  function payloadFor(remainingLength: number, version: 4 | 5): string {
    const overhead = 2 + TELEMETRY.length + 2 + (version === 5 ? 1 : 0);
    const frame = '{"k":""}';
    return `{"k":"${'x'.repeat(remainingLength - overhead - frame.length)}"}`;
  }

  test.each([4, 5] as const)('remaining length 65536 is taken, 65537 closes (version %i)', async (version) => {
    await start();
    const client = await join('d1', version);
    client.publish(TELEMETRY, payloadFor(65_536, version), 1);
    await client.settled();
    expect(client.pubacks.length).toBe(1);
    client.publish(TELEMETRY, payloadFor(65_537, version), 2);
    await client.untilClosed();
    expect(client.pubacks.length).toBe(1);
    expect(client.disconnects).toEqual(version === 5 ? [0x81] : []);
  });

  test('nothing a client sends ends the server', async () => {
    await start();
    let seed = 12345;
    const random = (below: number): number => {
      seed = (seed * 1103515245 + 12345) & 0x7fffffff;
      return seed % below;
    };
    for (let round = 0; round < 60; round += 1) {
      const client = round % 2 === 0 ? await RawMqtt.open(double.port, 5) : await join('gw', round % 4 === 1 ? 5 : 4);
      clients.push(client);
      client.sendOctets(Buffer.from(Array.from({ length: 1 + random(300) }, () => random(256))));
      client.sendOctets(Buffer.from([0x30 + random(16), 0x06, 0x00, 0xff, 0x61, 0x62, random(256), random(256)]));
      await quiet(3);
      client.close();
    }
    const survivor = await join('d1', 5);
    expect(await outcome(survivor, TELEMETRY, '{"k":1}')).toEqual([0]);
  });

  test('packets may come octet by octet', async () => {
    await start();
    const client = await join('d1', 4);
    const octets = [0x32, 0x24, 0x00, 0x17, ...Buffer.from(TELEMETRY), 0x00, 0x05, ...Buffer.from('{"abc":12}')];
    octets[1] = octets.length - 2;
    for (const octet of octets) {
      client.sendOctets(Buffer.from([octet]));
      await quiet(1);
    }
    await client.settled();
    expect(client.pubacks.map(({ messageId }) => messageId)).toEqual([5]);
  });

  test('what comes before CONNECT closes', async () => {
    await start();
    const client = await RawMqtt.open(double.port, 4);
    clients.push(client);
    client.publish(TELEMETRY, '{"k":1}', 1);
    await client.untilClosed();
    expect(double.received().messages).toBe(0);
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
    const { devices } = double.received();
    expect(devices.get('A')).toMatchObject({ type: 'dlms-meter', gateway: 'gateway' });
    expect(devices.get('B')).toMatchObject({ type: 'default', gateway: 'gateway' });
    expect(devices.get('B')?.attributes.get('serial')).toEqual({ type: 'STRING', value: 'x1' });
    expect(stored('A', 'k')).toEqual([[1, 'DOUBLE', 1.5]]);
  });

  test('a device that is no gateway gets no PUBACK and no close', async () => {
    await start();
    expect(await outcome(await join('d1', 5), GATEWAY_TELEMETRY, '{"A":[{"k":1}]}')).toEqual([]);
    expect(double.received().readings).toBe(0);
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
    await double.stop();
    await start({ quirks: 'old' });
    expect(await outcome(await join('gw', 5), GATEWAY_TELEMETRY, payload)).toEqual([0, 0]);
  });

  test.each([
    ['device-creation-failed', 0x80],
    ['device-limit', 0x97],
  ] as const)('%s', async (refusal, code) => {
    const payload = '{"A":[{"k":1}]}';
    await start();
    double.refuseDevices(['A'], refusal);
    expect(await outcome(await join('gw', 5), GATEWAY_TELEMETRY, payload)).toEqual([code]);
    expect(await outcome(await join('gw', 4), GATEWAY_TELEMETRY, payload)).toEqual(['plain']);
    expect(double.received().readings).toBe(0);
    await double.stop();
    await start({ quirks: 'old' });
    double.refuseDevices(['A'], refusal);
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
    await double.stop();
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

describe('misbehaviour on demand', () => {
  test('PUBACKs held back, then out of order', async () => {
    await start();
    const client = await join('d1', 5);
    double.withholdAcks();
    for (const messageId of [1, 2, 3]) client.publish(TELEMETRY, `{"ts":${messageId},"values":{"k":1}}`, messageId);
    await client.settled();
    expect(client.pubacks).toEqual([]);
    expect(double.withheldAcks()).toBe(3);
    double.releaseAcks('reversed');
    await client.settled();
    expect(client.pubacks.map(({ messageId }) => messageId)).toEqual([3, 2, 1]);
  });

  test('frozen it accepts and says nothing', async () => {
    await start();
    const before = await join('d1', 5);
    double.freeze();
    const during = await RawMqtt.open(double.port, 5);
    clients.push(during);
    before.publish(TELEMETRY, '{"k":1}', 1);
    during.send({ cmd: 'connect', protocolVersion: 5, clientId: 'x', username: 'gw', clean: true, keepalive: 0 });
    await quiet();
    expect([before.pubacks.length, during.packets.length]).toEqual([0, 0]);
    double.thaw();
    await until('both are answered', () => before.pubacks.length === 1 && during.packets.length === 1);
  });

  test('dropped, killed and restarted on the same port, with what it received', async () => {
    await start();
    const client = await join('d1', 5);
    await outcome(client, TELEMETRY, '{"ts":1,"values":{"k":1}}');
    double.dropAll();
    await client.untilClosed();
    const { port } = double;
    const again = await join('d1', 5);
    await double.kill();
    await again.untilClosed();
    await expect(RawMqtt.open(port, 5)).rejects.toThrow('ECONNREFUSED');
    await double.restart();
    expect(double.port).toBe(port);
    await join('d1', 5);
    expect(stored('meter one', 'k').length).toBe(1);
    expect(double.connects()).toBe(3);
  });
});

test('GET /received tells what came, with all digits', async () => {
  await start({ httpPort: 0 });
  await outcome(await join('d1', 5), TELEMETRY, '{"ts":1,"values":{"e":9223372036854775807,"v":230.5}}');
  const response = await fetch(`http://127.0.0.1:${double.httpPort}/received`);
  expect(response.headers.get('content-type')).toBe('application/json');
  const text = await response.text();
  expect(text).toContain('"e":[{"ts":1,"type":"LONG","value":9223372036854775807,"deliveries":1}]');
  expect(text).toContain('"v":[{"ts":1,"type":"DOUBLE","value":230.5,"deliveries":1}]');
  expect((await fetch(`http://127.0.0.1:${double.httpPort}/other`)).status).toBe(404);
});

test('mqtt.js talks to it in both versions', async () => {
  await start();
  for (const protocolVersion of [4, 5] as const) {
    const client = connectMqtt({
      host: '127.0.0.1',
      port: double.port,
      protocol: 'mqtt',
      username: 'd1',
      protocolVersion,
      reconnectPeriod: 0,
    });
    await new Promise<void>((resolve, reject) => client.once('connect', () => resolve()).once('error', reject));
    await client.publishAsync(TELEMETRY, `{"ts":${protocolVersion},"values":{"k":1}}`, { qos: 1 });
    await client.endAsync(true);
  }
  expect(stored('meter one', 'k').length).toBe(2);
});
