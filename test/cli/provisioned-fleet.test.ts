/** `import --provision-key`: meters without a token get one from ThingsBoard, one after the other, and none is lost. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from 'vitest';
import { type Bench, newBench } from '../support/cli.ts';
import { eventualStatus, init, type StatusReport, simulateThingsBoard, status } from '../support/scene.ts';

const FLAGS = ['--provision-key', 'KEY', '--provision-secret', 'env:SECRET'];
const SECRET = { env: { SECRET: 'pR0v1510n' } };
const METERS = ['house1', 'house2', 'house3'];

interface Imported {
  readonly added: readonly string[];
  readonly unchanged: number;
  readonly lines: readonly string[];
}

describe.concurrent('import --provision-key', { timeout: 120_000 }, () => {
  test('every meter without a token gets one, the others keep theirs', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const double = await provisioning(bench);
    await init(bench, double.url, ['--mode', 'device']);
    const file = fleetFile(bench, METERS, { house2: 'token: KNOWN' });
    expect(await bench.json<Imported>(['import', file, '--dry-run', ...FLAGS], SECRET)).toMatchObject({
      added: METERS,
    });
    expect(await namesOf(bench)).toEqual([]);
    const made = await bench.json<Imported>(['import', file, ...FLAGS], SECRET);
    expect(made).toMatchObject({ unchanged: 0, lines: METERS.map(linkOf) });
    expect([...made.added].sort()).toEqual(METERS);
    expect(await namesOf(bench)).toEqual(METERS);
    const daemon = bench.start(['run']);
    await eventualStatus(bench, 'they connect with their tokens', ({ targets }) =>
      isDeepStrictEqual(statesOf(targets), { house1: 'connected', house2: 'MQTT_CREDENTIALS', house3: 'connected' }),
    );
    await daemon.stop();
    // Nothing is asked for what is stored.
    await double.process.stop();
    const again = await bench.json<Imported>(['import', file, ...FLAGS], SECRET);
    expect(again).toMatchObject({ added: [], unchanged: 3, lines: [] });
  });

  test('where ThingsBoard refuses one, those before it stay, and the next import goes on', async ({
    onTestFinished,
  }) => {
    const bench = newBench(onTestFinished);
    const double = await provisioning(bench);
    await init(bench, double.url, ['--mode', 'device']);
    const elsewhere = newBench(onTestFinished);
    await init(elsewhere, double.url, ['--mode', 'device']);
    await elsewhere.json(['import', fleetFile(elsewhere, ['house2']), ...FLAGS], SECRET);
    const file = fleetFile(bench, METERS);
    expect(await bench.failure(['import', file, ...FLAGS], SECRET)).toMatchObject({
      status: 1,
      code: 'PROVISION_FAILED',
      message: expect.stringContaining('1 of 3 meters were added, "house2" was not'),
    });
    expect(await namesOf(bench)).toEqual(['house1']);
    const named = fleetFile(bench, METERS, { house2: 'token: COPIED' });
    expect((await bench.json<Imported>(['import', named, ...FLAGS], SECRET)).added).toEqual(['house2', 'house3']);
    expect(await namesOf(bench)).toEqual(METERS);
  });

  test('what cannot be stored makes no device', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const double = await provisioning(bench);
    await init(bench, double.url, ['--mode', 'device']);
    const twice = fleetFile(bench, METERS, { house1: 'token: SAME', house2: 'token: SAME' });
    expect(await bench.failure(['import', twice, ...FLAGS], SECRET)).toMatchObject({ status: 2, code: 'FILE_INVALID' });
    const lone = ['import', fleetFile(bench, METERS), '--provision-key', 'KEY'];
    expect(await bench.failure(lone)).toMatchObject({ status: 2, code: 'USAGE' });
    expect(await namesOf(bench)).toEqual([]);
    expect((await bench.json<Imported>(['import', fleetFile(bench, METERS), ...FLAGS], SECRET)).added).toEqual(METERS);
  });

  test('with --replace a new meter takes over the line of one that goes', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const double = await provisioning(bench);
    await init(bench, double.url, ['--mode', 'device']);
    const other = ['meter', 'add', 'other', linkOf('house1'), '--points', '3:1.0.1.8.0.255=energy', '--token', 'OTHER'];
    await bench.json(other);
    const replaced = await bench.json(['import', fleetFile(bench, METERS), '--replace', ...FLAGS], SECRET);
    expect(replaced).toMatchObject({ added: METERS, removed: ['other'], lines: METERS.map(linkOf) });
    expect(await bench.json(['line', 'show', linkOf('house1')])).toMatchObject({ settings: { turnaroundMs: 7 } });
  });

  test('in gateway mode meters have no tokens', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    await init(bench, 'mqtt://127.0.0.1:1');
    expect(await bench.failure(['import', fleetFile(bench, METERS), ...FLAGS], SECRET)).toMatchObject({
      status: 2,
      code: 'USAGE',
    });
  });
});

function provisioning(bench: Bench): ReturnType<typeof simulateThingsBoard> {
  return simulateThingsBoard(bench, { gateway: false, args: ['--provision', 'KEY:pR0v1510n'] });
}

const linkOf = (name: string): string => `tcp://127.0.0.1:${name.length}${name.at(-1)}`;

/** Of the connection that each meter has: its state, or why it has none. */
function statesOf(targets: StatusReport['targets']): Record<string, string> {
  const connections = targets.flatMap((target) => target.connections).filter(({ meter }) => meter !== null);
  return Object.fromEntries(connections.map(({ meter, state, error }) => [meter, error?.code ?? state]));
}

function fleetFile(bench: Bench, names: readonly string[], more: Readonly<Record<string, string>> = {}): string {
  const file = join(bench.directory, `fleet-${names.length}-${Object.keys(more).length}.yaml`);
  const meters = names.map((name) =>
    [`- name: ${name}`, `link: ${linkOf(name)}`, 'points: [3:1.0.1.8.0.255=energy]', more[name] ?? ''].join('\n    '),
  );
  const lines = names.map((name) => `- { link: '${linkOf(name)}', settings: { turnaroundMs: 7 } }`);
  writeFileSync(file, `lines:\n  ${lines.join('\n  ')}\nmeters:\n  ${meters.join('\n  ')}\n`);
  return file;
}

async function namesOf(bench: Bench): Promise<readonly string[]> {
  return (await status(bench)).meters.map(({ name }) => name).sort();
}
