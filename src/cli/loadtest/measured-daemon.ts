/** A daemon in a process of its own, on a database made for it, and what it costs. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { fail } from '../../core/errors.ts';
import type { DaemonStatus } from '../../daemon/status/status-board.ts';
import { DEFAULT_METER_SETTINGS, NO_SECRETS } from '../../dlms/settings.ts';
import { sleep, systemClock } from '../../runtime/clock.ts';
import { initDatabase, openDatabase } from '../../store/database.ts';
import { addMeter } from '../../store/fleet/meters.ts';
import { addTarget } from '../../store/fleet/targets.ts';
import { loadStatus } from '../../store/local/status.ts';
import { DEMO_POINTS } from '../demo/demo-verdict.ts';
import { loadMeterName, type PeersStarted } from './peers.ts';
import { type ProcessFigures, processFigures } from './process-figures.ts';

export interface MeasuredRun {
  /** As the daemon saved it last. */
  readonly status: DaemonStatus;
  /** Once the time was over, before the drain. */
  readonly figures: ProcessFigures;
  /** Every row was delivered. */
  readonly drained: boolean;
}

export interface MeasuredRunOptions {
  readonly databasePath: string;
  readonly peers: PeersStarted;
  readonly token: string;
  readonly intervalMs: number;
  readonly durationMs: number;
  readonly signal: AbortSignal;
}

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));

/** Runs a daemon over the meters for a time, lets it drain, and tells what it did. Throws INTERNAL if it ends before. */
export async function measuredRun(options: MeasuredRunOptions): Promise<MeasuredRun> {
  configure(options);
  const { databasePath, durationMs, signal } = options;
  const daemon = spawn(process.execPath, [MAIN, '--db', databasePath, '--log-level', 'error', 'run'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const exited = once(daemon, 'exit') as Promise<[number | null]>;
  try {
    await Promise.race([sleep(systemClock, durationMs, signal), endedEarly(exited)]);
    const figures = processFigures(daemon.pid ?? 0);
    daemon.kill('SIGTERM');
    const [exitCode] = await exited;
    return { status: savedStatus(databasePath), figures, drained: exitCode === 0 };
  } finally {
    await kill(daemon);
  }
}

/** The meters that this daemon reads: all of the peers'. */
function configure({ databasePath, peers, token, intervalMs }: MeasuredRunOptions): void {
  const database = initDatabase(databasePath);
  try {
    addTarget(database, { name: 'double', url: peers.url, token, mode: 'gateway', protocol: '5', caFile: null });
    for (const [index, { host, port, server }] of peers.addresses.entries()) {
      addMeter(database, {
        name: loadMeterName(index),
        link: `tcp://${host}:${port}`,
        // What is compared are the registers alone.
        settings: { ...DEFAULT_METER_SETTINGS, server, clockDrift: false },
        secrets: NO_SECRETS,
        groups: [{ name: 'load', intervalMs, points: DEMO_POINTS }],
      });
    }
  } finally {
    database.close();
  }
}

async function endedEarly(exited: Promise<[number | null]>): Promise<never> {
  const [exitCode] = await exited;
  return fail('INTERNAL', `the daemon ended with ${exitCode ?? 'a signal'} in the middle of the test`);
}

function savedStatus(databasePath: string): DaemonStatus {
  const database = openDatabase(databasePath, { readonly: true });
  try {
    const saved = loadStatus(database).get('daemon') ?? fail('INTERNAL', 'the daemon saved no status');
    return JSON.parse(saved.json) as DaemonStatus;
  } finally {
    database.close();
  }
}

async function kill(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null) return;
  daemon.kill('SIGKILL');
  await once(daemon, 'exit');
}
