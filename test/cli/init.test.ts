/** `init` and `target`, and what holds for every verb: flags anywhere, one document, exit statuses. */
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { documentOf, type ErrorDocument, newBench } from '../support/cli.ts';
import { addMeter, eventualStatus, init, ownMeters, simulateThingsBoard, status, TOKEN } from '../support/scene.ts';

const URL_OF_NOBODY = 'mqtt://127.0.0.1:1';

describe.concurrent('init', () => {
  test('makes database and key, and the same again changes nothing', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const flags = ['init', '--url', URL_OF_NOBODY, '--token', TOKEN, '--mode', 'gateway', '--yes'];
    expect(await bench.json(flags)).toEqual({
      database: bench.db,
      target: { name: 'thingsboard', url: URL_OF_NOBODY, mode: 'gateway', protocol: '5' },
      result: 'created',
    });
    expect(statSync(join(bench.directory, 'dlms.key')).mode & 0o777).toBe(0o600);
    expect(statSync(bench.db).mode & 0o007).toBe(0);
    await addMeter(bench, 'house1', 'tcp://127.0.0.1:1');
    expect(await bench.json(flags)).toMatchObject({ result: 'unchanged' });
    expect((await status(bench)).meters.map(({ name }) => name)).toEqual(['house1']);
  });

  test('knows a URL again that leaves out the port', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const flags = ['init', '--url', 'mqtt://broker.example', '--token', TOKEN, '--yes'];
    expect(await bench.json(flags)).toMatchObject({ result: 'created' });
    expect(await bench.json(flags)).toMatchObject({ result: 'unchanged' });
    expect(await bench.json(['target', 'list'])).toMatchObject({ targets: [{ url: 'mqtt://broker.example:1883' }] });
  });

  test('with other values it says that the target is there already', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    await init(bench, URL_OF_NOBODY);
    const again = ['init', '--url', URL_OF_NOBODY, '--token', 'another', '--yes'];
    expect(await bench.failure(again)).toMatchObject({ status: 2, code: 'ALREADY_EXISTS', fault: 'config' });
  });

  test.for([
    ['a URL that is none', ['--url', 'nonsense', '--token', 'x'], 'INVALID_VALUE'],
    ['a URL with a password', ['--url', 'mqtt://me:pass@127.0.0.1:1883', '--token', 'x'], 'INVALID_VALUE'],
    ['a token with a blank', ['--url', URL_OF_NOBODY, '--token', 'x y'], 'INVALID_VALUE'],
    ['a mode that is none', ['--url', URL_OF_NOBODY, '--token', 'x', '--mode', 'both'], 'USAGE'],
    ['a certificate that is not there', ['--url', URL_OF_NOBODY, '--token', 'x', '--ca', '/nowhere'], 'INVALID_VALUE'],
    ['no token, without a terminal', ['--url', URL_OF_NOBODY], 'USAGE'],
    ['no URL, without a terminal', ['--token', 'x'], 'USAGE'],
    [
      'an environment variable that is not set',
      ['--url', URL_OF_NOBODY, '--token', 'env:NOT_SET'],
      'SECRET_UNREADABLE',
    ],
    ['a file that is not there', ['--url', URL_OF_NOBODY, '--token', 'file:/nowhere'], 'SECRET_UNREADABLE'],
  ] as const)('%s: exit status 2, and nothing was done', async ([, flags, code], { onTestFinished }) => {
    const bench = newBench(onTestFinished);
    expect(await bench.failure(['init', ...flags])).toMatchObject({ status: 2, code, fault: 'config' });
    expect(readdirSync(bench.directory)).toEqual([]);
  });

  test('token and URL can come from a file and the environment', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const file = join(bench.directory, 'token');
    writeFileSync(file, `${TOKEN}\n`);
    await bench.json(['init', '--url', URL_OF_NOBODY, '--token', `file:${file}`, '--yes']);
    const again = ['init', '--url', URL_OF_NOBODY, '--token', 'env:T', '--yes'];
    expect(await bench.json(again, { env: { T: TOKEN } })).toMatchObject({ result: 'unchanged' });
  });

  test('a second target, once', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    await init(bench, URL_OF_NOBODY);
    const add = ['target', 'add', 'second', '--url', 'mqtt://127.0.0.1:2', '--token', TOKEN];
    expect(await bench.json(add)).toEqual({ target: 'second', result: 'added' });
    expect(await bench.failure(add)).toMatchObject({ status: 2, code: 'ALREADY_EXISTS' });
    const sameToken = ['target', 'add', 'third', '--url', URL_OF_NOBODY, '--token', TOKEN];
    expect(await bench.failure(sameToken)).toMatchObject({ status: 2, code: 'DUPLICATE_TOKEN', fault: 'config' });
    const { targets } = await bench.json<{ targets: { name: string }[] }>(['target', 'list']);
    expect(targets.map(({ name }) => name)).toEqual(['thingsboard', 'second']);
  });

  test('one that is removed while the daemon runs: what waits for it is kept, or given up when that is said', async ({
    onTestFinished,
  }) => {
    const bench = newBench(onTestFinished);
    const double = await simulateThingsBoard(bench);
    const { links } = await ownMeters(bench);
    await init(bench, double.url);
    await bench.json(['target', 'add', 'second', '--url', URL_OF_NOBODY, '--token', TOKEN]);
    await addMeter(bench, 'house1', links[0] ?? '', ['--interval', '0.5']);
    const daemon = bench.start(['run']);
    await eventualStatus(bench, 'rows wait for one of them', ({ outbox }) => outbox.rows > 2);
    const removed = await bench.json<{ rows: number }>(['target', 'remove', 'second']);
    expect(removed).toMatchObject({ target: 'second', result: 'removed' });
    expect(removed.rows).toBeGreaterThan(2);
    expect(await bench.failure(['target', 'remove', 'thingsboard'])).toMatchObject({
      status: 2,
      code: 'INVALID_VALUE',
    });
    const list = ['target', 'list'];
    expect(await bench.json(list)).toMatchObject({ targets: [{ removed: false }, { removed: true }] });
    const cycles = (await status(bench)).daemon.cycles;
    await eventualStatus(bench, 'polls go on', ({ daemon: now }) => now.cycles > cycles + 5);
    const { rows } = (await status(bench)).outbox;
    expect(rows).toBeLessThanOrEqual(removed.rows + 4);
    const drop = ['target', 'remove', 'second', '--drop'];
    expect(await bench.failure(drop)).toMatchObject({ status: 2, code: 'USAGE' });
    expect(await bench.json([...drop, '--yes'])).toEqual({ target: 'second', rows: 0, result: 'removed' });
    expect(await bench.json(list)).toMatchObject({ targets: [{ name: 'thingsboard' }] });
    await eventualStatus(bench, 'its session is gone', ({ targets }) => targets.length === 1);
    expect((await daemon.stop()).stderr).not.toMatch(/INTERNAL|unstored/);
  });
});

