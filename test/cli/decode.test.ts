/** `decode` as people and scripts call it: JSON of the contract, a tree for people, keys that never show. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { toHex } from '../../src/core/bytes.ts';
import type { Decoded } from '../../src/dlms/decode/bytes.ts';
import { publicKeyOf } from '../../src/dlms/security/elliptic-curve.ts';
import { type Bench, MAIN, newBench } from '../support/cli.ts';
import { loadVectors, type Vector } from '../support/vectors.ts';

const VECTORS = fileURLToPath(new URL('../vectors/', import.meta.url));
const vector = (id: string): Vector => loadVectors('push').find((one) => one.id === id) as Vector;
const BLOCKS = vector('push-lg-e450-2-gbt-encrypted');
const EK = String(BLOCKS.context.encryptionKey);
const AK = String(BLOCKS.context.authenticationKey);
/** Of the static unified model in suite 1, signed; see test/dlms/decode-protected.test.ts. */
const SIGNED_AND_AGREED =
  'df0800000000000000070853494d000000000108444d4d000000000100004ddd0800000000000000070853494d000000000108444d4d0000000001000001020102002931000000053439be677c8fb68c27dff5588f0098adcb22d5a20218d4bb4e9f00d6fdf6299b7c907bd0407b5b493ae4d751ac024964f2f4b3b3130fbe1f0dd3c76fca17a06d38723e5219233f16fc5cffac3314aa0b953ace2afb9bae2dff9450561bb436e22619e5d1d7';
const NAMES = ['hdlc', 'llc', 'gbt', 'hdlc', 'gbt', 'hdlc', 'gbt', 'security'];

