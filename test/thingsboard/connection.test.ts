/** One MQTT session against the ThingsBoard double: how it begins, what ends it, and that nothing is left pending. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { BridgeError } from '../../src/core/errors.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { startThingsBoardDouble, type ThingsBoardDouble } from '../../src/simulator/thingsboard/double.ts';
import type { Target } from '../../src/store/fleet/types.ts';
import {
  type MqttSession,
  newClientId,
  openSession,
  type SessionOptions,
} from '../../src/thingsboard/session/connection.ts';
import { until } from '../support/until.ts';

const MESSAGE = { topic: 'v1/devices/me/telemetry', payload: '[{"ts":1,"values":{"k":1}}]' };
const VERSIONS = ['5', '3.1.1'] as const;

let double: ThingsBoardDouble;
let clock: VirtualClock;
let abort: AbortController;

beforeEach(async () => {
  clock = new VirtualClock();
  abort = new AbortController();
  double = await startThingsBoardDouble({
    tokens: [
      { token: 'good', device: 'meter', gateway: false },
      { token: 'gw', device: 'gateway', gateway: true },
    ],
  });
});
afterEach(async () => {
  abort.abort();
  await double.stop();
});

function target(fields: Partial<Target> = {}): Target {
  const url = `mqtt://127.0.0.1:${double.port}`;
  return { id: 1, name: 'tb', url, protocol: '5', mode: 'device', caFile: null, ...fields };
}

function open(fields: Partial<Target> = {}, options: Partial<SessionOptions> = {}): Promise<MqttSession> {
  return openSession({
    target: target(fields),
    token: 'good',
    clientId: 'test-client',
    clock,
    connackTimeoutMs: 15_000,
    ackTimeoutMs: 20_000,
    keepaliveSeconds: 60,
    signal: abort.signal,
    ...options,
  });
}

async function failure(attempt: Promise<unknown>): Promise<BridgeError> {
  return attempt.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: BridgeError) => error,
  );
}

describe.each(VERSIONS)('MQTT %s', (protocol) => {
  test('connects with the token as username, publishes, and is acknowledged', async () => {
    const session = await open({ protocol });
    await session.publish(MESSAGE);
    expect(double.received()).toMatchObject({ messages: 1, readings: 1 });
    expect(double.sessions()).toEqual([
      { device: 'meter', clientId: 'test-client', version: protocol === '5' ? 5 : 4 },
    ]);
    session.close();
    expect((await session.closed).code).toBe('STOPPING');
    await until('the server sees the close', () => double.sessions().length === 0);
  });

  test.each([
    ['bad-credentials', 'MQTT_CREDENTIALS'],
    ['unknown-client-id', 'MQTT_CREDENTIALS'],
    ['no-credentials', 'MQTT_CREDENTIALS'],
    ['unavailable', 'MQTT_SERVER_UNAVAILABLE'],
    ['rate-limit', 'MQTT_SERVER_UNAVAILABLE'],
    ['silent', 'MQTT_CLOSED'],
  ] as const)('refused: %s is %s', async (refusal, code) => {
    double.refuseConnections(refusal);
    const error = await failure(open({ protocol }));
    expect(error.code).toBe(code);
    expect(clock.pendingTimers).toBe(0);
  });

  test('a wrong token never shows in the error', async () => {
    const error = await failure(open({ protocol }, { token: 'very-secret-token' }));
    expect(error.code).toBe('MQTT_CREDENTIALS');
    expect(JSON.stringify([error.report(), error.facts, String(error.stack)])).not.toContain('very-secret');
  });

  test('a frozen server: no CONNACK in time', async () => {
    double.freeze();
    const attempt = failure(open({ protocol }));
    await until('the time-out', () => clock.pendingTimers > 0);
    await clock.advance(15_000);
    expect((await attempt).code).toBe('MQTT_UNREACHABLE');
    expect(clock.pendingTimers).toBe(0);
  });

  test('a lost connection rejects everything pending, and later publishes', async () => {
    const session = await open({ protocol });
    double.withholdAcks();
    const pending = [session.publish(MESSAGE), session.publish(MESSAGE)].map(failure);
    await until('both arrived', () => double.withheldAcks() === 2);
    double.dropAll();
    for (const error of await Promise.all(pending)) expect(error.code).toBe('MQTT_CLOSED');
    expect((await session.closed).code).toBe('MQTT_CLOSED');
    expect((await failure(session.publish(MESSAGE))).code).toBe('MQTT_CLOSED');
    expect(clock.pendingTimers).toBe(0);
  });

  test('no PUBACK in time ends the session', async () => {
    const session = await open({ protocol });
    double.withholdAcks();
    const pending = failure(session.publish(MESSAGE));
    await until('it arrived', () => double.withheldAcks() === 1);
    await clock.advance(20_000);
    expect(await pending).toMatchObject({ code: 'MQTT_ACK_TIMEOUT', facts: { alive: false } });
    expect((await session.closed).code).toBe('MQTT_ACK_TIMEOUT');
    await until('the server sees the close', () => double.sessions().length === 0);
  });

  test('PUBACKs in any order', async () => {
    const session = await open({ protocol });
    double.withholdAcks();
    const order: number[] = [];
    const all = [1, 2, 3].map((number) => session.publish(MESSAGE).then(() => order.push(number)));
    await until('all arrived', () => double.withheldAcks() === 3);
    double.releaseAcks('reversed');
    await Promise.all(all);
    expect(order).toEqual([3, 2, 1]);
  });

  test('stopped while it connects, and while it stands', async () => {
    const session = await open({ protocol });
    double.freeze();
    const attempt = failure(open({ protocol }));
    abort.abort();
    expect((await attempt).code).toBe('STOPPING');
    expect((await session.closed).code).toBe('STOPPING');
    expect((await failure(open({ protocol }))).code).toBe('STOPPING');
  });

  test('a rival with the same token', async () => {
    const eldest = await open({ protocol });
    const rival = await open({ protocol }, { clientId: 'rival' });
    expect((await eldest.closed).code).toBe(protocol === '5' ? 'MQTT_CONFLICT' : 'MQTT_CLOSED');
    await rival.publish(MESSAGE);
  });

  test('the keep-alive notices a silent server', async () => {
    const session = await open({ protocol });
    double.freeze();
    await clock.advance(90_000);
    expect(await session.closed).toMatchObject({ code: 'MQTT_ACK_TIMEOUT', message: expect.stringContaining('ping') });
  });
});

test('an error PUBACK is an answer: the session goes on (MQTT 5)', async () => {
  const session = await open();
  expect(await failure(session.publish({ ...MESSAGE, payload: 'nonsense' }))).toMatchObject({
    code: 'MQTT_REFUSED',
    retryable: false,
    facts: { pubackCode: 0x99 },
  });
  expect(await failure(session.publish({ ...MESSAGE, topic: 'v1/devices/me/other' }))).toMatchObject({
    code: 'MQTT_REFUSED',
    retryable: true,
    facts: { pubackCode: 0x90 },
  });
  await session.publish(MESSAGE);
});

test('a message that alone is ignored is told from a dead link', async () => {
  const session = await open();
  const ignored = failure(session.publish({ ...MESSAGE, payload: '[]' }));
  await session.publish(MESSAGE);
  await clock.advance(20_000);
  expect(await ignored).toMatchObject({ code: 'MQTT_ACK_TIMEOUT', facts: { alive: true } });
});

test('a DISCONNECT says why (MQTT 5)', async () => {
  const session = await open();
  const pending = failure(session.publish({ ...MESSAGE, payload: '{"ts":"now","values":{}}' }));
  expect(await session.closed).toMatchObject({ code: 'MQTT_SERVER_UNAVAILABLE', facts: { disconnectReason: 0x8b } });
  expect((await pending).code).toBe('MQTT_SERVER_UNAVAILABLE');
});

test('nobody listens', async () => {
  await double.kill();
  expect((await failure(open())).code).toBe('MQTT_UNREACHABLE');
  expect((await failure(open({ url: 'mqtt://no-such-host.invalid:1883' }))).code).toBe('MQTT_UNREACHABLE');
});

test.each([
  ['from the beginning', ['HTTP/1.1 400 Bad Request\r\n\r\n']],
  // A CONNACK, then the reserved packet type 0 and a length that has no end.
  ['later', [Buffer.from([0x20, 0x03, 0, 0, 0]), Buffer.from([0x00, 0xff, 0xff, 0xff, 0xff, 0xff])]],
])('a server that speaks something else %s', async (_, says) => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.write(says[0] ?? ''));
    socket.once('data', () => setImmediate(() => socket.write(says[1] ?? '')));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const error = await failure(open({ url }).then(async (session) => Promise.reject(await session.closed)));
  expect(error).toMatchObject({ code: 'MQTT_MALFORMED', hint: expect.stringContaining('does not speak MQTT') });
  server.close();
});

test('a server of MQTT 3.1.1 only', async () => {
  const server = createServer((socket) => socket.end(Buffer.from([0x20, 0x02, 0x00, 0x01]))).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const error = await failure(open({ url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}` }));
  expect(error.code).toBe('MQTT_PROTOCOL_REFUSED');
  server.close();
});

test('client IDs are never the same twice', () => {
  expect(newClientId()).toMatch(/^dlms-multi-meter-[0-9a-f]{12}$/);
  expect(new Set(Array.from({ length: 100 }, newClientId)).size).toBe(100);
});

describe.skipIf(spawnSync('openssl', ['version']).error !== undefined)('TLS', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'tls-'));
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
    const files = ['-keyout', join(directory, 'key.pem'), '-out', join(directory, 'cert.pem')];
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    spawnSync('openssl', ['req', '-x509', '-days', '2', ...key, ...files, ...subject]);
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  test('trusts the CA file and nothing else', async () => {
    const caFile = join(directory, 'cert.pem');
    const key = readFileSync(join(directory, 'key.pem'));
    const named: unknown[] = [];
    const server = createTlsServer({ key, cert: readFileSync(caFile) }, (socket) => {
      named.push(socket.servername);
      const inner = connect(double.port, '127.0.0.1');
      for (const end of [socket, inner]) end.on('error', () => undefined);
      socket.pipe(inner).pipe(socket);
    }).listen(0, 'localhost');
    server.on('tlsClientError', () => undefined);
    await once(server, 'listening');
    const url = `mqtts://localhost:${(server.address() as AddressInfo).port}`;
    const session = await open({ url, caFile });
    await session.publish(MESSAGE);
    session.close();
    expect(named).toEqual(['localhost']);
    expect((await failure(open({ url }))).code).toBe('MQTT_TLS');
    expect((await failure(open({ url, caFile: join(directory, 'none.pem') }))).code).toBe('MQTT_TLS');
    // Plain text where TLS is spoken, and the other way round.
    const bare = await failure(open({ url: url.replace('mqtts', 'mqtt') }));
    expect(bare.code).toMatch(/MQTT_(CLOSED|UNREACHABLE)/);
    if (bare.code === 'MQTT_CLOSED') expect(bare.hint).toContain('takes mqtts://');
    const plain = failure(open({ url: `mqtts://localhost:${double.port}`, caFile }));
    expect((await plain).code).toMatch(/MQTT_(TLS|CLOSED|UNREACHABLE)/);
    server.close();
  });
});