describe.concurrent('every verb', () => {
  test('takes the common flags before and after the verb, and DLMS_DB', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    await init(bench, URL_OF_NOBODY);
    await addMeter(bench, 'house1', 'tcp://127.0.0.1:1');
    const ways = [
      { args: ['--db', bench.db, '--json', 'meter', 'show', 'house1'] },
      { args: ['meter', '--db', bench.db, 'show', '--json', 'house1'] },
      { args: ['meter', 'show', 'house1', '--json', '--db', bench.db] },
      { args: ['meter', 'show', 'house1', '--json'], env: { DLMS_DB: bench.db } },
      {
        args: ['meter', 'show', 'house1', '--json', '--db', bench.db, '--log-level', 'trace'],
        env: { DLMS_DB: '/no' },
      },
    ];
    const shown = await Promise.all(
      ways.map(async ({ args, env }) => {
        const finished = await bench.run(args, { db: false, ...(env === undefined ? {} : { env }) });
        expect(finished).toMatchObject({ status: 0, stderr: '' });
        return documentOf<{ name: string }>(finished);
      }),
    );
    for (const document of shown) expect(document).toEqual(shown[0]);
    expect(shown[0]?.name).toBe('house1');
  });

  test('finds the database in the state directory of the unit, else in ./data', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const flags = ['init', '--url', URL_OF_NOBODY, '--token', TOKEN, '--yes'];
    const state = join(bench.directory, 'state');
    await bench.json(flags, { db: false, env: { STATE_DIRECTORY: state } });
    expect(existsSync(join(state, 'dlms.db'))).toBe(true);
    if (existsSync('/var/lib/dlms-multi-meter/dlms.db')) return;
    await bench.json(flags, { db: false });
    expect(existsSync(join(bench.directory, 'data', 'dlms.db'))).toBe(true);
  });

  test.for([
    ['no verb', []],
    ['a verb that is none', ['nonsense']],
    ['a flag that is none', ['status', '--nonsense']],
    ['an argument that is missing', ['meter', 'show']],
    ['an argument too many', ['status', 'house1']],
    ['a level that is none', ['status', '--log-level', 'loud']],
    ['a number that is none', ['run', '--for', 'ever']],
    ['a number out of range', ['demo', '--meters', '0']],
  ] as const)('usage error, %s: exit status 2', async ([, args], { onTestFinished }) => {
    const bench = newBench(onTestFinished);
    expect(await bench.failure(args)).toMatchObject({ status: 2, code: 'USAGE', layer: 'cli', fault: 'config' });
  });

  test('an error for people goes to stderr, with whose fault it is and a hint', async ({ onTestFinished }) => {
    const finished = await newBench(onTestFinished).run(['nonsense']);
    expect(finished).toMatchObject({ status: 2, stdout: '' });
    expect(finished.stderr).toMatch(/^USAGE: .+\n {2}fault: config; .+\n$/);
  });

  test.for([[['status']], [['meter', 'list']], [['run', '--for', '1']]] as const)(
    '%s without a database: DATABASE_MISSING, exit status 1',
    async ([args], { onTestFinished }) => {
      const bench = newBench(onTestFinished);
      expect(await bench.failure(args)).toMatchObject({ status: 1, code: 'DATABASE_MISSING', fault: 'config' });
      expect(readdirSync(bench.directory)).toEqual([]);
    },
  );

  test("a file that is no database, and another program's database", async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    writeFileSync(bench.db, 'this is no database, and much too long to be taken for an empty one'.repeat(100));
    for (const args of [
      ['status'],
      ['run', '--for', '1'],
      ['init', '--url', URL_OF_NOBODY, '--token', TOKEN, '--yes'],
    ]) {
      expect(await bench.failure(args)).toMatchObject({ status: 1, code: 'DATABASE_CORRUPT' });
    }
  });

  test('a sealing key that is lost, strange or open to others', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const key = join(bench.directory, 'dlms.key');
    await init(bench, URL_OF_NOBODY);
    const right = readFileSync(key);
    const run = ['run', '--for', '1'];
    chmodSync(key, 0o644);
    expect(await bench.failure(run)).toMatchObject({ status: 1, code: 'SEALING_KEY_UNSAFE', fault: 'config' });
    rmSync(key);
    expect(await bench.failure(run)).toMatchObject({ status: 1, code: 'SEALING_KEY_MISSING', fault: 'config' });
    writeFileSync(key, `${'0'.repeat(64)}\n`, { mode: 0o600 });
    expect(await bench.failure(run)).toMatchObject({ status: 1, code: 'SEALING_KEY_WRONG', fault: 'config' });
    writeFileSync(key, right, { mode: 0o600 });
    expect(await bench.run(run)).toMatchObject({ status: 0 });
  });

  test('--help and --version: exit status 0', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const [version, help] = await Promise.all([bench.run(['--version']), bench.run(['meter', 'add', '--help'])]);
    expect(version).toMatchObject({ status: 0, stderr: '' });
    expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(help).toMatchObject({ status: 0, stderr: '' });
    expect(help.stdout).toContain('--secret');
  });

  test('for people there is text, and no colour but on a terminal', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    await init(bench, URL_OF_NOBODY);
    await addMeter(bench, 'house1', 'tcp://127.0.0.1:1');
    for (const args of [['status'], ['meter', 'list'], ['meter', 'show', 'house1']]) {
      const { status: code, stdout } = await bench.run(args);
      expect(code).toBe(0);
      expect(stdout).toMatch(/\n$/);
      expect(stdout).not.toContain('\u001b');
      expect(() => documentOf<ErrorDocument>({ status: 0, stdout, stderr: '' })).toThrow();
    }
  });
});
