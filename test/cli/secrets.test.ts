/** Tokens and passwords stand in no output, no log at any level, no process title and no file of the database. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { documentOf, newBench, type RunOptions } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import {
  addMeter,
  countersOf,
  eventualStatus,
  filesOf,
  init,
  meterOf,
  PASSWORD,
  type RunReport,
  simulateMeters,
  simulateThingsBoard,
  TOKEN,
} from '../support/scene.ts';

const METER_TOKEN = 'mT4dHj8cYs1nXe6g';
const LOW = ['--auth', 'low', '--secret', 'env:PW', '--client', '17', '--interval', '0.3'];

/** Each secret as it stands, in hex, in base64 and in a URL. */
const TRACES = [TOKEN, METER_TOKEN, PASSWORD].flatMap((secret) => {
  const octets = Buffer.from(secret);
  const hex = octets.toString('hex');
  return [secret, hex, hex.toUpperCase(), octets.toString('base64').replace(/=+$/, ''), encodeURIComponent(secret)];
});

function tracesIn(octets: Buffer | string): string[] {
  return TRACES.filter((trace) => octets.includes(trace));
}

describe.concurrent('secrets', { timeout: 180_000 }, () => {
  test('through a whole life: init, add, run at log level trace, show, remove', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const [double, wrapper, hdlc] = await Promise.all([
      simulateThingsBoard(bench, { gateway: false, tokens: [TOKEN, METER_TOKEN, 'another'] }),
      simulateMeters(bench, ['--auth', 'low', '--secret', PASSWORD]),
      simulateMeters(bench, ['--framing', 'hdlc', '--auth', 'low', '--secret', PASSWORD]),
    ]);
    const env = { PW: PASSWORD, T: TOKEN, M: METER_TOKEN };
    const outputs = new Map<string, string>();
    const run = async (args: readonly string[], options: RunOptions = { env }): Promise<void> => {
      const { status, stdout, stderr } = await bench.run(args, options);
      outputs.set(`${args.join(' ')}: exit status ${status}`, stdout + stderr);
    };
    await init(bench, double.url, ['--mode', 'device']);
    await addMeter(bench, 'house0', wrapper.meters[0]?.link ?? '', [...LOW, '--token', METER_TOKEN]);
    await addMeter(bench, 'house1', hdlc.meters[0]?.link ?? '', [...LOW, '--token', 'another']);

    const daemon = bench.start(['run', '--json', '--log-level', 'trace'], { env: { DEBUG: '*' } });
    await eventually('rows are delivered', () => countersOf(bench).delivered > 5);
    const title = (name: string): string => readFileSync(`/proc/${daemon.pid}/${name}`, 'utf8');
    for (const name of ['cmdline', 'comm', 'environ']) outputs.set(`/proc of the daemon: ${name}`, title(name));
    for (const verb of [['status'], ['meter', 'list'], ['meter', 'show', 'house0'], ['target', 'list'], ['outbox']]) {
      await run(verb);
      await run([...verb, '--json']);
    }
    await run(['read', 'house0', '1.0.1.8.0.255', '--json', '--log-level', 'trace']);
    // Refused, each with a message about the secret.
    await run([
      'meter',
      'add',
      'house2',
      'tcp://127.0.0.1:1',
      '--points',
      '1.0.1.8.0.255=a',
      '--token',
      'env:M',
      '--json',
    ]);
    await run(['init', '--url', `mqtt://${TOKEN}@127.0.0.1:1`, '--token', 'env:T', '--yes', '--json']);
    await run([
      'meter',
      'add',
      'house2',
      'tcp://127.0.0.1:1',
      '--points',
      '1.0.1.8.0.255=a',
      '--secret',
      `hex:${PASSWORD}`,
    ]);
    for (const [name, octets] of filesOf(bench)) outputs.set(`${name} while it runs`, octets.toString('latin1'));
    await bench.json(['meter', 'remove', 'house1']);
    const finished = await daemon.stop();
    expect(documentOf<RunReport>(finished)).toMatchObject({ drained: true });
    outputs.set('stdout of the daemon', finished.stdout);
    outputs.set('stderr of the daemon', finished.stderr);
    for (const [name, octets] of filesOf(bench)) outputs.set(`${name} at the end`, octets.toString('latin1'));

    // It did say something, the sign-on to the meters among it.
    expect(finished.stderr).toContain('[withheld]');
    expect([...outputs.keys()].filter((name) => name.startsWith('dlms.db'))).not.toEqual([]);
    const found = [...outputs].flatMap(([where, text]) => tracesIn(text).map((trace) => `${trace} in ${where}`));
    expect(found).toEqual([]);
  });

  test('of a meter that refuses the password, and of a ThingsBoard that refuses the token', async ({
    onTestFinished,
  }) => {
    const bench = newBench(onTestFinished);
    const [double, { meters }] = await Promise.all([
      simulateThingsBoard(bench, { tokens: ['another'] }),
      simulateMeters(bench, ['--auth', 'low', '--secret', 'another']),
    ]);
    await init(bench, double.url);
    await addMeter(bench, 'house0', meters[0]?.link ?? '', LOW);
    const daemon = bench.start(['run', '--log-level', 'trace']);
    const report = await eventualStatus(
      bench,
      'both refusals show',
      (now) =>
        meterOf(now, 'house0').error?.code === 'AUTHENTICATION_FAILED' &&
        now.targets[0]?.connections[0]?.error?.code === 'MQTT_CREDENTIALS',
    );
    await daemon.kill();
    expect(tracesIn(JSON.stringify(report) + daemon.stdout + daemon.stderr)).toEqual([]);
  });
});
