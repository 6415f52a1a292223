/** `health`: is the whole well, from the database and the host, with or without a daemon. 0 healthy, 1 degraded, 2 not. */
import { readFileSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Command } from 'commander';
import pc from 'picocolors';
import { asBridgeError, fail } from '../../core/errors.ts';
import type { JsonValue } from '../../core/json.ts';
import { assessHealth, type HealthReport, unreadableHealth } from '../../daemon/status/health.ts';
import type { HealthCheck, HealthFacts } from '../../daemon/status/health-checks.ts';
import { systemClock } from '../../runtime/clock.ts';
import { listBackups } from '../../store/backup/backup.ts';
import { backupDirectoryOf } from '../../store/backup/names.ts';
import { daemonRuns } from '../../store/daemon-lock.ts';
import { openDatabase } from '../../store/database.ts';
import { type FleetOutline, loadOutline } from '../../store/fleet/outline.ts';
import { loadAlerts, type StoredAlert } from '../../store/local/alerts.ts';
import { createOutboxReader } from '../../store/local/outbox-reader.ts';
import { loadStatus } from '../../store/local/status.ts';
import { type Context, HEALTH_USAGE, verb } from '../context.ts';
import { rivalsBeside } from '../rivals.ts';
import { printable } from '../views/printable.ts';

const EXIT_STATUS = { healthy: 0, degraded: 1, unhealthy: 2 } as const;

export function registerHealth(program: Command): void {
  program
    .command('health')
    .description('whether all is well: exit status 0 healthy, 1 degraded, 2 unhealthy')
    .option('--quiet', 'only what is not well')
    .option('--checks <file>', 'more checks, a line each: name, status, detail and hint between tabs; - for stdin')
    .action(verb(health, { usageStatus: HEALTH_USAGE }));
}

async function health(context: Context, command: Command): Promise<number> {
  const { quiet, checks: file } = command.opts<{ quiet?: boolean; checks?: string }>();
  const more = file === undefined ? [] : checksIn(file);
  const report = await reportOn(context.databasePath, more);
  context.print(report as unknown as JsonValue, () => text(report, quiet === true));
  return EXIT_STATUS[report.status];
}

/** A database that cannot be read is a finding, not a failure of the look. */
async function reportOn(databasePath: string, more: readonly HealthCheck[]): Promise<HealthReport> {
  try {
    return assessHealth(await factsOf(databasePath), more);
  } catch (thrown) {
    return unreadableHealth(asBridgeError(thrown).report(), more);
  }
}

async function factsOf(databasePath: string): Promise<HealthFacts> {
  const running = daemonRuns(databasePath);
  const database = openDatabase(databasePath, { readonly: true });
  try {
    const fleet = loadOutline(database);
    const stored = loadStatus(database);
    const under = <T>(kind: string): Map<number, T> =>
      new Map(
        [...stored].flatMap(([subject, { json }]) => {
          const id = new RegExp(`^${kind}:(\\d+)$`).exec(subject)?.[1];
          return id === undefined ? [] : [[Number(id), JSON.parse(json) as T] as const];
        }),
      );
    const daemon = stored.get('daemon');
    const facts = {
      now: systemClock.now(),
      running,
      fleet,
      daemon: daemon === undefined ? null : { ...JSON.parse(daemon.json), updatedAt: daemon.updatedAt },
      meters: under('meter'),
      lines: under('line'),
      connections: under<NonNullable<ReturnType<HealthFacts['connections']['get']>>>('connection'),
      outbox: createOutboxReader(database).depth(),
      disk: diskOf(database.path),
      backupAt: listBackups(backupDirectoryOf(database.path))[0]?.takenAt ?? null,
      repaired: loadAlerts(database).find(isUnnotedRepair)?.detail ?? null,
    } satisfies Omit<HealthFacts, 'rivals'>;
    return { ...facts, rivals: await rivalsOf(fleet, facts) };
  } finally {
    database.close();
  }
}

