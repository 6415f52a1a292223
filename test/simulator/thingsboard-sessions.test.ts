/** The ThingsBoard double against facts/thingsboard.md: connecting, sessions, sizes, and its hooks for tests. */
import { connect as connectMqtt } from 'mqtt';
import { describe, expect, test } from 'vitest';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { doubleBench, TELEMETRY } from '../support/double-bench.ts';
import { RawMqtt } from '../support/raw-mqtt.ts';
import { quiet, until } from '../support/until.ts';

const bench = doubleBench();
const { start, join, outcome, stored } = bench;

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
    bench.double.refuseConnections(refusal);
    expect((await join('d1', 5)).of('connack')[0]).toMatchObject({ reasonCode: v5 });
    expect((await join('d1', 4)).of('connack')[0]).toMatchObject({ returnCode: v4 });
    bench.double.refuseConnections('silent');
    expect((await join('d1', 5)).octets.length).toBe(0);
    bench.double.refuseConnections(null);
    expect((await join('d1', 5)).of('connack')[0]).toMatchObject({ reasonCode: 0 });
  });

  test('sessionPresent is the clean flag turned round, whatever there is', async () => {
    await start();
    const client = await RawMqtt.connect(bench.double.port, 4, { username: 'd1', clean: false });
    bench.keep(client);
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
    expect(bench.double.sessions()).toEqual([{ device: 'meter one', clientId: 'b', version: 5 }]);
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
      const client =
        round % 2 === 0 ? await RawMqtt.open(bench.double.port, 5) : await join('gw', round % 4 === 1 ? 5 : 4);
      bench.keep(client);
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
    const client = await RawMqtt.open(bench.double.port, 4);
    bench.keep(client);
    client.publish(TELEMETRY, '{"k":1}', 1);
    await client.untilClosed();
    expect(bench.double.received().messages).toBe(0);
  });
});

describe('misbehaviour on demand', () => {
  test('PUBACKs held back, then out of order', async () => {
    await start();
    const client = await join('d1', 5);
    bench.double.withholdAcks();
    for (const messageId of [1, 2, 3]) client.publish(TELEMETRY, `{"ts":${messageId},"values":{"k":1}}`, messageId);
    await client.settled();
    expect(client.pubacks).toEqual([]);
    expect(bench.double.withheldAcks()).toBe(3);
    bench.double.releaseAcks('reversed');
    await client.settled();
    expect(client.pubacks.map(({ messageId }) => messageId)).toEqual([3, 2, 1]);
  });

  test('frozen it accepts and says nothing', async () => {
    await start();
    const before = await join('d1', 5);
    bench.double.freeze();
    const during = await RawMqtt.open(bench.double.port, 5);
    bench.keep(during);
    before.publish(TELEMETRY, '{"k":1}', 1);
    during.send({ cmd: 'connect', protocolVersion: 5, clientId: 'x', username: 'gw', clean: true, keepalive: 0 });
    await quiet();
    expect([before.pubacks.length, during.packets.length]).toEqual([0, 0]);
    bench.double.thaw();
    await until('both are answered', () => before.pubacks.length === 1 && during.packets.length === 1);
  });

  test('dropped, killed and restarted on the same port, with what it received', async () => {
    await start();
    const client = await join('d1', 5);
    await outcome(client, TELEMETRY, '{"ts":1,"values":{"k":1}}');
    bench.double.dropAll();
    await client.untilClosed();
    const { port } = bench.double;
    const again = await join('d1', 5);
    await bench.double.kill();
    await again.untilClosed();
    await expect(RawMqtt.open(port, 5)).rejects.toThrow('ECONNREFUSED');
    await bench.double.restart();
    expect(bench.double.port).toBe(port);
    await join('d1', 5);
    expect(stored('meter one', 'k').length).toBe(1);
    expect(bench.double.connects()).toBe(3);
  });
});

test('GET /received tells what came, with all digits', async () => {
  await start({ httpPort: 0 });
  await outcome(await join('d1', 5), TELEMETRY, '{"ts":1,"values":{"e":9223372036854775807,"v":230.5}}');
  const response = await fetch(`http://127.0.0.1:${bench.double.httpPort}/received`);
  expect(response.headers.get('content-type')).toBe('application/json');
  const text = await response.text();
  expect(text).toContain('"e":[{"ts":1,"type":"LONG","value":9223372036854775807,"deliveries":1}]');
  expect(text).toContain('"v":[{"ts":1,"type":"DOUBLE","value":230.5,"deliveries":1}]');
  expect((await fetch(`http://127.0.0.1:${bench.double.httpPort}/other`)).status).toBe(404);
});

test('mqtt.js talks to it in both versions', async () => {
  await start();
  for (const protocolVersion of [4, 5] as const) {
    const client = connectMqtt({
      host: '127.0.0.1',
      port: bench.double.port,
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
