/** `status`: what the daemon is doing, from the database alone, with or without a daemon. */
import type { Command } from 'commander';
import pc from 'picocolors';
import type { JsonValue } from '../../core/json.ts';
import type { ConnectionStatus } from '../../daemon/publisher-set.ts';
import type { PushStatus } from '../../daemon/push-board.ts';
import type { DaemonStatus, MeterStatus } from '../../daemon/status-board.ts';
import type { DeviceStatistics, DeviceTotals } from '../../line/device-manager.ts';
import type { LineSnapshot } from '../../line/worker-types.ts';
import { systemClock } from '../../runtime/clock.ts';
import { daemonRuns } from '../../store/daemon-lock.ts';
import { type FleetOutline, loadOutline } from '../../store/fleet/outline.ts';
import { loadStatus, type StoredStatus } from '../../store/local/status.ts';
import { type Context, verb } from '../context.ts';
import { outboxReport, outboxText } from '../outbox-report.ts';
import { age, duration, table } from '../table.ts';
import { withReadOnlyDatabase } from '../with-database.ts';

export function registerStatus(program: Command): void {
  program.command('status').description('what the daemon is doing').action(verb(status));
}

function isoOf(ms: number | null | undefined): string | null {
  return ms === null || ms === undefined ? null : new Date(ms).toISOString();
}

/** The stored JSON of a subject; undefined before the daemon first wrote it. */
function of<T>(stored: ReadonlyMap<string, StoredStatus>, subject: string): T | undefined {
  const entry = stored.get(subject);
  return entry === undefined ? undefined : (JSON.parse(entry.json) as T);
}

function status(context: Context): undefined {
  const running = daemonRuns(context.databasePath);
  const { fleet, stored, outbox } = withReadOnlyDatabase(context, (database) => ({
    fleet: loadOutline(database),
    stored: loadStatus(database),
    outbox: outboxReport(database),
  }));
  const report = {
    daemon: daemonReport(running, stored),
    meters: metersReport(fleet, stored, running),
    lines: linesReport(fleet, stored, running),
    devices: devicesReport(stored),
    targets: targetsReport(fleet, stored),
    outbox,
  };
  context.print(report as unknown as JsonValue, () => text(report));
  return undefined;
}

function daemonReport(running: boolean, stored: ReadonlyMap<string, StoredStatus>) {
  const daemon = of<DaemonStatus>(stored, 'daemon');
  return {
    running,
    pid: running ? (daemon?.pid ?? null) : null,
    startedAt: isoOf(daemon?.startedAt),
    updatedAt: isoOf(stored.get('daemon')?.updatedAt),
    cycles: daemon?.cycles ?? 0,
    readings: daemon?.readings ?? 0,
    messages: daemon?.messages ?? 0,
    publishRate: daemon?.publishRate ?? null,
    late: daemon?.late ?? 0,
    errors: daemon?.errors ?? 0,
    lastError: daemon?.lastError ?? null,
    avgPollMs: daemon?.avgPollMs ?? null,
    p95PollMs: daemon?.p95PollMs ?? null,
    p99PollMs: daemon?.p99PollMs ?? null,
    restartRequired: daemon?.restartRequired ?? [],
  };
}

function metersReport(fleet: FleetOutline, stored: ReadonlyMap<string, StoredStatus>, running: boolean) {
  return fleet.meters.map((meter) => {
    const known = of<MeterStatus>(stored, `meter:${meter.id}`);
    return {
      name: meter.name,
      state: meterState(meter, running, known),
      line: fleet.lines.find(({ id }) => id === meter.lineId)?.link ?? null,
      lastReading: isoOf(known?.lastReadingAt),
      lastCycleMs: known?.lastCycleMs ?? null,
      roundTrips: known?.roundTrips ?? null,
      cycles: known?.cycles ?? 0,
      failures: known?.failures ?? 0,
      late: known?.late ?? 0,
      error: known?.error ?? null,
      pointErrors: (known?.pointErrors ?? []).map((point) => ({ ...point, skippedUntil: isoOf(point.skippedUntil) })),
      identity: known?.identity?.pinned ?? null,
      stranger: known?.identity?.stranger ?? null,
      clockDriftSeconds: known?.clockDrift?.seconds ?? null,
      clockIsOff: known?.clockDrift?.isOff ?? false,
      profiles: Object.entries(known?.profiles ?? {}).map(([obis, profile]) => ({
        obis,
        ...profile,
        upTo: isoOf(profile.upTo),
      })),
      connection: connectionOf(known?.connection ?? null),
      values: known?.values ?? {},
      push: pushOf(known?.push ?? null),
    };
  });
}

function pushOf(push: PushStatus | null) {
  return push === null ? null : { ...push, lastAt: isoOf(push.lastAt) };
}

