/** A pair of pseudo-terminals, connected like a null modem. Node cannot make them: socat does. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Whether socat is there. In CI it must be: then a missing one fails the tests instead of skipping them. */
export const hasSocat = process.env.CI === 'true' || spawnSync('socat', ['-V'], { stdio: 'ignore' }).status === 0;

export interface PtyPair {
  readonly a: string;
  readonly b: string;
  /** Both ports vanish, as when an adapter is pulled out. */
  unplug(): Promise<void>;
}

export async function ptyPair(): Promise<PtyPair> {
  const directory = mkdtempSync(join(tmpdir(), 'dlms-pty-'));
  const [a, b] = [join(directory, 'a'), join(directory, 'b')];
  const socat = spawn('socat', [`pty,raw,echo=0,link=${a}`, `pty,raw,echo=0,link=${b}`], { stdio: 'ignore' });
  const ended = new Promise<string>((resolve) => {
    socat.once('error', (error) => resolve(error.message));
    socat.once('exit', (code, signal) => resolve(`socat ended: ${code ?? signal}`));
  });
  for (let turn = 0; !(existsSync(a) && existsSync(b)); turn += 1) {
    const failure = await Promise.race([ended, new Promise<null>((resolve) => setTimeout(() => resolve(null), 10))]);
    if (failure !== null || turn > 500) throw new Error(failure ?? 'socat made no ports');
  }
  return { a, b, unplug: () => stop(socat, ended, directory) };
}

async function stop(socat: ChildProcess, ended: Promise<string>, directory: string): Promise<void> {
  socat.kill('SIGTERM');
  await ended;
  rmSync(directory, { recursive: true, force: true });
}
