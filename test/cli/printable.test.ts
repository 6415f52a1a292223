import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { printable } from '../../src/cli/views/printable.ts';
import { newBench } from '../support/cli.ts';

test.for([
  ['plain text, with\nits lines', 'plain text, with\nits lines'],
  ['\u001b[31mred\u001b[39m', '\u001b[31mred\u001b[39m'],
  ['\u001b[2Jcleared', ' [2Jcleared'],
  ['a\rb\tc\u0000d\u009be\u007f', 'a b c d e '],
  ['casa número 1', 'casa número 1'],
] as const)('%j for a terminal', ([text, shown]) => {
  expect(printable(text)).toBe(shown);
});

test('a name on the command line comes back without what commands a terminal', async ({ onTestFinished }) => {
  const { stderr } = await newBench(onTestFinished).run(['settings', 'set', '\u001b]0;title\u0007x', '1']);
  expect(stderr).toMatch(/^[A-Z_]+: /);
  expect(stderr).not.toMatch(/[^\n -~]/);
});

test('a detail of health has no more than its line, wherever it goes', async ({ onTestFinished }) => {
  const bench = newBench(onTestFinished);
  const checks = join(bench.directory, 'checks');
  writeFileSync(checks, 'holders\tdegraded\tevil\u001b[2J\r\u0001\n');
  const { stdout } = await bench.run(['health', '--checks', checks]);
  expect(stdout).toMatch(/^degraded {2}holders: evil \[2J {2}$/m);
});
