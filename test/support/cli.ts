/**
 * The real program as users and scripts run it: every verb is a process of the build, with a database of its own.
 * Whatever a test started is killed, process group and all, when the test ends.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from './eventually.ts';

/** This checkout's build; `npm test` makes it first. */
export const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export interface Finished {
  /** Null when a signal ended it. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ErrorDocument {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly layer: string;
    readonly fault: string;
    readonly retryable: boolean;
    readonly hint: string;
  };
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** False leaves `--db` out. */
  readonly db?: boolean;
}

/** One document and nothing else, as `--json` promises; throws otherwise. */
export function documentOf<T>({ stdout, stderr }: Finished): T {
  if (!stdout.endsWith('\n') || stdout.trim() === '') throw new Error(`no document on stdout: "${stdout}", ${stderr}`);
  return JSON.parse(stdout) as T;
}

/** A process of the program. */
export class Running {
  readonly child: ChildProcess;
  readonly exited: Promise<Finished>;
  stdout = '';
  stderr = '';
  private ended = false;

  constructor(args: readonly string[], env: NodeJS.ProcessEnv, cwd: string) {
    // A group of its own, so that what it starts itself (socat) can be ended with it.
    this.child = spawn(process.execPath, [MAIN, ...args], {
      cwd,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    alive.add(this);
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.exited = new Promise((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('close', (status) => {
        this.ended = true;
        alive.delete(this);
        resolve({ status, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  get pid(): number {
    const { pid } = this.child;
    if (pid === undefined) throw new Error('the program was not started');
    return pid;
  }

  get hasEnded(): boolean {
    return this.ended;
  }

  /** The line that tells that it is ready. */
  firstLine(): Promise<string> {
    return eventually('the program prints a line', () => {
      if (this.ended) throw new Error(`the program ended: ${this.stdout}${this.stderr}`);
      const end = this.stdout.indexOf('\n');
      return end < 0 ? null : this.stdout.slice(0, end);
    });
  }

  /** Asks it to stop, as systemd does, and waits until it has. */
  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Finished> {
    if (!this.ended) this.child.kill(signal);
    return this.exited;
  }

  /** kill -9 of the process and everything in its group. */
  async kill(): Promise<void> {
    this.killNow();
    await this.exited;
  }

  killNow(): void {
    try {
      process.kill(-this.pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

const alive = new Set<Running>();
process.once('exit', () => {
  for (const running of alive) running.killNow();
});

/** A directory with a database that is not there yet, and the processes that work on it. */
export class Bench {
  readonly directory = mkdtempSync(join(tmpdir(), 'dlms-cli-'));
  readonly db = join(this.directory, 'dlms.db');
  private readonly processes: Running[] = [];
  private readonly cleanups: (() => Promise<void> | void)[] = [];

  /** Starts a verb that goes on. */
  start(args: readonly string[], { env = {}, cwd = this.directory, db = true }: RunOptions = {}): Running {
    if (!existsSync(MAIN)) throw new Error(`${MAIN} is not there: npm run build`);
    const running = new Running(db ? ['--db', this.db, ...args] : args, { ...CLEAN_ENV, ...env }, cwd);
    this.processes.push(running);
    return running;
  }

  /** Runs a verb to its end. */
  run(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
    return this.start(args, options).exited;
  }

  /** The document of a verb that must succeed. */
  async json<T>(args: readonly string[], options: RunOptions = {}): Promise<T> {
    const finished = await this.run([...args, '--json'], options);
    if (finished.status !== 0) {
      throw new Error(`${args.join(' ')} ended with ${finished.status}: ${finished.stdout}${finished.stderr}`);
    }
    return documentOf<T>(finished);
  }

  /** Exit status and error of a verb that must fail. */
  async failure(
    args: readonly string[],
    options: RunOptions = {},
  ): Promise<ErrorDocument['error'] & { readonly status: number | null }> {
    const finished = await this.run([...args, '--json'], options);
    if (finished.status === 0) throw new Error(`${args.join(' ')} succeeded: ${finished.stdout}`);
    return { status: finished.status, ...documentOf<ErrorDocument>(finished).error };
  }

  /** Has something else of the test undone at its end. */
  atEnd(cleanup: () => Promise<void> | void): void {
    this.cleanups.push(cleanup);
  }

  async dispose(): Promise<void> {
    await Promise.all(this.processes.map((running) => running.kill()));
    for (const cleanup of this.cleanups.reverse()) await cleanup();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Nothing of the developer's own settings reaches the program. */
const CLEAN_ENV: NodeJS.ProcessEnv = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) =>
      !/^(?:DLMS_|NODE_OPTIONS|VITEST|FORCE_COLOR|STATE_DIRECTORY|CREDENTIALS_DIRECTORY|JOURNAL_STREAM)/.test(name),
  ),
);

/** A bench for one test; give it the test's own `onTestFinished`. */
export function newBench(onTestFinished: (cleanup: () => Promise<void>) => void): Bench {
  const bench = new Bench();
  onTestFinished(() => bench.dispose());
  return bench;
}
