/** `init` and `target`, and what holds for every verb: flags anywhere, one document, exit statuses. */
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { documentOf, type ErrorDocument, newBench } from '../support/cli.ts';
import { addMeter, init, status, TOKEN } from '../support/scene.ts';

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

  test.each([
    ['a URL that is none', ['--url', 'nonsense', '--token', 'x'], 'INVALID_VALUE'],
    ['a URL of another protocol', ['--url', 'http://127.0.0.1:1883', '--token', 'x'], 'INVALID_VALUE'],
    ['a URL with a password', ['--url', 'mqtt://me:pass@127.0.0.1:1883', '--token', 'x'], 'INVALID_VALUE'],
    ['a token with a blank', ['--url', URL_OF_NOBODY, '--token', 'x y'], 'INVALID_VALUE'],
    ['a mode that is none', ['--url', URL_OF_NOBODY, '--token', 'x', '--mode', 'both'], 'USAGE'],
    ['a version of MQTT that is none', ['--url', URL_OF_NOBODY, '--token', 'x', '--protocol', '4'], 'USAGE'],
    ['a certificate that is not there', ['--url', URL_OF_NOBODY, '--token', 'x', '--ca', '/nowhere'], 'INVALID_VALUE'],
    ['no token, without a terminal', ['--url', URL_OF_NOBODY], 'USAGE'],
    ['no URL, without a terminal', ['--token', 'x'], 'USAGE'],
    [
      'an environment variable that is not set',
      ['--url', URL_OF_NOBODY, '--token', 'env:NOT_SET'],
      'SECRET_UNREADABLE',
    ],
    ['a file that is not there', ['--url', URL_OF_NOBODY, '--token', 'file:/nowhere'], 'SECRET_UNREADABLE'],
  ])('%s: exit status 2, and nothing was done', async (_, flags, code) => {
    // Not from the context: test.each gives none.
    let dispose = async (): Promise<void> => {};
    const bench = newBench((cleanup) => {
      dispose = cleanup;
    });
    try {
      expect(await bench.failure(['init', ...flags])).toMatchObject({ status: 2, code, fault: 'config' });
      expect(readdirSync(bench.directory)).toEqual([]);
      await init(bench, URL_OF_NOBODY);
      expect(await bench.failure(['init', ...flags])).toMatchObject({ status: 2, code, fault: 'config' });
    } finally {
      await dispose();
    }
  });
});
