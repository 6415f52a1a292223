/** What `status` tells: the daemon, its meters, lines and targets, from the database alone. */
import type { ConnectionStatus } from '../../daemon/publisher-set.ts';
import type { PushStatus } from '../../daemon/status/push-board.ts';
import type { DaemonStatus, MeterStatus } from '../../daemon/status/status-board.ts';
import type { DeviceStatistics, DeviceTotals } from '../../line/device-manager.ts';
import type { LineSnapshot } from '../../line/worker-types.ts';
import { daemonRuns } from '../../store/daemon-lock.ts';
import type { Database } from '../../store/database.ts';
import { type FleetOutline, loadOutline } from '../../store/fleet/outline.ts';
import { loadStatus, type StoredStatus } from '../../store/local/status.ts';
import { outboxReport } from './outbox-report.ts';

export type StatusReport = ReturnType<typeof statusReport>;

/** The document of `status` (CLI.md). */
export function statusReport(database: Database) {
  const running = daemonRuns(database.path);
  const fleet = loadOutline(database);
  const stored = loadStatus(database);
  return {
    daemon: daemonReport(running, stored),
    meters: metersReport(fleet, stored, running),
    lines: linesReport(fleet, stored, running),
    devices: devicesReport(stored),
    targets: targetsReport(fleet, stored),
    outbox: outboxReport(database),
  };
}

function isoOf(ms: number | null | undefined): string | null {
  return ms === null || ms === undefined ? null : new Date(ms).toISOString();
}

/** The stored JSON of a subject; undefined before the daemon first wrote it. */
function of<T>(stored: ReadonlyMap<string, StoredStatus>, subject: string): T | undefined {
  const entry = stored.get(subject);
  return entry === undefined ? undefined : (JSON.parse(entry.json) as T);
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
    recentPublishRate: daemon?.recentPublishRate ?? null,
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
  const links = new Map(fleet.lines.map(({ id, link }) => [id, link]));
  return fleet.meters.map((meter) => {
    const known = of<MeterStatus>(stored, `meter:${meter.id}`);
    return {
      name: meter.name,
      state: meterState(meter, running, known),
      line: links.get(meter.lineId) ?? null,
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
  const meters = new Map(fleet.meters.map(({ id, name }) => [id, name]));
  return fleet.targets.map((target) => {
    const connections = fleet.connections
      .filter(({ targetId }) => targetId === target.id)
      .map((connection) => connectionReport(meters, stored, connection));
    const { name, url, mode, protocol } = target;
    return { name, url, mode, protocol, ...wholeTarget(connections), connections };
  });
}

function connectionReport(
  meters: ReadonlyMap<number, string>,
  stored: ReadonlyMap<string, StoredStatus>,
  connection: FleetOutline['connections'][number],
) {
  const known = of<ConnectionStatus>(stored, `connection:${connection.id}`);
  return {
    meter: meters.get(connection.meterId ?? 0) ?? null,
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
