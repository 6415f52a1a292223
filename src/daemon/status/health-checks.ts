/** What is looked at to say whether the whole is well: one function for each check, over facts. Pure. */
import type { LineSnapshot } from '../../line/worker-types.ts';
import type { FleetOutline } from '../../store/fleet/outline.ts';
import type { OutboxDepth } from '../../store/local/types.ts';
import type { ConnectionStatus } from '../publisher-set.ts';
import type { DaemonStatus, MeterStatus } from './status-board.ts';

export type HealthStatus = 'healthy' | 'degraded' | 'unhealthy';

export interface HealthCheck {
  readonly name: string;
  /** `unknown`: it could not be looked at, which does not count. */
  readonly status: HealthStatus | 'unknown';
  readonly detail: string;
  /** What to do; empty where nothing is to be done. */
  readonly hint: string;
}

export interface HealthFacts {
  readonly now: number;
  readonly running: boolean;
  readonly fleet: FleetOutline;
  /** What the daemon said last, and when; null before it first ran. */
  readonly daemon: (DaemonStatus & { readonly updatedAt: number }) | null;
  readonly meters: ReadonlyMap<number, MeterStatus>;
  readonly lines: ReadonlyMap<number, LineSnapshot>;
  readonly connections: ReadonlyMap<number, ConnectionStatus>;
  readonly outbox: OutboxDepth;
  /** Octets free and altogether where the database lies; null where the system does not tell. */
  readonly disk: { readonly free: number; readonly total: number } | null;
  /** When the newest backup beside the database was made; null for none. */
  readonly backupAt: number | null;
  /** What a repair that nobody has taken note of yet did; null for none. */
  readonly repaired: string | null;
  /** Who else is connected to a target's broker, by target; only looked up where there is a conflict. */
  readonly rivals: ReadonlyMap<number, readonly string[]>;
}

/** The daemon writes its status every 2 s. */
const STATUS_STALE_MS = 30_000;
/** So long a daemon has to connect. */
const STARTING_MS = 10_000;
const OUTBOX_DEGRADED_MS = 5 * 60_000;
const OUTBOX_UNHEALTHY_MS = 60 * 60_000;
const RATE_DEGRADED = 0.95;
const RATE_UNHEALTHY = 0.5;
const MEBI = 1 << 20;
/** Below, the outbox cannot take a long outage; and not even the next minutes. */
const DISK_DEGRADED = 512 * MEBI;
const DISK_UNHEALTHY = 64 * MEBI;
/** One is made each day. */
const BACKUP_STALE_MS = 50 * 3_600_000;
/** A reading may be late by some intervals and the time of a back-off. */
const INTERVALS_LATE = 3;
const LATE_GRACE_MS = 60_000;
const NAMES_SHOWN = 5;

/** In the order in which they are shown. */
export function checksOf(facts: HealthFacts): readonly HealthCheck[] {
  return [
    daemonCheck(facts),
    ...facts.fleet.targets.map((target) => targetCheck(facts, target)),
    metersCheck(facts),
    rateCheck(facts),
    outboxCheck(facts),
    diskCheck(facts),
    databaseCheck(facts),
    backupCheck(facts),
    clockCheck(facts),
  ];
}

/** There is no hint where nothing is to be done. */
export function check(name: string, status: HealthCheck['status'], detail: string, hint = ''): HealthCheck {
  return { name, status, detail, hint: status === 'healthy' ? '' : hint };
}

function daemonCheck({ running, daemon, now }: HealthFacts): HealthCheck {
  if (!running) {
    const last = daemon === null ? 'it never ran' : `last heard of ${agoText(now - daemon.updatedAt)}`;
    return check(
      'daemon',
      'unhealthy',
      `no daemon runs; ${last}`,
      'systemctl start dlms-multi-meter, then journalctl -u dlms-multi-meter -p warning',
    );
  }
  const silent = daemon === null ? Number.POSITIVE_INFINITY : now - daemon.updatedAt;
  if (daemon === null || silent > STATUS_STALE_MS) {
    const since = daemon === null ? 'yet' : `since ${agoText(silent)}`;
    return check(
      'daemon',
      'unhealthy',
      `the daemon runs and has said nothing ${since}`,
      'journalctl -u dlms-multi-meter -p warning; systemctl restart dlms-multi-meter',
    );
  }
  return check('daemon', 'healthy', `runs (pid ${daemon.pid}) since ${agoText(now - daemon.startedAt)}`);
}

