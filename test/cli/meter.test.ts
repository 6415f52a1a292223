/** `meter add/list/show/remove/enable/disable`: what it takes, what it refuses, and that a refusal changes nothing. */
import { describe, expect, test } from 'vitest';
import { type Bench, newBench } from '../support/cli.ts';
import { addMeter, init, PASSWORD, status, TOKEN } from '../support/scene.ts';

const URL_OF_NOBODY = 'mqtt://127.0.0.1:1';
const LINK = 'tcp://127.0.0.1:4059';

interface Shown {
  readonly name: string;
  readonly link: string;
  readonly enabled: boolean;
  readonly groups: readonly { name: string; intervalSeconds: number; points: readonly { key: string }[] }[];
}

async function listed(bench: Bench): Promise<readonly Shown[]> {
  return (await bench.json<{ meters: readonly Shown[] }>(['meter', 'list'])).meters;
}

describe.concurrent('meter', () => {
  test('add as the contract writes it, show, disable, enable, remove', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    await init(bench, URL_OF_NOBODY);
    const points = '1.0.1.8.0.255=activeEnergyImport,1.0.32.7.0.255=voltageL1,8:0-0:1.0.0=clock,4:1.0.1.6.0.255:5=at';
    const flags = ['--client', '17', '--auth', 'low', '--secret', 'env:PW', '--interval', '5', '--points', points];
    const group = ['--group', 'slow@900:1.0.2.8.0.255=activeEnergyExport'];
    const added = await bench.json(['meter', 'add', 'house1', LINK, ...flags, ...group], { env: { PW: PASSWORD } });
    expect(added).toEqual({ meter: 'house1', link: LINK, points: 5, profiles: 0, template: null, result: 'added' });
    const shown = await bench.json(['meter', 'show', 'house1']);
    expect(shown).toMatchObject({
      name: 'house1',
      link: LINK,
      enabled: true,
      settings: { client: 17, server: 1, physical: null, authentication: 'low', referencing: 'ln' },
      groups: [
        {
          name: 'default',
          intervalSeconds: 5,
          points: [
            { classId: null, obis: '1.0.1.8.0.255', attribute: 2, key: 'activeEnergyImport' },
            { classId: null, obis: '1.0.32.7.0.255', attribute: 2, key: 'voltageL1' },
            { classId: 8, obis: '0.0.1.0.0.255', attribute: 2, key: 'clock' },
            { classId: 4, obis: '1.0.1.6.0.255', attribute: 5, key: 'at' },
          ],
        },
        { name: 'slow', intervalSeconds: 900, points: [{ key: 'activeEnergyExport' }] },
      ],
    });
    expect(await listed(bench)).toEqual([shown]);
    expect(await bench.json(['meter', 'disable', 'house1'])).toEqual({ meter: 'house1', result: 'disabled' });
    expect(await listed(bench)).toMatchObject([{ enabled: false }]);
    expect((await status(bench)).meters).toMatchObject([{ name: 'house1', state: 'disabled' }]);
    expect(await bench.json(['meter', 'enable', 'house1'])).toEqual({ meter: 'house1', result: 'enabled' });
    expect(await bench.json(['meter', 'remove', 'house1'])).toEqual({ meter: 'house1', result: 'removed' });
    expect(await listed(bench)).toEqual([]);
    for (const verb of ['show', 'remove', 'enable', 'disable']) {
      expect(await bench.failure(['meter', verb, 'house1'])).toMatchObject({ status: 2, code: 'NOT_FOUND' });
    }
  });

  test('wrong input: its own code, exit status 2, nothing added', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    await init(bench, URL_OF_NOBODY);
    await addMeter(bench, 'there', LINK);
    const point = '1.0.1.8.0.255=a';
    const cases: readonly (readonly [args: readonly string[], code: string])[] = [
      [['there', LINK, '--points', point], 'ALREADY_EXISTS'],
      [['m', LINK, '--points', `${point},1.0.2.8.0.255=a`], 'DUPLICATE_KEY'],
      [['m', LINK, '--points', point, '--group', 'g@9:1.0.2.8.0.255=a'], 'DUPLICATE_KEY'],
      [['m', 'http://127.0.0.1', '--points', point], 'INVALID_LINK'],
      [['m', 'tcp://127.0.0.1:99999', '--points', point], 'INVALID_LINK'],
      [['m', LINK, '--points', '1.0.1.8=a'], 'INVALID_POINT'],
      [['m', LINK, '--points', '1.0.1.8.0.256=a'], 'INVALID_POINT'],
      [['m', LINK, '--points', '1.0.1.8.0.255'], 'INVALID_POINT'],
      [['m', LINK], 'USAGE'],
      [['m', LINK, '--points', point, '--interval', '0'], 'USAGE'],
      [['m', LINK, '--points', point, '--client', 'x'], 'USAGE'],
      [['m', LINK, '--points', point, '--auth', 'low'], 'USAGE'],
      [['m', LINK, '--points', point, '--auth', 'low', '--secret', 'hex:xyz'], 'INVALID_VALUE'],
      [['m', LINK, '--points', point, '--auth', 'low', '--secret', 'file:/nowhere'], 'SECRET_UNREADABLE'],
      [['m', LINK, '--points', point, '--token', 'for-nobody'], 'INVALID_VALUE'],
      [['a://b', LINK, '--points', point], 'INVALID_VALUE'],
    ];
    const outcomes: unknown[] = [];
    for (const [args] of cases) {
      const { status: exit, code, fault } = await bench.failure(['meter', 'add', ...args]);
      outcomes.push({ args, exit, code, fault });
    }
    expect(outcomes).toEqual(cases.map(([args, code]) => ({ args, exit: 2, code, fault: 'config' })));
    expect((await listed(bench)).map(({ name }) => name)).toEqual(['there']);
  });

  test('device mode: each meter brings a token, and no two the same', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    await init(bench, URL_OF_NOBODY, ['--mode', 'device']);
    const add = (name: string, ...args: string[]): string[] => [
      'meter',
      'add',
      name,
      LINK,
      '--points',
      '1.0.1.8.0.255=a',
      ...args,
    ];
    expect(await bench.failure(add('house1'))).toMatchObject({ status: 2, code: 'INVALID_VALUE', fault: 'config' });
    expect(await bench.failure(add('house1', '--token', TOKEN))).toMatchObject({ status: 2, code: 'DUPLICATE_TOKEN' });
    await bench.json(add('house1', '--token', 'one'));
    expect(await bench.failure(add('house2', '--token', 'one'))).toMatchObject({ status: 2, code: 'DUPLICATE_TOKEN' });
    await bench.json(add('house2', '--token', 'two'));
    expect((await listed(bench)).map(({ name }) => name)).toEqual(['house1', 'house2']);
  });
});
