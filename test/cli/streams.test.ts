/** What the program prints to goes away or is full: a daemon goes on, a verb says so. Signals before a daemon is ready. */
import { execFileSync, spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Bench, MAIN, newBench } from '../support/cli.ts';
import { init, status } from '../support/scene.ts';

const URL_OF_NOBODY = 'mqtt://127.0.0.1:1';

/** Runs a verb with its stdout at a device that is always full. */
async function intoFull(bench: Bench, args: readonly string[]): Promise<{ status: number | null; stderr: string }> {
  const full = await open('/dev/full', 'w');
  const child = spawn(process.execPath, [MAIN, '--db', bench.db, ...args], { stdio: ['ignore', full.fd, 'pipe'] });
  let stderr = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  await full.close();
  return { status: code, stderr };
}

test('a daemon whose log is on a full disk goes on', async ({ onTestFinished }) => {
  const bench = newBench(onTestFinished);
  await init(bench, URL_OF_NOBODY);
  expect(await intoFull(bench, ['run', '--for', '1'])).toEqual({ status: 0, stderr: '' });
  expect((await status(bench)).daemon).toMatchObject({ running: false });
});

test('what a verb could not print in full is a failure', async ({ onTestFinished }) => {
  const bench = newBench(onTestFinished);
  await init(bench, URL_OF_NOBODY);
  for (const args of [['export'], ['status', '--json']]) {
    const { status: code, stderr } = await intoFull(bench, args);
    expect({ args, code }).toEqual({ args, code: 1 });
    expect(stderr).toMatch(/^OUTPUT_FAILED: .*ENOSPC.*\n {2}fault: config; .*\n$/);
  }
  // Unhealthy stays unhealthy.
  expect(await intoFull(bench, ['health'])).toMatchObject({ status: 2 });
});

test('SIGHUP before the daemon is there to be reloaded does not end it', async ({ onTestFinished }) => {
  const bench = newBench(onTestFinished);
  await init(bench, URL_OF_NOBODY);
  const levels = join(bench.directory, 'levels');
  execFileSync('mkfifo', [levels]);
  const daemon = bench.start(['run', '--for', '1', '--log-levels', levels]);
  // Opens when the daemon opens it to read, and waits for what stands there.
  const file = await open(levels, 'w');
  daemon.child.kill('SIGHUP');
  rmSync(levels);
  writeFileSync(levels, 'error\n');
  await file.writeFile('info\n');
  await file.close();
  const { status: code, stdout } = await daemon.exited;
  // And the levels are those of the file as it is by then.
  expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
});