function targetCheck(
  { fleet, connections, running, rivals, daemon, now }: HealthFacts,
  { id, name, url }: FleetOutline['targets'][number],
): HealthCheck {
  const of = fleet.connections
    .filter(({ targetId, retired }) => targetId === id && !retired)
    .map((connection) => ({ connection, status: connections.get(connection.id) }));
  const title = `target ${name}`;
  if (of.length === 0) return check(title, 'healthy', 'removed; what waits for it is still delivered');
  if (!running) return check(title, 'unknown', 'nothing is connected while no daemon runs');
  const inConflict = of.filter(({ status }) => status?.conflict === true && !isUnreachable(status));
  if (inConflict.length > 0) {
    return check(
      title,
      'degraded',
      `CONFLICT at ${url}: another client uses the same access token; ${connectedToo(rivals.get(id) ?? [])}`,
      'stop the other client, or give it a token of its own; readings are delivered in turns meanwhile',
    );
  }
  const away = of.filter(({ status }) => status?.state !== 'connected');
  if (away.length === 0) return check(title, 'healthy', `${of.length} of ${of.length} connected to ${url}`);
  const error = away.find(({ status }) => status?.lastError)?.status?.lastError;
  if (!error && now - (daemon?.startedAt ?? 0) < STARTING_MS)
    return check(title, 'unknown', 'connecting: just started');
  const why = error ? `${error.code}: ${error.message}` : 'connecting';
  return check(
    title,
    'degraded',
    `${away.length} of ${of.length} not connected to ${url}: ${why}`,
    error?.hint ?? 'it connects by itself; readings wait in the outbox',
  );
}

/** Who may be the other client of a conflict, in a sentence. */
export function connectedToo(rivals: readonly string[]): string {
  return `connected there too: ${rivals.length === 0 ? 'no process of this host that may be seen' : rivals.join(', ')}`;
}

function isUnreachable(status: ConnectionStatus | undefined): boolean {
  return status?.state !== 'connected' && status?.lastError?.code === 'MQTT_UNREACHABLE';
}

function metersCheck({ fleet, meters, now, running, daemon }: HealthFacts): HealthCheck {
  const wanted = fleet.meters.filter(({ enabled, suspended }) => enabled && !suspended);
  if (wanted.length === 0) return check('meters', 'healthy', 'no meter is to be polled');
  if (!running) return check('meters', 'unknown', 'nothing is polled while no daemon runs');
  const bad = wanted.filter(({ id, intervalMs }) => {
    const known = meters.get(id);
    if (known?.state === 'error' || known?.state === 'suspended') return true;
    if (intervalMs === null) return false;
    const since = Math.max(known?.lastReadingAt ?? 0, daemon?.startedAt ?? 0);
    return now - since > INTERVALS_LATE * intervalMs + LATE_GRACE_MS;
  });
  const good = `${wanted.length - bad.length} of ${wanted.length} answer`;
  if (bad.length === 0) return check('meters', 'healthy', good);
  const names = bad.slice(0, NAMES_SHOWN).map(({ id, name }) => {
    const code = meters.get(id)?.error?.code;
    return code === undefined ? `${name} (late)` : `${name} (${code})`;
  });
  const rest = bad.length > names.length ? ` and ${bad.length - names.length} more` : '';
  return check(
    'meters',
    bad.length === wanted.length ? 'unhealthy' : 'degraded',
    `${good}; not: ${names.join(', ')}${rest}`,
    `dlms diagnose ${bad[0]?.name ?? ''}`,
  );
}