/** The text for people, of a run that must succeed. */
async function textOf(bench: Bench, args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await bench.run(['decode', ...args], { db: false });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

describe.concurrent('decode --json', () => {
  test('all layers of a push, in the order met', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const env = { EK, AK };
    const args = ['decode', BLOCKS.hex, '--ek', 'env:EK', '--ak', 'env:AK'];
    const { layers, apdus, discarded, error } = await bench.json<Decoded>(args, { env, db: false });
    expect(layers.map(({ layer }) => layer)).toEqual(NAMES);
    expect(layers.at(-1)).toMatchObject({ tagVerified: true, invocationCounter: 707715 });
    expect(apdus).toMatchObject([{ apdu: 'data-notification', layout: 'flat' }]);
    expect({ discarded, error }).toEqual({ discarded: [], error: null });
  });

  test('the long names of the flags, and keys from a file', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const file = join(bench.directory, 'key');
    writeFileSync(file, `${EK}\n`);
    const keys = ['--block-cipher-key', `file:${file}`, '--authentication-key', `hex:${AK}`];
    const { apdus } = await bench.json<Decoded>(['decode', BLOCKS.hex, ...keys], { db: false });
    expect(apdus).toMatchObject([{ apdu: 'data-notification' }]);
  });

  test('a wrong key is a result, and stands in no output', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const wrong = '5ec2e75ec2e75ec2e75ec2e75ec2e7ff';
    const { status, stdout, stderr } = await bench.run(['decode', BLOCKS.hex, '--ek', wrong, '--ak', AK, '--json']);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'DECRYPT_FAILED', fault: 'credentials' } });
    expect(stdout + stderr).not.toContain(wrong);
  });

  test('a GMAC value', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const keys = ['--ek', '000102030405060708090a0b0c0d0e0f', '--ak', 'd0d1d2d3d4d5d6d7d8d9dadbdcdddedf'];
    const flags = [...keys, '--system-title', '4d4d4d0000000001', '--challenge', '503677524a323146'];
    const { layers } = await bench.json<Decoded>(['decode', '10000000011a52fe7dd3e72748973c1e28', ...flags]);
    expect(layers).toMatchObject([{ layer: 'security', kind: 'hls-gmac-value', valid: true }]);
  });

  test('agreed keys and signatures, with the keys of both parties', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const scalar = (octet: number): Uint8Array => new Uint8Array(32).fill(octet);
    const [agreement, signing] = [14, 13].map((octet) => toHex(publicKeyOf('P-256', scalar(octet))));
    const env = { EK: '01'.repeat(16), AK: '02'.repeat(16), PRIVATE: toHex(scalar(12)) };
    const flags = ['--ak', 'env:AK', '--agreement-key', 'env:PRIVATE', '--server-agreement-key', `hex:${agreement}`];
    const stranger = `hex:${toHex(publicKeyOf('P-256', scalar(77)))}`;
    const args = ['decode', SIGNED_AND_AGREED, ...flags, '--server-signing-key', stranger];
    const refused = await bench.json<Decoded>(args, { env, db: false });
    expect(refused.error).toMatchObject({ code: 'SIGNATURE_WRONG' });
    const both = [...args, '--server-signing-key', `hex:${signing}`];
    const { layers, apdus, error } = await bench.json<Decoded>(both, { env, db: false });
    expect(layers).toMatchObject([
      { apdu: 'general-signing', signatureValid: true },
      { apdu: 'general-ciphering', tagVerified: true },
    ]);
    expect({ apdus, error }).toMatchObject({ apdus: [{ items: [{ value: 66051 }, { value: 2300 }] }], error: null });
    expect(JSON.stringify([refused, layers, apdus])).not.toContain(env.PRIVATE);
  });

  test.for([
    ['malformed octets', 'c001'],
    ['no octets', ''],
  ] as const)('%s are printed, exit status 0', async ([, hex], { onTestFinished }) => {
    const { error } = await newBench(onTestFinished).json<Decoded>(['decode', hex], { db: false });
    expect(error).toMatchObject({ code: 'TRUNCATED' });
  });

  test.for([
    ['no hex', ['xyz'], 'INVALID_VALUE'],
    ['half an octet', ['abc'], 'INVALID_VALUE'],
    ['nothing to decode', [], 'USAGE'],
    ['an unknown input', ['00', '--input', 'morse'], 'USAGE'],
    ['a key that is none', ['00', '--ek', '00'], 'INVALID_VALUE'],
    ['a key from nowhere', ['00', '--ek', 'env:NOT_SET'], 'SECRET_UNREADABLE'],
    ['a title that is none', ['00', '--system-title', '00'], 'INVALID_VALUE'],
    ['a challenge without keys', ['00', '--challenge', '00'], 'USAGE'],
  ] as const)('%s: exit status 2', async ([, args, code], { onTestFinished }) => {
    expect(await newBench(onTestFinished).failure(['decode', ...args])).toMatchObject({ status: 2, code });
  });

  test('--batch with what check.mjs compares', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const results = await bench.json<unknown[]>(['decode', '--batch', join(VECTORS, 'push.json')], { db: false });
    const file = join(bench.directory, 'results.json');
    writeFileSync(file, JSON.stringify(results));
    const check = spawnSync(process.execPath, [join(VECTORS, 'check.mjs'), join(VECTORS, 'push.json'), file]);
    expect(check.stdout.toString()).toBe(`${results.length} passed, 0 failed\n`);
  });
});

describe.concurrent('decode for people', () => {
  test('a push with names and units', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const text = await textOf(bench, [vector('push-aidon-gh1119-se-18').hex.replace(/^/, 'ffff')]);
    expect(text).toContain('hdlc at 2\n');
    expect(text).toContain('APDU: data-notification\n');
    expect(text).toMatch(
      /^ {4}1\.0\.32\.7\.0\.255 voltage L1, instantaneous: \d+(?:\.\d)? V \(long-unsigned \d+, scaler -1\)$/m,
    );
    expect(text).toContain('discarded 2 octets at 0: octets outside a frame\n');
  });

  test('classes and data-access-results by name', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    expect(await textOf(bench, ['c001c100030100010800ff0200'])).toContain('classId: 3 (Register)\n');
    expect(await textOf(bench, ['c4', '01', 'c1', '01', '04'])).toContain('dataAccessResult: object-undefined (4)\n');
  });

  test('what is wrong, with a hint', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    expect(await textOf(bench, ['ff00'])).toMatch(/^error MALFORMED: .*\n {2}\S/m);
  });

  test('hex from standard input', () => {
    const input = '7E A0 07 03\n41 93 5A 64 7E\n';
    const { status, stdout } = spawnSync(process.execPath, [MAIN, 'decode', '-'], { input, encoding: 'utf8' });
    expect(status).toBe(0);
    expect(stdout).toContain('frameType: SNRM\n');
  });
});
