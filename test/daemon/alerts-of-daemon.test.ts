/** Alerts through the whole daemon in virtual time: what raises them, how soon, what clears them, and that they outlast it. */
import { spawnSync } from 'node:child_process';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { AlertCode } from '../../src/alert/rules.ts';
import { Daemon } from '../../src/daemon/daemon.ts';
import { DEFAULT_METER_SETTINGS, NO_SECRETS } from '../../src/dlms/settings.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { startVirtualMeters } from '../../src/simulator/meter/fleet.ts';
import { type DoubleOptions, startThingsBoardDouble } from '../../src/simulator/thingsboard/double.ts';
import { Rival } from '../../src/simulator/thingsboard/rival.ts';
import type { Database } from '../../src/store/database.ts';
import { addMeter, changeMeter, removeMeter } from '../../src/store/fleet/meters.ts';
import { clientSystemTitle } from '../../src/store/fleet/system-title.ts';
import { DEFAULT_TARGET_SETTINGS, type TargetSettings } from '../../src/store/fleet/target-settings.ts';
import { addTarget } from '../../src/store/fleet/targets.ts';
import type { NewMeter } from '../../src/store/fleet/types.ts';
import { loadAlerts, type StoredAlert } from '../../src/store/local/alerts.ts';
import { counterKeyId, raiseCounter } from '../../src/store/local/counters.ts';
import { createOutboxReader } from '../../src/store/local/outbox-reader.ts';
import { GATEWAY_TOKEN, newDatabase, newMeter, newTarget, temporaryDirectory } from '../store/support.ts';
import { selfSigned } from '../support/self-signed.ts';
import { until } from '../support/until.ts';

/** Nobody listens there. */
const NOWHERE = 'mqtt://127.0.0.1:1';
const STEP = { stepMs: 50, withinMs: 30_000 };

class Scene {
  readonly database: Database = newDatabase();
  clock = new VirtualClock();
  daemon: Daemon | null = null;

  target(url: string, settings: Partial<TargetSettings> = {}, caFile: string | null = null): void {
    const all = { ...DEFAULT_TARGET_SETTINGS, ...settings };
    addTarget(this.database, newTarget('gateway', { url, caFile, settings: all }));
  }

  /** A virtual meter that is read each second. */
  async meter(): Promise<void> {
    const meters = await startVirtualMeters({ count: 1, port: 0, framing: 'wrapper', auth: 'none' });
    onTestFinished(() => meters.stop());
    const points = [{ classId: 3, obis: '1.0.32.7.0.255', attribute: 2, key: 'voltageL1' }];
    const link = `tcp://127.0.0.1:${meters.addresses[0]?.port}`;
    addMeter(this.database, newMeter('house1', { link, groups: [{ name: 'default', intervalMs: 1000, points }] }));
  }

  async start(): Promise<void> {
    const options = { databasePath: this.database.path, log: silentLogger, writerThread: false };
    const daemon = await Daemon.start({ ...options, clock: this.clock });
    this.daemon = daemon;
    onTestFinished(() => this.stop());
  }

  async stop(): Promise<void> {
    const { daemon } = this;
    this.daemon = null;
    let done = false;
    void daemon?.stop().then(() => {
      done = true;
    });
    if (daemon !== null) await until('the daemon has stopped', () => done, { clock: this.clock, stepMs: 200 });
  }

  /** The latest of a code; undefined when there was none. */
  alert(code: AlertCode): StoredAlert | undefined {
    return loadAlerts(this.database).find((alert) => alert.code === code);
  }

  /** Virtual seconds until the condition holds. */
  async seconds(what: string, condition: () => boolean): Promise<number> {
    const before = this.clock.monotonic();
    await until(what, condition, { clock: this.clock, ...STEP });
    return (this.clock.monotonic() - before) / 1000;
  }

  raised(code: AlertCode): Promise<number> {
    return this.seconds(`${code} is raised`, () => this.alert(code)?.cleared === null);
  }

  cleared(code: AlertCode): Promise<number> {
    return this.seconds(`${code} is over`, () => typeof this.alert(code)?.cleared === 'number');
  }
}

async function withDouble(options: Partial<DoubleOptions> = {}) {
  const scene = new Scene();
  const tokens = [{ token: GATEWAY_TOKEN, device: 'gateway-1', gateway: true }];
  const double = await startThingsBoardDouble({ tokens, clock: scene.clock, ...options });
  onTestFinished(() => double.stop());
  return { scene, double };
}

