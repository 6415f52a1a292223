/** What is in the package: licences and sums, and nothing that only builds or tests. */
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from '../support/service-bench.ts';

const HOME = 'usr/lib/dlms-multi-meter';
const hasDpkg = process.env.CI === 'true' || execFileSync('sh', ['-c', 'command -v dpkg-deb || true']).length > 0;
const LICENCE = /^(?:licen[cs]e|copying|notice)/i;

describe.skipIf(!hasDpkg)('the package', () => {
  let directory: string;
  let tree: string;
  let files: readonly string[];

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'deb-'));
    const deb = execFileSync(join(ROOT, 'scripts/build-deb.sh'), ['--output', directory], { encoding: 'utf8' }).trim();
    tree = join(directory, 'tree');
    execFileSync('dpkg-deb', ['-R', deb, tree]);
    files = readdirSync(tree, { recursive: true, encoding: 'utf8' }).filter((file) =>
      lstatSync(join(tree, file)).isFile(),
    );
  }, 120_000);
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test('has the licence of each library that it brings along', () => {
    const modules = readdirSync(join(tree, HOME, 'node_modules'), { recursive: true, encoding: 'utf8' })
      .filter((file) => /(?:^|node_modules\/)(?:@[^/]+\/)?[^/]+\/package\.json$/.test(file))
      .map((file) => join('node_modules', file, '..'));
    expect(modules.length).toBeGreaterThan(50);
    const licences = (root: string, path: string): readonly string[] =>
      readdirSync(join(root, path)).filter((name) => LICENCE.test(name));
    const lost = modules.filter((path) => licences(ROOT, path).length > licences(join(tree, HOME), path).length);
    expect(lost).toEqual([]);
    expect(existsSync(join(tree, 'usr/share/doc/dlms-multi-meter/copyright'))).toBe(true);
  });

  test('has a sum of each file but its configuration', () => {
    const sums = readFileSync(join(tree, 'DEBIAN/md5sums'), 'utf8').trim().split('\n');
    expect(sums.map((line) => line.split('  ')[1]).toSorted()).toEqual(
      files.filter((file) => file.startsWith('usr/')).toSorted(),
    );
    execFileSync('md5sum', ['--check', '--quiet', 'DEBIAN/md5sums'], { cwd: tree });
  });

  test('has nothing that only builds or tests', () => {
    const leftovers = files.filter((file) =>
      /\/\.(?!package-lock)|\/node_modules\/(?:@[^/]+\/)?[^/]+\/tests?\/|Makefile|\.(?:gyp|gypi|mk|o|a|d\.ts|map)$/.test(
        file,
      ),
    );
    expect(leftovers).toEqual([]);
  });

  test('nobody but its owner may write what it installs', () => {
    expect(files.filter((file) => (statSync(join(tree, file)).mode & 0o022) !== 0)).toEqual([]);
  });
});
