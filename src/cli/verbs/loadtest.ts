/** `loadtest`: N virtual meters against one daemon, each side in a process of its own, with a report. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { fail } from '../../core/errors.ts';
import type { JsonValue } from '../../core/json.ts';
import { type Context, EXIT, verb } from '../context.ts';
import { parseSeconds, parseWhole } from '../flags/values.ts';
import { type MeasuredRun, measuredRun } from '../loadtest/measured-daemon.ts';
import { forkPeers, type PeersJudged } from '../loadtest/peers.ts';
import { openFilesLimit } from '../loadtest/process-figures.ts';

interface LoadtestFlags {
  readonly meters: string;
  readonly interval: string;
  readonly for: string;
  readonly metersPerPort?: string;
}

interface Load {
  readonly meters: number;
  readonly metersPerPort: number;
  readonly intervalMs: number;
  readonly durationMs: number;
}

/** Of the daemon that the others are compared with, see `rssPerMeterBytes` in CLI.md. */
const BASELINE_METERS = 10;
/** Long enough for each of ten meters to be read and for the heap to settle; a shorter test takes its own time. */
const LONGEST_BASELINE_MS = 10_000;
const BASELINE_INTERVAL_MS = 1000;
/** Files that either side has open beside its sockets. */
const OTHER_FILES = 64;

export function registerLoadtest(program: Command): void {
  program
    .command('loadtest')
    .description('many virtual meters against one daemon, with a report of what it costs')
    .option('--meters <n>', 'how many meters', '1000')
    .option('--interval <seconds>', 'how often each is read', '10')
    .option('--for <seconds>', 'how long', '30')
    .option('--meters-per-port <n>', 'meters that share a port and a socket; by default as few as open files allow')
    .action(verb(loadtest));
}

async function loadtest(context: Context, command: Command): Promise<number> {
  const load = loadOf(command.opts<LoadtestFlags>());
  const baselineMs = Math.min(load.durationMs, LONGEST_BASELINE_MS);
  note(`a daemon with ${BASELINE_METERS} meters for ${baselineMs / 1000} s, to compare with`);
  const baseline = await run(context, {
    meters: BASELINE_METERS,
    metersPerPort: 1,
    intervalMs: BASELINE_INTERVAL_MS,
    durationMs: baselineMs,
  });
  const shared = load.metersPerPort === 1 ? '' : `, ${load.metersPerPort} behind each port`;
  note(`${load.meters} meters every ${load.intervalMs / 1000} s for ${load.durationMs / 1000} s${shared}`);
  const loaded = await run(context, load);
  const report = reportOf(load, loaded, baseline);
  context.print(report, () => reportText(report));
  return loaded.measured.drained && loaded.verdict.lost === 0 ? EXIT.done : EXIT.failed;
}

/** Progress, and what the user should know, beside the report. */
function note(text: string): void {
  process.stderr.write(`loadtest: ${text}\n`);
}

function loadOf({ meters: count, interval, for: duration, metersPerPort }: LoadtestFlags): Load {
  const meters = parseWhole('--meters', count, 1, 100_000);
  const limit = openFilesLimit();
  const perPort =
    metersPerPort === undefined
      ? smallestShare(meters, limit)
      : parseWhole('--meters-per-port', metersPerPort, 1, 65_535);
  if (filesOpen(meters, perPort) > limit) {
    fail('INVALID_VALUE', `${meters} meters want ${filesOpen(meters, perPort)} open files, the limit is ${limit}`, {
      hint: `raise it (ulimit -n), or give --meters-per-port ${smallestShare(meters, limit)}`,
    });
  }
  if (metersPerPort === undefined && perPort > 1) {
    note(`the limit of ${limit} open files is too low for a socket each: ${perPort} meters share one`);
  }
  return {
    meters,
    metersPerPort: perPort,
    intervalMs: parseSeconds('--interval', interval),
    durationMs: parseSeconds('--for', duration),
  };
}

/** The simulators' side has the more: a listener and a connection for each port. */
function filesOpen(meters: number, metersPerPort: number): number {
  return 2 * Math.ceil(meters / metersPerPort) + OTHER_FILES;
}

function smallestShare(meters: number, limit: number): number {
  let share = 1;
  while (filesOpen(meters, share) > limit && share < meters) share += 1;
  return share;
}

interface Loaded {
  readonly measured: MeasuredRun;
  readonly verdict: PeersJudged;
}

async function run({ signal }: Context, { meters, metersPerPort, intervalMs, durationMs }: Load): Promise<Loaded> {
  const directory = mkdtempSync(join(tmpdir(), 'dlms-loadtest-'));
  const simulators = forkPeers();
  try {
    const token = randomBytes(12).toString('hex');
    const peers = await simulators.start({ meters, metersPerPort, token });
    const databasePath = join(directory, 'dlms.db');
    const measured = await measuredRun({ databasePath, peers, token, intervalMs, durationMs, signal });
    return { measured, verdict: await simulators.judge() };
  } finally {
    simulators.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

type Report = { readonly [field: string]: JsonValue } & {
  readonly meters: number;
  readonly polls: number;
  readonly late: number;
  readonly lost: number;
  readonly rssBytes: number;
  readonly cpuSeconds: number;
};

function reportOf(load: Load, { measured, verdict }: Loaded, baseline: Loaded): Report {
  const { status, figures } = measured;
  const added = load.meters - BASELINE_METERS;
  return {
    meters: load.meters,
    intervalSeconds: load.intervalMs / 1000,
    durationSeconds: load.durationMs / 1000,
    metersPerPort: load.metersPerPort,
    polls: status.cycles,
    late: status.late,
    readings: status.readings,
    published: verdict.published,
    lost: verdict.lost,
    wrong: verdict.wrong,
    duplicates: verdict.duplicates,
    cpuSeconds: figures.cpuSeconds,
    rssBytes: figures.rssBytes,
    rssPerMeterBytes: added <= 0 ? null : Math.round((figures.rssBytes - baseline.measured.figures.rssBytes) / added),
    p50PollMs: status.p50PollMs,
    p99PollMs: status.p99PollMs,
    roundTripsPerPoll: status.roundTripsPerPoll,
  };
}

function reportText({ meters, polls, late, lost, rssBytes, cpuSeconds, ...more }: Report): string {
  return [
    `${meters} meters every ${more.intervalSeconds} s for ${more.durationSeconds} s`,
    `polls ${polls}, late ${late}, ${more.roundTripsPerPoll ?? '-'} round trips each, ${more.p50PollMs ?? '-'} ms (p99 ${more.p99PollMs ?? '-'} ms)`,
    `readings ${more.readings}, published ${more.published}, lost ${lost}, wrong ${more.wrong}, duplicates ${more.duplicates}`,
    `daemon: ${cpuSeconds.toFixed(1)} s CPU, ${(rssBytes / 1e6).toFixed(0)} MB RSS, ${more.rssPerMeterBytes ?? '-'} octets a meter`,
  ].join('\n');
}