function isUnnotedRepair({ code, cleared, acknowledged }: StoredAlert): boolean {
  return code === 'DATABASE_REPAIRED' && cleared === null && acknowledged === null;
}

function diskOf(path: string): HealthFacts['disk'] {
  const { bavail, blocks, bsize } = statfsSync(dirname(path));
  return { free: bavail * bsize, total: blocks * bsize };
}

/** Others of this host at the brokers of targets in conflict. */
async function rivalsOf(
  { targets, connections }: FleetOutline,
  { connections: known, daemon }: Pick<HealthFacts, 'connections' | 'daemon'>,
): Promise<Map<number, readonly string[]>> {
  const inConflict = targets.filter(({ id }) =>
    connections.some(({ id: connection, targetId }) => targetId === id && known.get(connection)?.conflict === true),
  );
  const found = inConflict.map(async ({ id, url }) => [id, await rivalsBeside(url, daemon?.pid ?? null)] as const);
  return new Map(await Promise.all(found));
}

/** Throws USAGE. */
function checksIn(file: string): readonly HealthCheck[] {
  const lines = textOf(file).split('\n');
  return lines
    .filter((line) => line.trim() !== '')
    .map((line, index) => {
      const [name = '', status = '', detail = '', hint = ''] = line.split('\t');
      if (status !== 'healthy' && status !== 'degraded' && status !== 'unhealthy' && status !== 'unknown') {
        return fail('USAGE', `--checks, line ${index + 1}: "${status}" is no status`);
      }
      return { name, status, detail, hint };
    });
}

function textOf(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (thrown) {
    return fail('USAGE', `--checks ${file} cannot be read: ${asBridgeError(thrown).message}`);
  }
}

function text({ status, checks, performance, errors }: HealthReport, quiet: boolean): string {
  // The script that adds its checks reads what is printed, and knows where it goes.
  const terminal = goesToTerminal();
  const colour = pc.createColors(terminal);
  const paint = { healthy: colour.green, degraded: colour.yellow, unhealthy: colour.red, unknown: colour.dim } as const;
  const symbols = { healthy: '✓', degraded: '!', unhealthy: '✗', unknown: '?' } as const;
  const isShown = (one: HealthCheck): boolean => !quiet || one.status === 'degraded' || one.status === 'unhealthy';
  const lines = checks
    .filter(isShown)
    .flatMap(({ name, status, detail, hint }) => [
      `${priority(status)}${paint[status](terminal ? symbols[status] : status.padEnd(9))} ${name}: ${detail}${quiet && hint !== '' ? ` (${hint})` : ''}`,
      ...(hint === '' || quiet ? [] : [`${' '.repeat(terminal ? 2 : 10)}-> ${hint}`]),
    ]);
  const { cycles, messages, publishRate } = performance;
  const rate = publishRate === null ? '-' : `${(publishRate * 100).toFixed(1)}%`;
  const figures = `Cycles: ${cycles} | MQTT: ${messages} msgs (${rate}) | errors ${errors.total}`;
  const unseen = checks.filter((one) => one.status === 'unknown').map(({ name }) => name);
  const within = unseen.length === 0 ? '' : ` (not known: ${unseen.join(', ')})`;
  const verdict = `${priority(status)}Verdict: ${paint[status](status)}${within}`;
  return printable([...lines, ...(quiet ? [] : ['', figures]), verdict].join('\n'));
}

function goesToTerminal(): boolean {
  return process.stdout.isTTY === true || process.env.FORCE_TERMINAL === '1';
}

/** What journald takes as the priority of a line (sd-daemon(3)). */
function priority(status: HealthCheck['status']): string {
  if (process.env.JOURNAL_STREAM === undefined || goesToTerminal()) return '';
  return { healthy: '<6>', unknown: '<6>', degraded: '<4>', unhealthy: '<3>' }[status];
}
