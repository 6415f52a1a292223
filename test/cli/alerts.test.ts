/** Alerts through the program: a rival with our token is said at once and named, and everything arrives all the same. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { compareWithTruth } from '../../src/simulator/meter/truth.ts';
import { newBench } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import {
  addMeter,
  connectionOf,
  DEFAULT_KEYS,
  eventualStatus,
  init,
  ownMeters,
  type StatusReport,
  simulateThingsBoard,
  TOKEN,
  valuesOf,
} from '../support/scene.ts';

interface Alert {
  readonly code: string;
  readonly severity: string;
  readonly state: string;
  readonly subject: string;
  readonly since: string;
  readonly cleared: string | null;
  readonly hint: string;
  readonly rival?: { readonly pid: number | null; readonly uid: number; readonly command: string | null };
}

/** The other bridge of the incident: paho's and MQTT.js' way of coming back after a second. */
const RIVAL = `
  import { connect } from 'mqtt';
  connect(process.env.URL, { username: process.env.TOKEN, protocolVersion: 4, reconnectPeriod: 1000 }).on('error', () => {});
`;

test.concurrent.for(['5', '3.1.1'] as const)(
  'a rival, MQTT %s',
  { timeout: 180_000 },
  async (protocol, { onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const double = await simulateThingsBoard(bench);
    const { virtual, links } = await ownMeters(bench);
    await init(bench, double.url, ['--protocol', protocol]);
    await addMeter(bench, 'house1', links[0] ?? '', ['--interval', '0.5']);
    const daemon = bench.start(['run']);
    await eventualStatus(bench, 'connected', (report: StatusReport) => connectionOf(report).state === 'connected');

    const rival = spawn(process.execPath, ['--input-type=module', '-e', RIVAL], {
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
      env: { ...process.env, URL: double.url, TOKEN },
      stdio: 'ignore',
    });
    bench.atEnd(() => void rival.kill('SIGKILL'));
    const alerts = (): Promise<readonly Alert[]> => bench.json<readonly Alert[]>(['alerts']);
    await eventually('the conflict is known', async () =>
      (await alerts()).some(({ code }) => code === 'TOKEN_CONFLICT'),
    );
    const [named] = await eventually('the rival is named', async () => {
      const found = await alerts();
      return found[0]?.rival === undefined ? null : found;
    });
    expect(named).toMatchObject({
      code: 'TOKEN_CONFLICT',
      severity: 'critical',
      state: 'active',
      cleared: null,
      rival: { pid: rival.pid, command: 'node' },
    });
    await bench.json(['alerts', 'ack', 'TOKEN_CONFLICT']);
    expect((await alerts())[0]?.state).toBe('acknowledged');

    rival.kill('SIGKILL');
    await eventually('it is over', async () => (await alerts())[0]?.state === 'cleared', { withinMs: 120_000 });
    const { status } = await daemon.stop();
    expect(status).toBe(0);
    const received = await double.received();
    const said = virtual.truth()[0]?.said ?? [];
    const { lost, wrong } = compareWithTruth(said, valuesOf(received, 'house1'), DEFAULT_KEYS);
    expect({ lost, wrong }).toEqual({ lost: [], wrong: [] });
    // The bridge's own device has the alert, and the log says each change once, without the token.
    const told = (received.devices['gateway-1']?.telemetry.lastAlert ?? []).map(({ value }) => String(value));
    expect(told.filter((text) => text.startsWith('TOKEN_CONFLICT'))).toEqual([
      expect.stringMatching(/ raised: /),
      expect.stringMatching(/ cleared$/),
    ]);
    const lines = daemon.stdout.split('\n');
    expect(lines.filter((line) => /CONFLICT: another client/.test(line))).toHaveLength(1);
    expect(lines.filter((line) => /ALERT TOKEN_CONFLICT/.test(line))).toHaveLength(2);
    expect(daemon.stdout + daemon.stderr).not.toContain(TOKEN);
  },
);

test.concurrent('no alerts: an empty list; an alert that is none is refused', async ({ onTestFinished }) => {
  const bench = newBench(onTestFinished);
  await init(bench, 'mqtt://127.0.0.1:1');
  expect(await bench.json(['alerts'])).toEqual([]);
  expect(await bench.failure(['alerts', 'ack', 'NONSENSE'])).toMatchObject({ status: 2, code: 'INVALID_VALUE' });
  expect(await bench.failure(['alerts', 'ack', 'DISK_LOW'])).toMatchObject({ status: 2, code: 'NOT_FOUND' });
});
