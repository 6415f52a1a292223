/** A real Mosquitto on a free loopback port, anonymous, that can be killed and restarted. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { until } from './until.ts';

export interface Mosquitto {
  readonly port: number;
  readonly url: string;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port; it has forgotten everything. */
  restart(): Promise<void>;
  /** SIGSTOP: connections are still accepted, by the kernel, and nothing is answered. */
  freeze(): void;
  thaw(): void;
  stop(): Promise<void>;
}

const BINARY = 'mosquitto';

/** Whether Mosquitto is installed. Says so when it is not; under CI that is an error. */
export function mosquittoInstalled(): boolean {
  const installed = spawnSync(BINARY, ['-h']).error === undefined;
  if (installed) return true;
  const message = 'mosquitto is not installed: tests against a real broker are skipped (apt-get install mosquitto)';
  if (process.env.CI === 'true') throw new Error(message);
  console.warn(message);
  return false;
}

export async function startMosquitto(extraConfig = ''): Promise<Mosquitto> {
  const directory = mkdtempSync(join(tmpdir(), 'mosquitto-'));
  const port = await freePort();
  const config = join(directory, 'mosquitto.conf');
  writeFileSync(
    config,
    `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\nmax_queued_messages 0\n${extraConfig}\n`,
  );
  let child: ChildProcess | null = null;

  const kill = async (): Promise<void> => {
    const running = child;
    child = null;
    if (running === null || running.exitCode !== null) return;
    const exited = once(running, 'exit');
    running.kill('SIGKILL');
    await exited;
  };
  const restart = async (): Promise<void> => {
    await kill();
    const started = spawn(BINARY, ['-c', config], { stdio: 'ignore' });
    child = started;
    await listening(port, started);
  };

  await restart();
  return {
    port,
    url: `mqtt://127.0.0.1:${port}`,
    kill,
    restart,
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    async stop() {
      await kill();
      rmSync(directory, { recursive: true });
    },
  };
}

async function listening(port: number, child: ChildProcess): Promise<void> {
  let open = false;
  let trying = false;
  await until('mosquitto listens', () => {
    if (child.exitCode !== null) throw new Error(`mosquitto ended with status ${child.exitCode}`);
    if (open || trying) return open;
    trying = true;
    const probe = connect(port, '127.0.0.1', () => {
      open = true;
      probe.destroy();
    });
    probe.on('error', () => {
      trying = false;
    });
    return false;
  });
}
