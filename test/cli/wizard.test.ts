/** `init` as a wizard at a terminal: wrong answers are asked again, and it can be entered again where it was left. */
import { describe, expect, test } from 'vitest';
import { type Bench, newBench } from '../support/cli.ts';
import { freePort } from '../support/free-port.ts';
import { hasSocat } from '../support/socat.ts';
import { type Answer, answered } from '../support/wizard.ts';

const URL_OF_NOBODY = 'mqtt://127.0.0.1:1';
const [CTRL_C, CTRL_D] = ['\u0003', '\u0004'];

interface Shown {
  readonly link: string;
  readonly settings: Readonly<Record<string, unknown>>;
}

async function targets(bench: Bench): Promise<object[]> {
  return (await bench.json<{ targets: object[] }>(['target', 'list'])).targets;
}

/** A ThingsBoard that knows the token, and a meter with a password; their addresses. */
async function surroundings(bench: Bench, token: string): Promise<{ url: string; link: string }> {
  const [meterPort, brokerPort] = [String(await freePort()), String(await freePort())];
  const meter = ['simulate', 'meters', '--count', '1', '--port', meterPort, '--auth', 'low', '--secret', 'right-one'];
  const broker = ['simulate', 'thingsboard', '--port', brokerPort, '--token', token, '--gateway'];
  for (const args of [meter, broker]) await bench.start(args, { db: false }).firstLine();
  return { url: `mqtt://127.0.0.1:${brokerPort}`, link: `tcp://127.0.0.1:${meterPort}` };
}

describe.skipIf(!hasSocat)('the wizard', () => {
  test('asks again for what cannot be, and shows no token', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { status, stderr } = await answered(
      bench,
      ['init'],
      [
        ['ThingsBoard URL [', 'nonsense'],
        ['ThingsBoard URL [', URL_OF_NOBODY],
        ['gateway (one token', 'both'],
        ['gateway (one token', ''],
        ['Access token of the gateway', 'with blank'],
        ['Access token of the gateway', ''],
        ['Access token of the gateway', 'SecretToken'],
        ['Try the token', 'n'],
        ['Link of the first meter', 'nonsense'],
        ['Link of the first meter', ''],
      ],
    );
    expect(status).toBe(0);
    expect(stderr).toMatch(/INVALID_VALUE: the target URL/);
    expect(stderr).toMatch(/INVALID_LINK/);
    expect(stderr).not.toContain('SecretToken');
    expect(await targets(bench)).toMatchObject([{ url: URL_OF_NOBODY, mode: 'gateway' }]);
  });

  test('a wrong token and a wrong password are corrected on the way', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { url, link } = await surroundings(bench, 'T');
    const { status, stdout, stderr } = await answered(
      bench,
      ['init'],
      [
        ['ThingsBoard URL [', url],
        ['gateway (one token', ''],
        ['Access token', 'WRONG'],
        ['Try the token', ''],
        ['Correct it', ''],
        [`ThingsBoard URL [${url}]`, ''],
        ['Access token', 'T'],
        ['Try the token', ''],
        ['Link of the first meter', link],
        ['Template', 'nonsense'],
        ['Template', ''],
        ['Client [16]', '1'],
        ['Password', 'wrong'],
        ['sha256 [low]', ''],
        ['Name of the meter', 'house1'],
        ['how many seconds', '5'],
        ['Correct it', ''],
        [`[${link}]`, ''],
        ['Template', ''],
        ['Client [1]', ''],
        ['Password', 'right-one'],
        ['sha256 [low]', ''],
        ['Name of the meter, its device name in ThingsBoard [house1]', ''],
        ['how many seconds? [5]', ''],
      ],
    );
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /Stops at connack: MQTT_CREDENTIALS[\s\S]*The whole way works[\s\S]*1\.0\.1\.8\.0\.255 +\d+ +Wh/,
    );
    expect(stderr).not.toMatch(/WRONG|right-one/);
    expect(await bench.json<Shown>(['meter', 'show', 'house1'])).toMatchObject({
      settings: { client: 1, authentication: 'low' },
    });
  });

  const UP_TO_TOKEN: readonly Answer[] = [
    ['ThingsBoard URL [', URL_OF_NOBODY],
    ['gateway (one token', ''],
    ['Access token', 'T'],
    ['Try the token', 'n'],
  ];

  test.for([0, 1, 2, 3, 4])('left at question %i, it can be entered again', async (asked, { onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const questions: readonly Answer[] = [...UP_TO_TOKEN, ['Link of the first meter', '']];
    const left = questions[asked]![0];
    const first = await answered(bench, ['init'], [...questions.slice(0, asked), [left, asked % 2 ? CTRL_C : CTRL_D]]);
    expect(first).toMatchObject({ status: 130 });
    expect(first.stderr).toMatch(/INTERRUPTED/);
    const again: readonly Answer[] =
      asked < 3
        ? questions
        : [
            [`ThingsBoard URL [${URL_OF_NOBODY}]`, ''],
            ['Access token of the gateway [the one that is stored]', ''],
            ['Try the token', 'n'],
            ['Link of the first meter', ''],
          ];
    expect(await answered(bench, ['init'], again)).toMatchObject({ status: 0 });
    expect(await targets(bench)).toMatchObject([{ name: 'thingsboard', url: URL_OF_NOBODY }]);
  });

  test('entered again it changes URL and token, and takes no name twice', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { url, link } = await surroundings(bench, 'T');
    await bench.json(['init', '--url', URL_OF_NOBODY, '--token', 'WRONG', '--yes']);
    await bench.json(['meter', 'add', 'meter1', 'tcp://127.0.0.1:1', '--points', '1.0.1.8.0.255=energy']);
    const { status, stdout } = await answered(
      bench,
      ['init'],
      [
        ['ThingsBoard URL [', url],
        ['Access token', 'T'],
        ['Try the token', ''],
        ['Link of another meter', link],
        ['Template', ''],
        ['Client [16]', '1'],
        ['Password', 'right-one'],
        ['sha256 [low]', ''],
        ['Name of the meter, its device name in ThingsBoard [meter2]', ''],
        ['how many seconds', ''],
      ],
    );
    expect(status).toBe(0);
    expect(stdout).toMatch(/The whole way works/);
    expect(await targets(bench)).toMatchObject([{ url }]);
    const { meters } = await bench.json<{ meters: { name: string }[] }>(['meter', 'list']);
    expect(meters.map(({ name }) => name)).toEqual(['meter1', 'meter2']);
  });
});