/** Statistics of how a meter or line is reached, in the shape that both reports have. */
function connectionOf(known: (DeviceStatistics & { readonly nextAttemptAt: number | null }) | null) {
  return {
    suspendedBy: known?.suspendedBy ?? null,
    connections: known?.connections ?? 0,
    reconnections: known?.reconnections ?? 0,
    errors: known?.errors ?? 0,
    averageUptimeSeconds: secondsOf(known?.averageUptimeMs),
    lastSeen: isoOf(known?.lastSeen),
    nextAttempt: isoOf(known?.nextAttemptAt),
  };
}

function secondsOf(ms: number | null | undefined): number | null {
  return ms === null || ms === undefined ? null : Math.round(ms / 1000);
}

function devicesOf(totals: DeviceTotals | undefined) {
  const { averageUptimeMs, lastSeen, ...counts } = totals ?? NO_DEVICES;
  return { ...counts, averageUptimeSeconds: secondsOf(averageUptimeMs), lastSeen: isoOf(lastSeen) };
}

const NO_DEVICES: DeviceTotals = {
  total: 0,
  connected: 0,
  connecting: 0,
  disconnected: 0,
  error: 0,
  suspended: 0,
  connections: 0,
  reconnections: 0,
  errors: 0,
  averageUptimeMs: null,
  lastSeen: null,
};

/** A meter whose daemon does not run is not talked to; what it failed with last still says how it is. */
function meterState(meter: FleetOutline['meters'][number], running: boolean, known: MeterStatus | undefined): string {
  if (!meter.enabled) return 'disabled';
  if (meter.suspended) return 'suspended';
  if (known === undefined) return 'disconnected';
  return running || known.state === 'error' || known.state === 'suspended' ? known.state : 'disconnected';
}

function linesReport(fleet: FleetOutline, stored: ReadonlyMap<string, StoredStatus>, running: boolean) {
  return fleet.lines.map(({ id, link }) => {
    const known = of<LineSnapshot>(stored, `line:${id}`);
    return {
      line: link,
      status: known?.status ?? 'idle',
      state: running ? (known?.state ?? 'disconnected') : 'disconnected',
      queued: known?.queued ?? 0,
      completed: known?.completed ?? 0,
      failed: known?.failed ?? 0,
      avgMs: known?.avgMs ?? 0,
      inbound: known?.inbound ?? null,
      ...connectionOf(known ?? null),
    };
  });
}

function targetsReport(fleet: FleetOutline, stored: ReadonlyMap<string, StoredStatus>) {
  return fleet.targets.map((target) => {
    const connections = fleet.connections
      .filter(({ targetId }) => targetId === target.id)
      .map((connection) => connectionReport(fleet, stored, connection));
    const { name, url, mode, protocol } = target;
    return { name, url, mode, protocol, ...wholeTarget(connections), connections };
  });
}

function connectionReport(
  fleet: FleetOutline,
  stored: ReadonlyMap<string, StoredStatus>,
  connection: FleetOutline['connections'][number],
) {
  const known = of<ConnectionStatus>(stored, `connection:${connection.id}`);
  return {
    meter: fleet.meters.find(({ id }) => id === connection.meterId)?.name ?? null,
    retired: connection.retired,
    state: known?.state ?? 'disconnected',
    clientId: known?.clientId ?? null,
    conflict: known?.conflict ?? false,
    messages: known?.messages ?? 0,
    rows: known?.rows ?? 0,
    pending: known?.pending ?? 0,
    connectedSince: isoOf(known?.connectedSince),
    certificateExpires: known?.certificateExpires ?? null,
    error: known?.lastError ?? null,
  };
}

/** A target is as well as the worst of its connections; its client ID is that of the bridge's own. */
function wholeTarget(connections: readonly ReturnType<typeof connectionReport>[]) {
  const worst = connections.find(({ state }) => state !== 'connected');
  const bridge = connections.find(({ meter, retired }) => meter === null && !retired);
  return {
    state: worst?.state ?? 'connected',
    clientId: bridge?.clientId ?? null,
    conflict: connections.some(({ conflict }) => conflict),
  };
}

function devicesReport(stored: ReadonlyMap<string, StoredStatus>) {
  const devices = of<DaemonStatus>(stored, 'daemon')?.devices;
  return { meters: devicesOf(devices?.meters), lines: devicesOf(devices?.lines) };
}

interface Report {
  readonly daemon: ReturnType<typeof daemonReport>;
  readonly meters: ReturnType<typeof metersReport>;
  readonly lines: ReturnType<typeof linesReport>;
  readonly devices: ReturnType<typeof devicesReport>;
  readonly targets: ReturnType<typeof targetsReport>;
  readonly outbox: ReturnType<typeof outboxReport>;
}