test.each(['5', '3.1.1'] as const)(
  'a rival, MQTT %s: told within ten seconds of its first session',
  async (protocol) => {
    const { scene, double } = await withDouble();
    addTarget(scene.database, newTarget('gateway', { url: `mqtt://127.0.0.1:${double.port}`, protocol }));
    await scene.meter();
    await scene.start();
    await scene.seconds('readings are delivered', () => (scene.daemon?.figures().messages ?? 0) > 40);
    const rival = new Rival({ port: double.port, token: GATEWAY_TOKEN, clock: scene.clock, waitMs: () => 1500 });
    onTestFinished(() => rival.stop());
    expect(await scene.raised('TOKEN_CONFLICT')).toBeLessThan(10);
    rival.stop();
    await scene.cleared('TOKEN_CONFLICT');
  },
);

describe('a falling publish rate', () => {
  test.each([
    ['the server is gone', (double: { kill(): Promise<void> }) => double.kill()],
    ['nothing is acknowledged', async (double: { withholdAcks(): void }) => double.withholdAcks()],
  ] as const)(
    '%s: told within a minute of its cause, over when rows go again',
    { timeout: 90_000 },
    async (_, cause) => {
      const { scene, double } = await withDouble();
      scene.target(`mqtt://127.0.0.1:${double.port}`);
      await scene.meter();
      await scene.start();
      const cycles = (): number => scene.daemon?.figures().cycles ?? 0;
      await scene.seconds('it has been well for a while', () => cycles() > 100);
      expect(scene.alert('PUBLISH_RATE_LOW')).toBeUndefined();
      await cause(double);
      expect(await scene.raised('PUBLISH_RATE_LOW')).toBeLessThan(60);
      double.releaseAcks();
      await double.restart();
      await scene.cleared('PUBLISH_RATE_LOW');
    },
  );
});

describe('the limits of the outbox', () => {
  test('polls that wait: raised, kept over a restart, over when the rows are gone', { timeout: 90_000 }, async () => {
    const scene = new Scene();
    scene.target(NOWHERE, { outboxMaxAgeMs: 120_000 });
    await scene.meter();
    await scene.start();
    expect(await scene.raised('OUTBOX_FULL')).toBeLessThan(130);
    expect(scene.alert('OUTBOX_FULL')).toMatchObject({
      subject: 'main',
      detail: expect.stringContaining('polls wait'),
    });
    await scene.stop();
    await scene.start();
    await scene.clock.advance(20_000);
    expect(loadAlerts(scene.database).filter(({ code }) => code === 'OUTBOX_FULL')).toHaveLength(1);
    removeMeter(scene.database, 'house1');
    scene.database.sql.exec('DELETE FROM outbox');
    await scene.cleared('OUTBOX_FULL');
  });

  test('rows that go: raised with how many, kept over a restart, over an hour after the last', {
    timeout: 90_000,
  }, async () => {
    const scene = new Scene();
    scene.target(NOWHERE, { outboxMaxAgeMs: 60_000, outboxPolicy: 'drop-oldest' });
    await scene.meter();
    await scene.start();
    expect(await scene.raised('OUTBOX_DROPPED')).toBeLessThan(70);
    expect(scene.alert('OUTBOX_DROPPED')?.detail).toMatch(/^[1-9]\d* rows were dropped since 2026-01-01T00:01:/);
    await scene.stop();
    const [depth] = createOutboxReader(scene.database).depths();
    expect(depth?.drops?.rows).toBeGreaterThan(0);
    scene.database.sql.exec('DELETE FROM meter; DELETE FROM outbox');
    scene.clock = new VirtualClock((depth?.drops?.last ?? 0) + 3_590_000);
    await scene.start();
    await scene.clock.advance(9000);
    expect(scene.alert('OUTBOX_DROPPED')?.cleared).toBeNull();
    await scene.cleared('OUTBOX_DROPPED');
    expect(loadAlerts(scene.database).filter(({ code }) => code === 'OUTBOX_DROPPED')).toHaveLength(1);
  });
});

