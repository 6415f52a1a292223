/** Templates and editing through the program: `meter template`, `meter add --template`, `meter edit`, `meter test`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Bench, newBench } from '../support/cli.ts';
import { init, ownMeters, PASSWORD } from '../support/scene.ts';

const LINK = 'tcp://127.0.0.1:4059';

interface Shown {
  readonly template: string | null;
  readonly link: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly hasSecret: boolean;
  readonly groups: readonly {
    name: string;
    intervalSeconds: number;
    points: readonly { key: string; obis: string }[];
  }[];
  readonly profiles: readonly { obis: string; kind: string; intervalSeconds: number }[];
}

async function bench(onTestFinished: Parameters<typeof newBench>[0]): Promise<Bench> {
  const made = newBench(onTestFinished);
  await init(made, 'mqtt://127.0.0.1:1');
  return made;
}

const show = (of: Bench): Promise<Shown> => of.json<Shown>(['meter', 'show', 'house1']);
const groupsOf = ({ groups }: Shown): [string, number, string[]][] =>
  groups.map(({ name, intervalSeconds, points }) => [name, intervalSeconds, points.map(({ key }) => key)]);

describe.concurrent('templates', { timeout: 120_000 }, () => {
  test('list and show', async ({ onTestFinished }) => {
    const at = newBench(onTestFinished);
    const { templates } = await at.json<{ templates: { name: string; points: number }[] }>([
      'meter',
      'template',
      'list',
    ]);
    expect(templates.map(({ name }) => name)).toContain('is-15959-category-d');
    expect(await at.json(['meter', 'template', 'show', 'generic-single-phase'])).toMatchObject({
      name: 'generic-single-phase',
      version: 1,
      groups: [
        { name: 'instantaneous', intervalSeconds: 60, points: expect.arrayContaining(['3:1.0.32.7.0.255=voltageL1']) },
        {},
        {},
      ],
    });
    expect(await at.failure(['meter', 'template', 'show', 'none'])).toMatchObject({ status: 2, code: 'NOT_FOUND' });
    const path = join(at.directory, 'bad.yaml');
    writeFileSync(path, 'template: bad\nversion: 1\ngroups: []\n');
    const failure = await at.failure(['meter', 'template', 'show', path]);
    expect(failure).toMatchObject({
      status: 2,
      code: 'FILE_INVALID',
      message: expect.stringContaining('bad.yaml:3:9'),
    });
  });

  test('a meter of a template, with points and settings of its own', async ({ onTestFinished }) => {
    const at = await bench(onTestFinished);
    const args = [
      '--template',
      'is-15959-category-d',
      '--points',
      '3:1.0.12.7.0.255=voltage@decimal:1,3:1.0.99.7.0.255=extra',
    ];
    const missing = await at.failure(['meter', 'add', 'house1', LINK, ...args]);
    expect(missing).toMatchObject({ status: 2, code: 'USAGE' });
    const secret = [
      '--secret',
      'env:PW',
      '--server',
      '3',
      '--profile',
      '1.0.99.1.0.255@1800',
      '--profile',
      '1.0.98.1.0.255',
    ];
    await at.json(['meter', 'add', 'house1', LINK, ...args, ...secret], { env: { PW: PASSWORD } });
    const shown = await show(at);
    expect(shown).toMatchObject({
      template: 'is-15959-category-d@1',
      settings: { client: 32, authentication: 'low', server: 3 },
      hasSecret: true,
    });
    const [, instantaneous] = shown.groups;
    expect(instantaneous?.points[0]).toMatchObject({ key: 'voltage', options: { type: 'decimal', decimals: 1 } });
    expect(groupsOf(shown)[0]).toEqual(['default', 60, ['extra']]);
    expect(shown.profiles).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ obis: '1.0.99.1.0.255', kind: 'load', intervalSeconds: 1800 }),
        expect.objectContaining({ obis: '1.0.98.1.0.255', kind: 'load', intervalSeconds: 900 }),
        expect.objectContaining({
          obis: '0.0.99.98.6.255',
          kind: 'events',
          eventNames: { 301: 'load switch opened', 302: 'load switch closed' },
        }),
      ]),
    );
  });

  test('edit changes what is given and keeps the rest', async ({ onTestFinished }) => {
    const at = await bench(onTestFinished);
    const add = ['--auth', 'low', '--secret', 'env:PW', '--client', '17', '--timeout', '900'];
    const points = ['--points', '1.0.1.8.0.255=a,1.0.2.8.0.255=b', '--group', 'slow@900:1.0.3.8.0.255=c'];
    await at.json(['meter', 'add', 'house1', LINK, ...add, ...points], { env: { PW: PASSWORD } });
    const edit = (...args: string[]) => at.json<{ result: string }>(['meter', 'edit', 'house1', ...args]);
    expect(await edit()).toMatchObject({ result: 'unchanged', points: 3 });
    expect(await edit('--server', '1', '--client', '17')).toMatchObject({ result: 'unchanged' });
    await edit('--client', '1', '--link', 'tcp://127.0.0.1:4060');
    expect(await show(at)).toMatchObject({
      link: 'tcp://127.0.0.1:4060',
      settings: { client: 1, authentication: 'low', timeoutMs: 900 },
      hasSecret: true,
    });
    await edit('--points', '1.0.4.8.0.255=c@integer,1.0.5.8.0.255=d', '--remove-points', 'b', '--interval', '5');
    expect(groupsOf(await show(at))).toEqual([
      ['default', 5, ['a', 'd']],
      ['slow', 900, ['c']],
    ]);
    await edit('--quirk', 'no-list', '--quirk', 'list-limit=4');
    await edit('--quirk', 'list-limit=5', '--remove-quirk', 'no-list');
    expect((await show(at)).settings).toMatchObject({ quirks: { listLimit: 5 }, timeoutMs: 900 });
    await edit('--group', 'slow@60');
    await edit('--remove-group', 'default', '--profile', '1.0.99.1.0.255');
    expect(groupsOf(await show(at))).toEqual([['slow', 60, ['c']]]);
    await edit('--template', 'generic-single-phase', '--client', '17');
    expect(await show(at)).toMatchObject({
      template: 'generic-single-phase@1',
      profiles: [],
      settings: { client: 17 },
    });
    for (const [args, code] of [
      [['--remove-points', 'nothing'], 'NOT_FOUND'],
      [['--remove-group', 'nothing'], 'NOT_FOUND'],
      [['--remove-profile', '1.0.99.1.0.255'], 'NOT_FOUND'],
      [['--link', 'nothing'], 'INVALID_LINK'],
      [['--token', 'x'], 'INVALID_VALUE'],
      [['--auth', 'gmac'], 'USAGE'],
    ] as const) {
      expect([args, await at.failure(['meter', 'edit', 'house1', ...args])]).toMatchObject([args, { status: 2, code }]);
    }
    expect(await at.failure(['meter', 'edit', 'nobody'])).toMatchObject({ status: 2, code: 'NOT_FOUND' });
  });

  test('a template made of a meter is one, and the meter that is added with it can be tested', async ({
    onTestFinished,
  }) => {
    const at = await bench(onTestFinished);
    const { links } = await ownMeters(at);
    const { yaml } = await at.json<{ yaml: string }>(['meter', 'template', 'make', links[0] ?? '', '--name', 'ours']);
    const path = join(at.directory, 'ours.yaml');
    writeFileSync(path, yaml);
    await at.json(['meter', 'add', 'house1', links[0] ?? '', '--template', path]);
    const shown = await show(at);
    expect(shown.template).toBe('ours@1');
    const tested = await at.json<{ results: { key: string; kind: string; error: unknown; value: unknown }[] }>([
      'meter',
      'test',
      'house1',
    ]);
    expect(tested.results.map(({ key }) => key)).toEqual(
      shown.groups.flatMap(({ points }) => points.map(({ key }) => key)),
    );
    expect(tested.results.length).toBeGreaterThan(10);
    expect(tested.results.filter(({ error }) => error !== null)).toEqual([]);
    expect(tested.results.filter(({ kind }) => kind === 'attribute').length).toBeGreaterThan(0);
    expect(await at.failure(['meter', 'test', 'nobody'])).toMatchObject({ status: 2, code: 'NOT_FOUND' });
  });
});