function text({ daemon, meters, lines, devices, targets, outbox }: Report): string {
  const colour = pc.createColors(process.stdout.isTTY === true);
  const now = systemClock.now();
  const ageOf = (iso: string | null): string => age(iso === null ? null : Date.parse(iso), now);
  const rate = daemon.publishRate === null ? '-' : `${(daemon.publishRate * 100).toFixed(1)}%`;
  const head = daemon.running
    ? colour.green(`Daemon runs (pid ${daemon.pid}), figures of ${ageOf(daemon.updatedAt)}`)
    : colour.yellow(`No daemon runs; figures of ${ageOf(daemon.updatedAt)}`);
  return [
    head,
    `Cycles: ${daemon.cycles} | MQTT: ${daemon.messages} msgs (${rate}) | late ${daemon.late} | errors ${daemon.errors}${daemon.lastError === null ? '' : ` (last ${daemon.lastError.code})`}`,
    deviceLine('Meters', devices.meters),
    deviceLine('Lines', devices.lines),
    '',
    table(
      ['METER', 'STATE', 'LAST READING', 'CYCLES', 'FAILED', 'PUSHES', 'CONNECTED', 'UP', 'NEXT TRY', 'ERROR'],
      meters.map((meter) => [
        meter.name,
        meter.state === 'error' ? colour.red(meter.state) : meter.state,
        ageOf(meter.lastReading),
        String(meter.cycles),
        String(meter.failures),
        pushText(meter.push),
        `${meter.connection.connections}x`,
        duration(meter.connection.averageUptimeSeconds),
        meter.connection.suspendedBy === 'operator' || meter.state === 'suspended'
          ? `${until(meter.connection.nextAttempt, now)} (${meter.connection.suspendedBy ?? 'operator'})`
          : until(meter.connection.nextAttempt, now),
        troubles(meter),
      ]),
    ),
    '',
    table(
      ['LINE', 'STATUS', 'STATE', 'QUEUED', 'DONE', 'FAILED', 'AVG', 'OPENED', 'NEXT TRY'],
      lines.map((line) => [
        line.line,
        line.status,
        line.state,
        String(line.queued),
        String(line.completed),
        String(line.failed),
        `${line.avgMs} ms`,
        `${line.connections}x`,
        until(line.nextAttempt, now),
      ]),
    ),
    '',
    table(
      ['TARGET', 'CONNECTION', 'STATE', 'CLIENT ID', 'ROWS', 'WAITING', 'ERROR'],
      targets.flatMap(({ name, connections }) =>
        connections.map((connection) => [
          name,
          connection.meter ?? (connection.retired ? 'retired' : 'bridge'),
          connection.conflict ? colour.red('CONFLICT') : connection.state,
          connection.clientId ?? '-',
          String(connection.rows),
          String(connection.pending),
          isSettled(connection, now) ? '' : (connection.error?.code ?? ''),
        ]),
      ),
    ),
    '',
    outboxText(outbox),
  ].join('\n');
}

function troubles(meter: Report['meters'][number]): string {
  const { stranger, error, pointErrors, clockIsOff, clockDriftSeconds, profiles } = meter;
  return [
    stranger === null ? undefined : 'STRANGER',
    error?.code,
    ...pointErrors.map(({ key, code }) => `${key}: ${code}`),
    ...profiles.flatMap(({ obis, error: failed }) => (failed === null ? [] : [`${obis}: ${failed.code}`])),
    clockIsOff ? `clock off by ${clockDriftSeconds} s` : undefined,
  ]
    .filter(Boolean)
    .join(', ');
}

function pushText(push: ReturnType<typeof pushOf>): string {
  if (push === null) return '-';
  const { stored, unmapped, refused } = push;
  return [String(stored), unmapped > 0 && `${unmapped} without key`, refused > 0 && `${refused} refused`]
    .filter(Boolean)
    .join(', ');
}

function deviceLine(what: string, totals: ReturnType<typeof devicesOf>): string {
  const { total, connected, disconnected, connecting, error, suspended, reconnections, errors } = totals;
  return `${what}: ${total} | connected ${connected} | disconnected ${disconnected + connecting} | error ${error} | suspended ${suspended} | reconnections ${reconnections} | errors ${errors} | mean uptime ${duration(totals.averageUptimeSeconds)}`;
}

/** `in 3 min`, `-` for nothing in the way. */
function until(iso: string | null, now: number): string {
  const seconds = iso === null ? 0 : Math.round((Date.parse(iso) - now) / 1000);
  return seconds <= 0 ? '-' : `in ${duration(seconds)}`;
}

/** A session that stands for a while shows that what ended the last one is over. */
const SETTLED_AFTER_MS = 60_000;

function isSettled({ state, connectedSince }: { state: string; connectedSince: string | null }, now: number): boolean {
  return state === 'connected' && connectedSince !== null && now - Date.parse(connectedSince) > SETTLED_AFTER_MS;
}
