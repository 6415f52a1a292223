/** Authentication and protection by flags, from the command line to a virtual meter. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
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