test('the clock of the host stepped: told at once, in the time that turns out to be right', async () => {
  const { scene, double } = await withDouble();
  scene.target(`mqtt://127.0.0.1:${double.port}`);
  await scene.start();
  await scene.clock.advance(1000);
  scene.clock.stepWall(-3_600_000);
  expect(await scene.raised('HOST_CLOCK_DOUBTED')).toBeLessThan(6);
  const { since = 0, detail } = scene.alert('HOST_CLOCK_DOUBTED') ?? {};
  expect(detail).toBe("the host's clock is not believed: it stepped by -3600 s");
  scene.clock.stepWall(3_600_000);
  await scene.cleared('HOST_CLOCK_DOUBTED');
  const told = () =>
    (double.received().devices.get('gateway-1')?.telemetry.get('lastAlert') ?? [])
      .map(({ ts, value }) => ({ ts, text: String(value.value) }))
      .filter(({ text }) => text.startsWith('HOST_CLOCK_DOUBTED'));
  await scene.seconds('ThingsBoard has both', () => told().length === 2);
  expect(told()).toEqual([
    { ts: since + 3_600_000, text: `HOST_CLOCK_DOUBTED daemon raised: ${detail}` },
    { ts: scene.alert('HOST_CLOCK_DOUBTED')?.cleared, text: 'HOST_CLOCK_DOUBTED daemon cleared' },
  ]);
});

test('the counters of a key near their end: raised, kept over a restart, over with a new key', async () => {
  const scene = new Scene();
  scene.target(NOWHERE);
  const settings = { ...DEFAULT_METER_SETTINGS, security: 'both', authentication: 'gmac' } as const;
  const keyed = (octet: number): NewMeter => {
    const blockCipherKey = new Uint8Array(16).fill(octet);
    const secrets = { ...NO_SECRETS, blockCipherKey, authenticationKey: new Uint8Array(16) };
    return newMeter('house1', { link: 'tcp://127.0.0.1:1', settings, secrets });
  };
  addMeter(scene.database, keyed(1));
  const id = counterKeyId(scene.database, new Uint8Array(16).fill(1), clientSystemTitle(scene.database));
  raiseCounter(scene.database, id, 2 ** 32 - 200_000_000);
  await scene.start();
  await scene.clock.advance(10_000);
  expect(scene.alert('KEY_COUNTER_NEAR_END')).toBeUndefined();
  raiseCounter(scene.database, id, 2 ** 32 - 1_234_567);
  await scene.raised('KEY_COUNTER_NEAR_END');
  expect(scene.alert('KEY_COUNTER_NEAR_END')).toMatchObject({
    subject: 'house1',
    detail: expect.stringMatching(/^its block cipher key has 12345\d\d invocation counters left$/),
  });
  await scene.stop();
  await scene.start();
  await scene.clock.advance(10_000);
  expect(loadAlerts(scene.database).filter(({ code }) => code === 'KEY_COUNTER_NEAR_END')).toHaveLength(1);
  changeMeter(scene.database, keyed(2));
  await scene.cleared('KEY_COUNTER_NEAR_END');
});

describe.skipIf(spawnSync('openssl', ['version']).error !== undefined)('a certificate', () => {
  test('that expires within two weeks is told, kept over a restart, and over when it was renewed', async () => {
    const directory = temporaryDirectory();
    const old = selfSigned(directory, 'tb.example', 10);
    const clock = new VirtualClock(Date.now());
    const { scene, double } = await withDouble({ tls: { key: old.key, cert: old.certificate }, clock });
    scene.clock = clock;
    scene.target(`mqtts://127.0.0.1:${double.port}`, { serverName: 'tb.example' }, old.file);
    await scene.start();
    await scene.raised('CERTIFICATE_EXPIRING');
    expect(scene.alert('CERTIFICATE_EXPIRING')).toMatchObject({ subject: 'main', cleared: null });
    await scene.stop();
    await double.stop();
    // While there is no session nothing is known, and nothing changes.
    await scene.start();
    await scene.clock.advance(30_000);
    expect(scene.alert('CERTIFICATE_EXPIRING')?.cleared).toBeNull();
    const renewed = selfSigned(directory, 'tb.example', 365);
    const tokens = [{ token: GATEWAY_TOKEN, device: 'gateway-1', gateway: true }];
    const tls = { key: renewed.key, cert: renewed.certificate };
    const next = await startThingsBoardDouble({ tokens, tls, clock, port: double.port });
    onTestFinished(() => next.stop());
    await scene.cleared('CERTIFICATE_EXPIRING');
    expect(loadAlerts(scene.database).filter(({ code }) => code === 'CERTIFICATE_EXPIRING')).toHaveLength(1);
  });
});
