/** Authentication and protection by flags, from the command line to a virtual meter. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readPrivateKey } from '../../src/dlms/security/key-material.ts';
import { CLIENT_TITLE, METER_TITLE, P256, P384, type TestKeys } from '../support/certificates.ts';
import { type Bench, newBench } from '../support/cli.ts';
import { simulateMeters } from '../support/scene.ts';

const ENERGY = '3:1.0.1.8.0.255';

interface Value {
  readonly results: readonly { readonly raw: { readonly type: string } | null }[];
}

/** `file:PATH` of a PEM that lies in the bench's directory. */
function fileWith(bench: Bench, name: string, pem: string): string {
  const path = join(bench.directory, name);
  writeFileSync(path, pem, { mode: 0o600 });
  return `file:${path}`;
}

function filesOf(bench: Bench, keys: TestKeys): Record<keyof TestKeys, string> {
  const entries = Object.entries(keys).map(([name, pem]) => [name, fileWith(bench, `${name}.pem`, pem)]);
  return Object.fromEntries(entries) as Record<keyof TestKeys, string>;
}

describe.concurrent('ECDSA', { timeout: 60_000 }, () => {
  test.for([
    ['1', P256],
    ['2', P384],
  ] as const)('suite %s, with the keys of both sides', async ([suite, keys], { onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const files = filesOf(bench, keys);
    const meter = ['--signing-key', files.meterKey, '--client-signing-key', files.clientCertificate];
    const { meters } = await simulateMeters(bench, ['--auth', 'ecdsa', '--suite', suite, ...meter]);
    const ours = ['--signing-key', files.clientKey, '--server-signing-key', files.meterCertificate];
    const flags = ['--client', '1', '--auth', 'ecdsa', '--suite', suite, ...ours];
    const { results } = await bench.json<Value>(['read', meters[0]?.link ?? '', ENERGY, ...flags]);
    expect(results[0]?.raw?.type).toBe('double-long-unsigned');
  });

  test.for([
    ['1', P256],
    ['2', P384],
  ] as const)('suite %s, with certificates that are sent', async ([suite, keys], { onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const files = filesOf(bench, keys);
    const meter = ['--signing-key', files.meterKey, '--certificate', files.meterCertificate];
    const { meters } = await simulateMeters(bench, [
      ...['--auth', 'ecdsa', '--suite', suite, '--system-title', METER_TITLE, ...meter],
      ...['--client-authority', files.authority],
    ]);
    const ours = ['--signing-key', files.clientKey, '--certificate', files.clientCertificate];
    const flags = ['--client', '1', '--auth', 'ecdsa', '--suite', suite, '--system-title', CLIENT_TITLE, ...ours];
    const link = meters[0]?.link ?? '';
    const read = ['read', link, ENERGY, ...flags, '--server-authority', files.authority];
    expect((await bench.json<Value>(read)).results[0]?.raw?.type).toBe('double-long-unsigned');
  });

  test('what is missing or does not fit is said before anything is sent', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { clientKey, meterCertificate, authority } = filesOf(bench, P256);
    const p384 = fileWith(bench, 'p384.pem', P384.clientKey);
    const both = ['--signing-key', clientKey, '--server-signing-key', meterCertificate];
    const refused = async (flags: readonly string[]): Promise<string> => {
      const args = ['read', 'tcp://127.0.0.1:9', ENERGY, '--auth', 'ecdsa', ...flags];
      return (await bench.failure(args)).code;
    };
    expect(await refused(['--suite', '1'])).toBe('USAGE');
    expect(await refused(['--suite', '1', '--signing-key', clientKey])).toBe('USAGE');
    expect(await refused(['--suite', '0', ...both])).toBe('USAGE');
    expect(await refused(['--suite', '2', ...both])).toBe('INVALID_VALUE');
    expect(await refused(['--suite', '1', '--signing-key', p384, '--server-authority', authority])).toBe(
      'INVALID_VALUE',
    );
    expect(await refused(['--suite', '1', ...both, '--certificate', meterCertificate])).toBe('INVALID_VALUE');
    expect(await refused(['--suite', '1', '--signing-key', 'file:/nowhere'])).toBe('SECRET_UNREADABLE');
  });
});

/** Public and secret halves of both sides; the pairs serve for signatures and key agreement here. */
function protectionFlags(bench: Bench, keys: TestKeys): { readonly ours: string[]; readonly theirs: string[] } {
  const files = filesOf(bench, keys);
  return {
    ours: [
      ...['--signing-key', files.clientKey, '--server-signing-key', files.meterCertificate],
      ...['--agreement-key', files.clientKey, '--server-agreement-key', files.meterCertificate],
    ],
    theirs: [
      ...['--signing-key', files.meterKey, '--client-signing-key', files.clientCertificate],
      ...['--agreement-key', files.meterKey, '--client-agreement-key', files.clientCertificate],
    ],
  };
}

const EK = '000102030405060708090a0b0c0d0e0f';
const AK = 'd0d1d2d3d4d5d6d7d8d9dadbdcdddedf';

describe.concurrent('protection', { timeout: 60_000 }, () => {
  test.for(['identified', 'wrapped', 'one-pass', 'static-unified'])(
    'general ciphering with a key that is %s, signed',
    async (protection, { onTestFinished }) => {
      const bench = newBench(onTestFinished);
      const { ours, theirs } = protectionFlags(bench, P256);
      const common = ['--suite', '1', '--security', 'both', '--auth', 'ecdsa', '--master-key', EK];
      const { meters } = await simulateMeters(bench, [...common, ...theirs]);
      const keys = ['--block-cipher-key', EK, '--authentication-key', AK];
      const flags = ['--client', '1', ...common, ...keys, ...ours, '--protection', protection, '--sign'];
      const { results } = await bench.json<Value>(['read', meters[0]?.link ?? '', ENERGY, ...flags]);
      expect(results[0]?.raw?.type).toBe('double-long-unsigned');
    },
  );

  test('a pre-established association', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const security = ['--security', 'both'];
    const meter = ['--system-title', METER_TITLE, '--pre-established', '--client-system-title', CLIENT_TITLE];
    const { meters } = await simulateMeters(bench, [...security, ...meter]);
    const keys = ['--block-cipher-key', EK, '--authentication-key', AK];
    const titles = ['--system-title', CLIENT_TITLE, '--server-system-title', METER_TITLE];
    const flags = ['--client', '1', ...security, ...keys, ...titles, '--pre-established', '--protection', 'service'];
    const { results } = await bench.json<Value>(['read', meters[0]?.link ?? '', ENERGY, ...flags]);
    expect(results[0]?.raw?.type).toBe('double-long-unsigned');
  });

  test('a fixed title without a database is refused where the meter does not show its counter', async ({
    onTestFinished,
  }) => {
    const bench = newBench(onTestFinished);
    const { meters } = await simulateMeters(bench, ['--security', 'both', '--faults', 'silent']);
    const keys = ['--block-cipher-key', EK, '--authentication-key', AK, '--system-title', CLIENT_TITLE];
    const flags = ['--client', '1', '--security', 'both', ...keys, '--timeout', '100'];
    const error = await bench.failure(['read', meters[0]?.link ?? '', ENERGY, ...flags]);
    expect(error).toMatchObject({ code: 'COUNTER_UNKNOWN', fault: 'config', status: 1 });
  });

  test.for<[string, string[]]>([
    ['--sign needs --security', ['--sign', '--suite', '1']],
    ['--protection needs --security', ['--protection', 'identified']],
    ['wrapped needs the master key', ['--security', 'both', '--protection', 'wrapped']],
    ['key agreement needs keys', ['--security', 'both', '--suite', '1', '--protection', 'static-unified']],
    ['a pre-established association proves nothing', ['--pre-established', '--auth', 'sha256', '--secret', 'x']],
    ['a ciphered pre-established one needs the title', ['--pre-established', '--security', 'both']],
    ['conformance is negotiated else', ['--conformance', 'get']],
    ['conformance has names', ['--pre-established', '--conformance', 'get,gat']],
  ])('%s', async ([, flags], { onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const keys = ['--block-cipher-key', EK, '--authentication-key', AK];
    const error = await bench.failure(['read', 'tcp://127.0.0.1:9', ENERGY, ...keys, ...flags]);
    expect(error).toMatchObject({ code: 'USAGE', status: 2 });
  });
});

test('quirks and keys are stored with the meter; keys are sealed', { timeout: 60_000 }, async ({ onTestFinished }) => {
  const bench = newBench(onTestFinished);
  await bench.json(['init', '--url', 'mqtt://127.0.0.1:1', '--token', 'tK7qWz3vRx9LmB2d', '--yes']);
  const { clientKey, meterCertificate } = filesOf(bench, P256);
  const keys = ['--signing-key', clientKey, '--server-signing-key', meterCertificate];
  const quirks = ['--quirk', 'no-release', '--quirk', 'list-limit=8', '--quirk', 'hls-variant=aes-ecb-reversed'];
  const flags = ['--auth', 'ecdsa', '--suite', '1', ...keys, ...quirks, '--points', `${ENERGY}=energy`];
  await bench.json(['meter', 'add', 'house1', 'tcp://127.0.0.1:4059', ...flags]);
  const shown = await bench.run(['meter', 'show', 'house1', '--json']);
  const { settings } = JSON.parse(shown.stdout) as { settings: Record<string, unknown> };
  expect(settings).toMatchObject({
    authentication: 'ecdsa',
    quirks: { noRelease: true, listLimit: 8, hlsVariant: 'aes-ecb-reversed' },
  });
  const scalar = Buffer.from(readPrivateKey(Buffer.from(P256.clientKey), 'it').key);
  expect(shown.stdout).not.toContain(scalar.toString('hex'));
  for (const name of ['dlms.db', 'dlms.db-wal']) {
    const path = join(bench.directory, name);
    if (!existsSync(path)) continue;
    const stored = readFileSync(path);
    expect(stored.includes(scalar)).toBe(false);
    expect(stored.includes(scalar.toString('hex'))).toBe(false);
  }
  const error = await bench.failure([
    'meter',
    'add',
    'house2',
    'tcp://127.0.0.1:4059',
    '--quirk',
    'no-such',
    '--points',
    `${ENERGY}=energy`,
  ]);
  expect(error).toMatchObject({ code: 'INVALID_VALUE', status: 2 });
});
