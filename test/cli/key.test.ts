/** `key change`: a new key for a virtual meter, and which key holds whatever happens on the way. */
import { describe, expect, test } from 'vitest';
import { fromHex } from '../../src/core/bytes.ts';
import { type Bench, newBench } from '../support/cli.ts';
import { ownMeters } from '../support/scene.ts';

const KEYS = {
  EK: '000102030405060708090a0b0c0d0e0f',
  AK: 'd0d1d2d3d4d5d6d7d8d9dadbdcdddedf',
  NEW: 'a0a1a2a3a4a5a6a7a8a9aaabacadaeaf',
  KEK: 'e0e1e2e3e4e5e6e7e8e9eaebecedeeef',
};
const LONG = 'ab'.repeat(32);
const ENV = { env: { ...KEYS, LONG } };
const flags = (unicast = 'EK', authentication = 'AK'): string[] => [
  ...['--client', '1', '--auth', 'gmac', '--security', 'both', '--timeout', '1500'],
  ...['--block-cipher-key', `env:${unicast}`, '--authentication-key', `env:${authentication}`],
];
const change = (type: string): string[] => ['--type', type, '--new', 'env:NEW', '--kek', 'env:KEK'];

async function secureMeter(bench: Bench, options = {}): Promise<string> {
  const { links } = await ownMeters(bench, {
    auth: 'gmac',
    security: 'both',
    blockCipherKey: fromHex(KEYS.EK),
    authenticationKey: fromHex(KEYS.AK),
    masterKey: fromHex(KEYS.KEK),
    ...options,
  });
  return links[0] ?? '';
}

async function reads(bench: Bench, link: string, keys: readonly string[]): Promise<boolean> {
  const { status } = await bench.run(['read', link, '3:1.0.1.8.0.255', ...keys], ENV);
  return status === 0;
}

describe.concurrent('key change', () => {
  test.for([
    ['unicast', ['NEW', 'AK']],
    ['authentication', ['EK', 'NEW']],
  ] as const)('%s: the new key holds, the old one no more', async ([type, [ek, ak]], { onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const link = await secureMeter(bench);
    const document = await bench.json(['key', 'change', link, ...change(type), ...flags()], ENV);
    expect(document).toEqual({ meter: link, type, acknowledged: true, proven: true, result: 'changed' });
    expect(await reads(bench, link, flags(ek, ak))).toBe(true);
    expect(await reads(bench, link, flags())).toBe(false);
  });

  test('broadcast: acknowledged, and no association can prove it', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const link = await secureMeter(bench);
    const document = await bench.json(['key', 'change', link, ...change('broadcast'), ...flags()], ENV);
    expect(document).toMatchObject({ acknowledged: true, proven: false });
    expect(await reads(bench, link, flags())).toBe(true);
  });

  test('an answer that gets lost: the new key is tried, and holds', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    // Answers: public AARE, counter, RLRE, AARE, HLS, then the action, whose answer is lost.
    const link = await secureMeter(bench, { faults: ['lose-nth-frame:6'] });
    const document = await bench.json(['key', 'change', link, ...change('unicast'), ...flags()], ENV);
    expect(document).toMatchObject({ acknowledged: false, proven: true, result: 'changed' });
  });

  test('what goes wrong leaves the old key', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const link = await secureMeter(bench);
    const failureOf = async (...args: readonly string[]) => {
      const { status, code } = await bench.failure(['key', 'change', ...args, ...flags()], ENV);
      return `${status} ${code}`;
    };
    const wrongKek = ['--type', 'unicast', '--new', 'env:NEW', '--kek', 'env:AK'];
    expect(await failureOf(link, ...wrongKek)).toBe('1 DATA_ACCESS_OTHER_REASON');
    expect(await failureOf(link, '--type', 'unicast', '--new', 'env:NEW')).toBe('2 USAGE');
    expect(await failureOf(link, '--type', 'unicast', '--new', 'env:EK', '--kek', 'env:KEK')).toBe('2 INVALID_VALUE');
    expect(await failureOf(link, '--type', 'unicast', '--new', 'env:LONG', '--kek', 'env:KEK')).toBe('2 INVALID_VALUE');
    expect(await failureOf(link, ...change('master'))).toBe('2 USAGE');
    expect(await failureOf(link, ...change('unicast'), '--object', '3:0.0.43.0.0.255')).toBe('2 INVALID_POINT');
    expect(await failureOf('house1', ...change('unicast'))).toBe('2 UNSUPPORTED');
    expect(await reads(bench, link, flags())).toBe(true);
  });

  test('no key is in what the program says', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const link = await secureMeter(bench);
    const args = ['key', 'change', link, ...change('unicast'), ...flags(), '--log-level', 'trace', '--json'];
    const { stdout, stderr } = await bench.run(args, ENV);
    expect(stderr).toContain('line octets');
    for (const key of Object.values(KEYS)) expect(stdout + stderr).not.toContain(key);
  });
});
