/** How a session proves who it is: token, MQTT basic, client certificate; and what is told of certificates. */
import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { BridgeError } from '../../src/core/errors.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';
import {
  type DoubleOptions,
  startThingsBoardDouble,
  type ThingsBoardDouble,
} from '../../src/simulator/thingsboard/double.ts';
import { type Credentials, credentialsOf, credentialsText } from '../../src/store/fleet/credentials.ts';
import { DEFAULT_TARGET_SETTINGS } from '../../src/store/fleet/target-settings.ts';
import type { Target } from '../../src/store/fleet/types.ts';
import { type MqttSession, openSession } from '../../src/thingsboard/session/connection.ts';
import { type SelfSigned, selfSigned } from '../support/self-signed.ts';

let directory: string;
const abort = new AbortController();
let double: ThingsBoardDouble;

async function start(options: Partial<DoubleOptions>): Promise<void> {
  double = await startThingsBoardDouble({ tokens: [], ...options });
}
afterEach(() => double.stop());

function open(credentials: Credentials, fields: Partial<Target> = {}): Promise<MqttSession> {
  const url = `mqtt://127.0.0.1:${double.port}`;
  return openSession({
    target: { id: 1, name: 'tb', url, protocol: '5', mode: 'device', caFile: null, ...fields },
    token: credentialsText(credentials),
    clientId: 'made-up',
    clock: new VirtualClock(),
    connackTimeoutMs: 15_000,
    ackTimeoutMs: 20_000,
    keepaliveSeconds: 60,
    signal: abort.signal,
  });
}

const failure = (attempt: Promise<unknown>): Promise<BridgeError> =>
  attempt.then(
    () => Promise.reject(new Error('it did not fail')),
    (error: BridgeError) => error,
  );

describe('MQTT basic', () => {
  const basic = { clientId: 'bridge-1', username: 'user', password: 'a password' };
  const given: Credentials = { kind: 'basic', ...basic };

  test.each(['5', '3.1.1'] as const)('client ID, username and password have to match, MQTT %s', async (protocol) => {
    await start({ tokens: [{ token: 'basic', device: 'bridge', gateway: true, basic }] });
    const session = await open(given, { protocol });
    expect(session.clientId).toBe('bridge-1');
    expect(double.sessions()).toMatchObject([{ device: 'bridge', clientId: 'bridge-1' }]);
    session.close();
    const error = await failure(open({ ...given, password: 'another password' }, { protocol }));
    expect(error.code).toBe('MQTT_CREDENTIALS');
    expect(JSON.stringify([error.report(), error.facts])).not.toContain('another password');
  });

  test('a client ID alone', async () => {
    await start({ tokens: [{ token: 'basic', device: 'bridge', gateway: true, basic: { clientId: 'only-me' } }] });
    const session = await open({ kind: 'basic', clientId: 'only-me', username: null, password: null });
    session.close();
    expect((await failure(open({ kind: 'basic', clientId: 'not-me', username: null, password: null }))).code).toBe(
      'MQTT_CREDENTIALS',
    );
  });
});

describe('as they are kept', () => {
  test('basic credentials come back as they went; a token stays what it is', async () => {
    await start({});
    const given: Credentials = { kind: 'basic', clientId: null, username: 'a b', password: 'ü"\n' };
    expect(credentialsOf(credentialsText(given))).toEqual(given);
    expect(credentialsText(given)).toMatch(/^[\x21-\x7e]+$/);
    expect(credentialsOf('TOKEN')).toEqual({ kind: 'token', token: 'TOKEN' });
  });

  test.each([
    { kind: 'basic', clientId: null, username: null, password: null },
    { kind: 'basic', clientId: 'c', username: null, password: 'p' },
    { kind: 'x509', certificate: 'none', key: 'none' },
  ] as const)('refused: %j', async (credentials) => {
    await start({});
    expect(() => credentialsText(credentials)).toThrow(expect.objectContaining({ code: 'INVALID_VALUE' }));
  });
});

describe.skipIf(spawnSync('openssl', ['version']).error !== undefined)('X.509', () => {
  let server: SelfSigned;
  let ours: SelfSigned;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'x509-'));
    server = selfSigned(directory, 'tb.example', 20);
    ours = selfSigned(directory, 'bridge', 2);
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  const settings = { ...DEFAULT_TARGET_SETTINGS, serverName: 'tb.example' };
  const fields = (): Partial<Target> => ({
    url: `mqtts://127.0.0.1:${double.port}`,
    caFile: server.file,
    settings,
  });

  async function startWithTls(): Promise<void> {
    const certificate = new X509Certificate(ours.certificate).fingerprint256;
    await start({
      tls: { key: server.key, cert: server.certificate },
      tokens: [
        { token: 'x509', device: 'bridge', gateway: true, certificate },
        { token: 'TOKEN', device: 'other', gateway: false },
      ],
    });
  }

  test.each(['5', '3.1.1'] as const)('a client certificate is who we are, MQTT %s', async (protocol) => {
    await startWithTls();
    const { certificate, key } = ours;
    const session = await open({ kind: 'x509', certificate, key }, { ...fields(), protocol });
    expect(double.sessions()).toMatchObject([{ device: 'bridge' }]);
    // Ours is the first to expire.
    expect(session.certificateExpires).toBe(Date.parse(new X509Certificate(certificate).validTo));
    session.close();
    const stranger = selfSigned(directory, 'stranger', 2);
    const refused = failure(open({ kind: 'x509', certificate: stranger.certificate, key: stranger.key }, fields()));
    expect((await refused).code).toBe('MQTT_CREDENTIALS');
  });

  test('a token over TLS; the server name has to be that of the certificate', async () => {
    await startWithTls();
    const session = await open({ kind: 'token', token: 'TOKEN' }, fields());
    expect(session.certificateExpires).toBe(Date.parse(new X509Certificate(server.certificate).validTo));
    session.close();
    const other = { ...fields(), settings: { ...settings, serverName: 'other.example' } };
    expect((await failure(open({ kind: 'token', token: 'TOKEN' }, other))).code).toBe('MQTT_TLS');
  });

  test('a key of another certificate is refused before anything is stored', async () => {
    await start({});
    expect(() => credentialsText({ kind: 'x509', certificate: ours.certificate, key: server.key })).toThrow(
      expect.objectContaining({ code: 'INVALID_VALUE' }),
    );
  });
});
