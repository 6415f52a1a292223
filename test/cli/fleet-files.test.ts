/** `import` and `export` through the program. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Bench, newBench } from '../support/cli.ts';
import { init, PASSWORD, TOKEN } from '../support/scene.ts';

const FLEET = `targets:
  - { name: main, url: mqtt://127.0.0.1:1, token: env:T }
meters:
  - name: house1
    link: tcp://127.0.0.1:4059
    template: is-15959-category-a
    secrets: { secret: env:PW }
  - { name: house2, link: tcp://127.0.0.1:4060, points: 1.0.1.8.0.255=a }
`;
const ENV = { env: { T: TOKEN, PW: PASSWORD } };

function file(bench: Bench, name: string, text: string): string {
  const path = join(bench.directory, name);
  writeFileSync(path, text);
  return path;
}

describe.concurrent('fleet files', { timeout: 120_000 }, () => {
  test('import, export, import elsewhere, export: the same', async ({ onTestFinished }) => {
    const here = newBench(onTestFinished);
    const there = newBench(onTestFinished);
    for (const bench of [here, there]) await init(bench, 'mqtt://127.0.0.1:1', ['--name', 'main']);
    const path = file(here, 'fleet.yaml', FLEET);
    const dry = await here.json(['import', path, '--dry-run'], ENV);
    expect(dry).toMatchObject({ dryRun: true, added: ['house1', 'house2'] });
    expect(await here.json(['meter', 'list'])).toEqual({ meters: [] });
    expect(await here.json(['import', path], ENV)).toMatchObject({
      dryRun: false,
      added: ['house1', 'house2'],
      targets: [],
    });
    expect(await here.json(['import', path], ENV)).toMatchObject({ added: [], changed: [], unchanged: 2 });
    for (const format of ['yaml', 'json', 'csv']) {
      const [first, second] = [join(here.directory, `a.${format}`), join(there.directory, `b.${format}`)];
      expect(await here.json(['export', first, '--with-secrets'])).toEqual({
        file: first,
        targets: 1,
        meters: 2,
        secrets: true,
      });
      expect(statSync(first).mode & 0o777).toBe(0o600);
      await there.json(['import', first]);
      await there.json(['export', second, '--with-secrets']);
      expect(readFileSync(second, 'utf8')).toBe(readFileSync(first, 'utf8'));
    }
    const replaced = await here.json(['import', file(here, 'one.json', '{"meters":[{"name":"house2"}]}'), '--replace']);
    expect(replaced).toMatchObject({ removed: ['house1'], unchanged: 1 });
  });

  test('to standard output without secrets; as one document with --json', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    await init(bench, 'mqtt://127.0.0.1:1', ['--name', 'main']);
    await bench.json(['import', file(bench, 'fleet.yaml', FLEET)], ENV);
    const { stdout } = await bench.run(['export']);
    expect(stdout).toMatch(/^targets:\n {2}- name: main\n/);
    expect(stdout).toContain('template: is-15959-category-a@1');
    const csv = await bench.run(['export', '--format', 'csv']);
    expect(csv.stdout.split('\r\n')).toHaveLength(4);
    const hex = Buffer.from(PASSWORD).toString('hex');
    for (const text of [stdout, csv.stdout]) expect(text).not.toMatch(new RegExp(`${hex}|${PASSWORD}|${TOKEN}`));
    expect(await bench.json(['export'])).toMatchObject({
      targets: [{ name: 'main' }],
      meters: [{ name: 'house1' }, {}],
    });
    expect(await bench.failure(['export', '--with-secrets'])).toMatchObject({ status: 2, code: 'USAGE' });
    expect(await bench.failure(['export', join(bench.directory, 'x.txt')])).toMatchObject({ status: 2, code: 'USAGE' });
  });

  test('what is refused: exit status 2, places, nothing changed', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    await init(bench, 'mqtt://127.0.0.1:1', ['--name', 'main']);
    const wrong = FLEET.replace('4060', '99999').replace('category-a', 'category-x');
    const failure = await bench.failure(['import', file(bench, 'fleet.yml', wrong)], ENV);
    expect(failure).toMatchObject({ status: 2, code: 'FILE_INVALID', fault: 'config' });
    expect(failure.message).toMatch(/^fleet\.yml:8:27: /);
    expect(await bench.failure(['import', file(bench, 'f.yaml', FLEET)])).toMatchObject({ code: 'FILE_INVALID' });
    expect(await bench.failure(['import', join(bench.directory, 'none.yaml')])).toMatchObject({ code: 'NOT_FOUND' });
    expect(await bench.failure(['import', file(bench, 'fleet', FLEET)])).toMatchObject({ status: 2, code: 'USAGE' });
    expect(await bench.json(['meter', 'list'])).toEqual({ meters: [] });
  });
});
