/** The endpoint for monitoring over real HTTP: what it tells, and that nobody can hold or hurt it. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { BridgeError } from '../../src/core/errors.ts';
import type { ConnectionStatus } from '../../src/daemon/publisher-set.ts';
import type { Gauges, TargetGauges } from '../../src/daemon/status/gauges.ts';
import { targetGauges } from '../../src/daemon/status/gauges.ts';
import { MetricsEndpoint, type ObservedDaemon } from '../../src/daemon/status/metrics-endpoint.ts';
import type { PollingEvents } from '../../src/polling/events.ts';
import { sleep, systemClock, VirtualClock } from '../../src/runtime/clock.ts';
import { EventBus } from '../../src/runtime/events.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import type { Fleet } from '../../src/store/fleet/types.ts';
import { NO_TOTALS } from '../../src/store/local/status.ts';
import { eventually } from '../support/eventually.ts';

const target = (name: string): TargetGauges => ({
  ...{ target: name, outbox: { rows: 3, oldest: 4000, bytes: 99, quarantined: 1 } },
  ...{ states: new Map([['connected', 2]]), conflicts: 1, certificateExpires: null },
});
const totals = { total: 9, connected: 5, connecting: 0, disconnected: 1, error: 2, suspended: 1 };
const devices = { ...totals, connections: 0, reconnections: 0, errors: 0, averageUptimeMs: null, lastSeen: null };
const GAUGES: Gauges = {
  now: 10_000,
  daemon: {
    ...{ startedAt: 5000, cycles: 7, readings: 70, messages: 8, late: 1, errors: 2 },
    ...{ publishRate: 0.5, recentPublishRate: null },
  },
  devices: { meter: devices, line: devices },
  jobsQueued: 4,
  targets: [target('cloud "1"\n')],
  totals: { ...NO_TOTALS, dropped: 12 },
  alerts: new Map([['METER_OFFLINE', 2]]),
};

class FakeDaemon implements ObservedDaemon {
  readonly polling = new EventBus<PollingEvents>((error) => {
    throw error;
  });
  shown: Gauges | BridgeError = GAUGES;
  asked = 0;
  ails: string[] = [];
  gauges(): Gauges {
    this.asked += 1;
    if (this.shown instanceof BridgeError) throw this.shown;
    return this.shown;
  }
  ailments(): readonly string[] {
    return this.ails;
  }
}

async function scene() {
  const [daemon, clock] = [new FakeDaemon(), new VirtualClock()];
  const options = { host: '127.0.0.1', port: 0, version: '1.2.3', clock, log: silentLogger };
  const endpoint = await MetricsEndpoint.start(options);
  onTestFinished(() => endpoint.close());
  const get = (path: string, init: RequestInit = {}): Promise<Response> => fetch(endpoint.url + path, init);
  return { daemon, clock, endpoint, get };
}

/** A connection that says this and nothing more, and the whole of what comes back until it is closed. */
function raw(port: number, text: string): { readonly socket: Socket; heard: string; closed: boolean } {
  const socket = connect(port, '127.0.0.1', () => socket.write(text));
  const one = { socket, heard: '', closed: false };
  socket
    .on('error', () => undefined)
    .on('data', (octets: Buffer) => {
      one.heard += octets.toString('latin1');
    });
  socket.once('close', () => {
    one.closed = true;
  });
  onTestFinished(() => void socket.destroy());
  return one;
}