function rateCheck({ fleet, connections, daemon, running }: HealthFacts): HealthCheck {
  const rate = running ? (daemon?.publishRate ?? null) : null;
  if (rate === null) return check('publish rate', 'unknown', 'no cycle counts yet');
  // While a broker is away readings wait: for how long is the outbox's to judge.
  const isAway = fleet.connections.some(({ id, retired }) => !retired && isUnreachable(connections.get(id)));
  const low = isAway ? 'degraded' : 'unhealthy';
  const status = rate < RATE_UNHEALTHY ? low : rate < RATE_DEGRADED ? 'degraded' : 'healthy';
  return check(
    'publish rate',
    status,
    `${(rate * 100).toFixed(1)} % of the cycles are delivered`,
    'look at the targets: dlms status; what is not delivered waits in the outbox',
  );
}

function outboxCheck({ outbox: { rows, oldest, quarantined }, now }: HealthFacts): HealthCheck {
  const ageMs = oldest === null ? 0 : Math.max(0, now - oldest);
  const aside = quarantined === 0 ? '' : `; ${quarantined} rows are quarantined`;
  const detail = `${rows === 0 ? 'empty' : `${rows} rows wait, the oldest for ${durationText(ageMs)}`}${aside}`;
  if (ageMs > OUTBOX_UNHEALTHY_MS)
    return check('outbox', 'unhealthy', detail, 'nothing was delivered for long: dlms status, dlms diagnose --target');
  if (ageMs > OUTBOX_DEGRADED_MS)
    return check('outbox', 'degraded', detail, 'delivery is behind: dlms status, dlms diagnose --target');
  if (quarantined > 0)
    return check('outbox', 'degraded', detail, '`dlms outbox list --quarantined` says why each row was set aside');
  return check('outbox', 'healthy', detail);
}

function diskCheck({ disk }: HealthFacts): HealthCheck {
  if (disk === null) return check('disk', 'unknown', 'the system does not tell');
  const status = disk.free < DISK_UNHEALTHY ? 'unhealthy' : disk.free < DISK_DEGRADED ? 'degraded' : 'healthy';
  return check(
    'disk',
    status,
    `${Math.round(disk.free / MEBI)} MiB of ${Math.round(disk.total / MEBI)} MiB free`,
    'make room: a full disk stops the outbox from taking readings',
  );
}

function databaseCheck({ repaired }: HealthFacts): HealthCheck {
  if (repaired === null) return check('database', 'healthy', 'readable');
  const hint =
    'look after the disk (dmesg, smartctl), compare the configuration; then dlms alerts ack DATABASE_REPAIRED';
  return check('database', 'degraded', repaired, hint);
}

/** Who makes no backups is not told to; who did, and does no more, is. */
function backupCheck({ backupAt, now }: HealthFacts): HealthCheck {
  if (backupAt === null) return check('backup', 'unknown', 'none was made', 'dlms backup');
  const status = now - backupAt > BACKUP_STALE_MS ? 'degraded' : 'healthy';
  return check(
    'backup',
    status,
    `the last was made ${agoText(now - backupAt)}`,
    'journalctl -u dlms-backup; dlms backup',
  );
}

/** Of a clock that stepped back the daemon's last words are from the future. */
function clockCheck({ daemon, now }: HealthFacts): HealthCheck {
  const ahead = (daemon?.updatedAt ?? 0) - now;
  if (ahead > STATUS_STALE_MS)
    return check(
      'clock',
      'degraded',
      `the host's clock stepped back by ${durationText(ahead)} or more`,
      'timedatectl; time stamps of readings come from this clock',
    );
  if (now < Date.UTC(2025, 0, 1))
    return check('clock', 'unhealthy', 'the host does not know the time', 'timedatectl set-ntp true');
  return check('clock', 'healthy', new Date(now).toISOString());
}

function agoText(ms: number): string {
  return `${durationText(Math.max(0, ms))} ago`;
}

function durationText(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}
