/** A pair of pseudo terminals through socat: Node cannot make them itself. What is written into one end comes out of the other. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { BridgeError, fail } from '../core/errors.ts';
import { sleep, systemClock } from '../runtime/clock.ts';

export interface PtyPair {
  /** The end for the user. */
  readonly path: string;
  /** The end for the simulator. */
  readonly otherPath: string;
  stop(): void;
}

const APPEARS_WITHIN_MS = 5000;
const LOOK_EVERY_MS = 20;

/** Starts socat and waits for both ends. Throws UNSUPPORTED without socat, LINE_OPEN_TIMEOUT when the ends do not appear. */
export async function openPtyPair(path: string): Promise<PtyPair> {
  const otherPath = `${path}.meters`;
  const child = spawn('socat', [`pty,raw,echo=0,link=${path}`, `pty,raw,echo=0,link=${otherPath}`], {
    stdio: 'ignore',
  });
  const failed = new Promise<never>((_, reject) => {
    child.once('error', (cause) =>
      reject(
        new BridgeError('UNSUPPORTED', 'socat cannot be run', { layer: 'simulator', hint: 'install socat', cause }),
      ),
    );
    child.once('exit', (code) =>
      reject(new BridgeError('LINE_IO', `socat ended with ${code ?? 'a signal'}`, { layer: 'simulator' })),
    );
  });
  // Whoever waits below hears of a failure; after that socat's end shows on the line itself.
  failed.catch(() => undefined);
  try {
    await Promise.race([failed, bothAppear(path, otherPath)]);
  } catch (error) {
    end(child);
    throw error;
  }
  return { path, otherPath, stop: () => end(child) };
}

async function bothAppear(path: string, otherPath: string): Promise<void> {
  for (let waited = 0; waited < APPEARS_WITHIN_MS; waited += LOOK_EVERY_MS) {
    if (existsSync(path) && existsSync(otherPath)) return;
    await sleep(systemClock, LOOK_EVERY_MS);
  }
  fail('LINE_OPEN_TIMEOUT', `socat did not make ${path}`, { layer: 'simulator' });
}

function end(child: ChildProcess): void {
  child.kill('SIGTERM');
}
