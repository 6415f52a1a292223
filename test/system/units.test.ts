/** The units as systemd itself judges them; `installed.test.ts` runs them. */
import { execFile } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const run = promisify(execFile);
const UNITS = fileURLToPath(new URL('../../systemd', import.meta.url));
const SCRIPTS = fileURLToPath(new URL('../../scripts', import.meta.url));

async function has(tool: string): Promise<boolean> {
  return run('sh', ['-c', `command -v ${tool}`]).then(
    () => true,
    () => false,
  );
}

const hasSystemd = await has('systemd-analyze');
const hasShellcheck = await has('shellcheck');
const inCi = process.env.CI === 'true';

test.runIf(inCi)('the tools are there', () => {
  expect({ hasSystemd, hasShellcheck }).toEqual({ hasSystemd: true, hasShellcheck: true });
});

describe.skipIf(!hasSystemd)('units', () => {
  let directory = '';

  beforeAll(() => {
    // A root of its own, with the programs that the units start.
    directory = mkdtempSync(join(tmpdir(), 'units-'));
    cpSync(UNITS, join(directory, 'etc/systemd/system'), { recursive: true });
    for (const program of [
      'usr/bin/dlms',
      'usr/bin/env',
      'usr/bin/check-system-health',
      'bin/kill',
      'usr/lib/dlms-multi-meter/rotate',
    ]) {
      cpSync('/bin/true', join(directory, program), { recursive: true });
      chmodSync(join(directory, program), 0o755);
    }
    writeFileSync(join(directory, 'etc/passwd'), 'dlms:x:990:990::/:/bin/false\n');
    cpSync('/lib/systemd/system', join(directory, 'lib/systemd/system'), { recursive: true });
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test.each(readdirSync(UNITS).filter((name) => /\.(service|timer)$/.test(name)))('%s has no mistake', async (unit) => {
    const { stdout, stderr } = await run('systemd-analyze', ['verify', '--man=no', `--root=${directory}`, unit]);
    const told = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('dlms'));
    expect(told).toEqual([]);
  });

  test.each([
    ['dlms-multi-meter.service', 17],
    ['dlms-health-check.service', 30],
    ['dlms-backup.service', 5],
  ])('exposure of %s is at most %i tenths', async (unit, threshold) => {
    const { stdout } = await run('systemd-analyze', [
      'security',
      '--offline=true',
      '--no-pager',
      `--threshold=${threshold}`,
      join(UNITS, unit),
    ]);
    expect(stdout).toContain('Overall exposure level');
  });
});

test.skipIf(!hasShellcheck)('the scripts pass shellcheck', async () => {
  const scripts = readdirSync(SCRIPTS, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.sh'));
  const { stdout } = await run('shellcheck', ['-x', ...scripts.map((name) => join(SCRIPTS, name))]);
  expect(stdout).toBe('');
});

test('the Containerfile copies and runs what is there, and takes no database, key or build of this machine along', () => {
  const at = (path: string): string => join(SCRIPTS, '..', path);
  const lines = readFileSync(at('config/deploy/Containerfile'), 'utf8').split('\n');
  const copied = lines.filter((line) => /^COPY (?!--from)/.test(line)).flatMap((line) => line.split(' ').slice(1, -1));
  const started = lines.flatMap((line) => line.match(/scripts\/[\w.-]+/g) ?? []);
  expect(copied).toContain('package-lock.json');
  expect(started).not.toEqual([]);
  expect([...copied, ...started].filter((path) => !existsSync(at(path)))).toEqual([]);
  const left = readFileSync(at('.dockerignore'), 'utf8').split('\n');
  expect(left).toEqual(expect.arrayContaining(['node_modules', 'dist', 'data']));
});