describe('what is told', () => {
  test('metrics in the format of Prometheus; what is not known has no sample', async () => {
    const { daemon, endpoint, get } = await scene();
    endpoint.serve(daemon);
    daemon.polling.emit('committed', { pollMs: 250 } as PollingEvents['committed']);
    daemon.polling.emit('failed', { error: new BridgeError('METER_TIMEOUT', 'silent') } as PollingEvents['failed']);
    const response = await get('/metrics');
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    const lines = (await response.text()).trimEnd().split('\n');
    const samples = lines.filter((line) => line !== '' && !line.startsWith('#'));
    for (const sample of samples) expect(sample).toMatch(/^[a-z_0-9]+(\{([a-z]+="([^"\\\n]|\\["\\n])*",?)+\})? \S+$/);
    expect(samples).toEqual(
      expect.arrayContaining([
        `dlms_build_info{version="1.2.3",node="${process.version}"} 1`,
        'dlms_start_time_seconds 5',
        'dlms_cycles_total 7',
        'dlms_publish_rate 0.5',
        'dlms_outbox_rows{target="cloud \\"1\\"\\n"} 3',
        'dlms_outbox_oldest_age_seconds{target="cloud \\"1\\"\\n"} 6',
        'dlms_outbox_dropped_rows_total 12',
        'dlms_connections{target="cloud \\"1\\"\\n",state="waiting"} 0',
        'dlms_meters{state="error"} 2',
        'dlms_alerts_active{code="METER_OFFLINE",severity="major"} 2',
        'dlms_alerts_active{code="TOKEN_CONFLICT",severity="critical"} 0',
        'dlms_poll_duration_seconds_bucket{le="0.3"} 1',
        'dlms_polls_failed_total{fault="meter"} 1',
      ]),
    );
    const names = samples.map((line) => line.split(/[ {]/)[0]);
    expect(names).not.toContain('dlms_publish_rate_recent');
    expect(names).not.toContain('dlms_certificate_expiry_time_seconds');
    expect(names).toContain('nodejs_eventloop_lag_seconds');
  });

  test('a value that becomes unknown goes away, and counters go on', async () => {
    const { daemon, clock, endpoint, get } = await scene();
    endpoint.serve(daemon);
    daemon.shown = { ...GAUGES, daemon: { ...GAUGES.daemon, recentPublishRate: 0.25, cycles: 9 } };
    expect(await (await get('/metrics')).text()).toMatch(/^dlms_publish_rate_recent 0.25$/m);
    await clock.advance(1000);
    daemon.shown = { ...GAUGES, targets: [], daemon: { ...GAUGES.daemon, cycles: 11 } };
    const text = await (await get('/metrics')).text();
    expect(text).not.toMatch(/^dlms_publish_rate_recent/m);
    expect(text).not.toMatch(/^dlms_outbox_rows/m);
    expect(text).toMatch(/^dlms_cycles_total 11$/m);
  });

  test('alive at once, ready when it is served and nothing ails it, not while it stops', async () => {
    const { daemon, endpoint, get } = await scene();
    const ready = async (): Promise<[number, string]> => {
      const response = await get('/readyz');
      return [response.status, await response.text()];
    };
    expect((await get('/livez')).status).toBe(200);
    expect(await ready()).toEqual([503, 'starting\n']);
    expect((await get('/metrics')).status).toBe(503);
    endpoint.serve(daemon);
    expect(await ready()).toEqual([200, 'ok\n']);
    daemon.ails = ['database: no turn ended for 99 s'];
    expect(await ready()).toEqual([503, 'database: no turn ended for 99 s\n']);
    expect((await get('/livez')).status).toBe(200);
    daemon.ails = [];
    endpoint.stopping();
    expect(await ready()).toEqual([503, 'stopping\n']);
  });

  test('a database that cannot be read: the code, and figures again when it can', async () => {
    const { daemon, clock, endpoint, get } = await scene();
    endpoint.serve(daemon);
    daemon.shown = new BridgeError('DATABASE_LOCKED', 'locked');
    const failed = await get('/metrics');
    expect([failed.status, await failed.text()]).toEqual([503, 'DATABASE_LOCKED\n']);
    daemon.shown = GAUGES;
    await clock.advance(1000);
    expect((await get('/metrics')).status).toBe(200);
  });

  test('connections are told by their target', () => {
    const fleet = {
      targets: [
        { id: 1, name: 'a' },
        { id: 2, name: 'b' },
      ],
      connections: [1, 1, 2].map((targetId, index) => ({ id: index + 1, targetId })),
    } as unknown as Fleet;
    const depth = (connectionId: number, oldest: number | null) => ({
      ...{ connectionId, rows: 2, bytes: 5, quarantined: 0, oldest, drops: null },
    });
    const status = (state: string, certificateExpires: string | null) =>
      ({ state, conflict: state === 'waiting', certificateExpires }) as ConnectionStatus;
    const statuses = new Map([
      [1, status('connected', '2026-06-01T00:00:00Z')],
      [2, status('waiting', '2026-05-01T00:00:00Z')],
    ]);
    const [a, b] = targetGauges(fleet, [depth(1, null), depth(2, 7)], statuses);
    expect(a).toEqual({
      ...{ target: 'a', outbox: { rows: 4, bytes: 10, quarantined: 0, oldest: 7 }, conflicts: 1 },
      ...{
        states: new Map([
          ['connected', 1],
          ['waiting', 1],
        ]),
        certificateExpires: Date.UTC(2026, 4, 1),
      },
    });
    expect(b).toMatchObject({ outbox: { rows: 0, oldest: null }, conflicts: 0, certificateExpires: null });
  });
});

describe('who means no good', () => {
  test.each([
    ['/metrics', 'POST', 405],
    ['/metrics', 'HEAD', 405],
    ['/livez', 'DELETE', 405],
    ['/', 'GET', 404],
    ['/metrics/../etc', 'GET', 404],
    ['/toString', 'GET', 404],
    ['/livez?x=1', 'GET', 200],
  ])('%s %s: %i', async (path, method, status) => {
    const { daemon, endpoint, get } = await scene();
    endpoint.serve(daemon);
    const response = await get(path, { method });
    expect(response.status).toBe(status);
    expect(response.headers.get('allow')).toBe(status === 405 ? 'GET' : null);
  });

  test.each([
    ['no HTTP', 'GARBAGE\r\n\r\n', /^HTTP\/1.1 400 /],
    ['endless headers', `GET /livez HTTP/1.1\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`, /^HTTP\/1.1 431 /],
    ['an endless body', `GET /livez HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\n\r\n`, /^HTTP\/1.1 200 /],
    ['a tunnel', 'CONNECT 10.0.0.1:80 HTTP/1.1\r\nhost: x\r\n\r\n', /^$/],
    [
      'another protocol',
      'GET /livez HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n',
      /^HTTP\/1.1 200 /,
    ],
    ['many requests at once', 'GET /livez HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(1000), /^HTTP\/1.1 200 [\s\S]*\nok\n$/],
  ])('%s: answered once, and the connection is closed', async (_, text, answer) => {
    const { daemon, endpoint } = await scene();
    endpoint.serve(daemon);
    const one = raw(endpoint.port, text);
    await eventually('it is closed', () => one.closed);
    expect(one.heard).toMatch(answer);
    expect(one.heard.split('HTTP/1.1 ').length).toBeLessThanOrEqual(2);
  });

  test('who says nothing, or a header now and then, is closed; meanwhile others are answered', {
    timeout: 30_000,
  }, async () => {
    const { daemon, endpoint, get } = await scene();
    endpoint.serve(daemon);
    const silent = Array.from({ length: 10 }, () => raw(endpoint.port, ''));
    const slow = Array.from({ length: 10 }, () => raw(endpoint.port, 'GET /metrics HTTP/1.1\r\n'));
    let drops = 0;
    const dripping = async (): Promise<void> => {
      while (slow.some(({ closed }) => !closed)) {
        for (const { socket } of slow) if (socket.writable) socket.write(`x-${drops}: 1\r\n`);
        drops += 1;
        // Node's own time limits of a request are real time.
        await sleep(systemClock, 200);
      }
    };
    const dripped = dripping();
    expect((await get('/metrics')).status).toBe(200);
    await eventually('all are closed', () => [...silent, ...slow].every(({ closed }) => closed), { withinMs: 20_000 });
    await dripped;
    expect(daemon.asked).toBe(1);
  });

  test('more connections than are taken: the rest is turned away, and there is room again when they go', async () => {
    const { daemon, endpoint, get } = await scene();
    endpoint.serve(daemon);
    const many = Array.from({ length: 60 }, () => raw(endpoint.port, 'GET /livez HTTP/1.1\r\n'));
    await eventually('the rest is closed', () => many.filter(({ closed }) => closed).length === 60 - 32);
    for (const { socket } of many) socket.destroy();
    await eventually('there is room', async () => (await get('/livez').catch(() => null))?.status === 200);
  });

  test('scrapes in quick succession cost one look', async () => {
    const { daemon, clock, endpoint, get } = await scene();
    endpoint.serve(daemon);
    for (let time = 0; time < 20; time += 1) expect((await get('/metrics')).status).toBe(200);
    expect(daemon.asked).toBe(1);
    await clock.advance(1000);
    await get('/metrics');
    expect(daemon.asked).toBe(2);
  });

  test('who does not take the answer is left after ten seconds', async () => {
    const { daemon, clock, endpoint } = await scene();
    daemon.shown = { ...GAUGES, targets: Array.from({ length: 20_000 }, (_, index) => target(`target${index}`)) };
    endpoint.serve(daemon);
    const one = raw(endpoint.port, 'GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n');
    one.socket.pause();
    await eventually('it is asked', () => daemon.asked === 1);
    await clock.advance(9000);
    await eventually('the answer is under way', () => clock.pendingTimers === 1);
    await clock.advance(1001);
    one.socket.resume();
    await once(one.socket, 'close');
    expect(one.heard.length).toBeLessThan(10_000_000);
    expect(one.heard).not.toContain('target="target19999",state="stopped"');
  });
});

test('a port in use is said', async () => {
  const { endpoint } = await scene();
  const options = {
    host: '127.0.0.1',
    port: endpoint.port,
    version: '1',
    clock: new VirtualClock(),
    log: silentLogger,
  };
  await expect(MetricsEndpoint.start(options)).rejects.toMatchObject({
    code: 'INVALID_VALUE',
    message: expect.stringContaining(`127.0.0.1:${endpoint.port}`),
  });
});
