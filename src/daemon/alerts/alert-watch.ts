/** What the daemon looks at again and again for its alerts: pure observations from figures that others gather. */
import { METER_ALERTS } from '../../alert/rules.ts';
import type { ErrorCode } from '../../core/error-codes.ts';
import type { LineSnapshot } from '../../line/worker-types.ts';
import { DEFAULT_TARGET_SETTINGS } from '../../store/fleet/target-settings.ts';
import type { Fleet } from '../../store/fleet/types.ts';
import { DROP_RUN_MS, isAtLimit } from '../../store/local/outbox-limits.ts';
import { totalOf } from '../../store/local/outbox-reader.ts';
import type { ConnectionDepth } from '../../store/local/types.ts';
import type { ConnectionStatus } from '../publisher-set.ts';
import type { MeterStatus } from '../status/status-board.ts';
import type { AlertDesk, Observation } from './alert-desk.ts';

export interface Figures {
  /** Milliseconds UTC. */
  readonly now: number;
  readonly fleet: Fleet;
  readonly connections: ReadonlyMap<number, ConnectionStatus>;
  /** Of a meter by its id; undefined where nothing is known. */
  meter(id: number): MeterStatus | undefined;
  line(id: number): Pick<LineSnapshot, 'status'> | undefined;
  readonly outbox: readonly ConnectionDepth[];
  /** Invocation counters of a meter's key, by its id; of meters that have plenty nothing. */
  readonly countersLeft: ReadonlyMap<number, number>;
  /** Why the host's clock is not believed; null when it is. */
  readonly hostClockDoubt: string | null;
  /** Of the last minute; null where there are too few cycles to say. */
  readonly publishRate: number | null;
  /** Octets; null where it cannot be told. */
  readonly freeDisk: number | null;
  /** When this process began, milliseconds UTC. */
  readonly startedAt: number;
}

/** The least time without a reading after which a meter's data is stale. */
const STALE_AT_LEAST_MS = 60_000;
const DAY_MS = 86_400_000;

const STORE_CODES: ReadonlySet<ErrorCode> = new Set([
  'DATABASE_FULL',
  'DATABASE_LOCKED',
  'DATABASE_DENIED',
  'DATABASE_ERROR',
]);

/** One after the other: there may be tens of thousands, and hardly one of them matters. */
export function* observations(figures: Figures): Generator<Observation> {
  const { now, publishRate, freeDisk, hostClockDoubt } = figures;
  const outbox = totalOf(figures.outbox);
  const waitsSeconds = outbox.oldest === null ? 0 : Math.max(0, Math.round((now - outbox.oldest) / 1000));
  yield* targetObservations(figures);
  yield* outboxObservations(figures);
  yield* meterObservations(figures);
  yield* identityObservations(figures);
  yield* deletionObservations(figures);
  yield* lineObservations(figures);
  yield {
    code: 'PUBLISH_RATE_LOW',
    subject: 'daemon',
    value: publishRate,
    detail: () => `of the last cycles only ${((publishRate ?? 0) * 100).toFixed(1)} % are delivered`,
  };
  yield {
    code: 'OUTBOX_GROWING',
    subject: 'daemon',
    value: waitsSeconds,
    detail: () => `${outbox.rows} rows wait, the eldest for ${waitsSeconds} s`,
  };
  yield {
    code: 'READINGS_QUARANTINED',
    subject: 'daemon',
    value: outbox.quarantined,
    detail: () => `${outbox.quarantined} rows are set aside`,
  };
  yield {
    code: 'DISK_LOW',
    subject: 'daemon',
    value: freeDisk,
    detail: () => `${Math.round((freeDisk ?? 0) / 1e6)} MB are free where the database lies`,
  };
  yield {
    code: 'HOST_CLOCK_DOUBTED',
    subject: 'daemon',
    value: hostClockDoubt !== null,
    detail: () => `the host's clock is not believed: ${hostClockDoubt}`,
  };
}

function* targetObservations({ fleet, connections, now }: Figures): Generator<Observation> {
  const names = connectionNames(fleet);
  for (const { id, retired } of fleet.connections) {
    const status = connections.get(id);
    if (status === undefined || retired) continue;
    const subject = names.get(id) ?? '';
    const { lastError, state, conflict, clientId, certificateExpires } = status;
    const refused = lastError?.code === 'MQTT_CREDENTIALS' && state !== 'connected';
    const detail = (): string => lastError?.message ?? 'no connection yet';
    yield {
      code: 'TOKEN_CONFLICT',
      subject,
      value: conflict,
      detail: () => conflictDetail(clientId, lastError?.message ?? 'known from before'),
    };
    yield { code: 'CREDENTIALS_REFUSED', subject, value: refused, detail };
    yield { code: 'TARGET_UNREACHABLE', subject, value: state !== 'connected' && !conflict && !refused, detail };
    const expires = certificateExpires === null ? null : Date.parse(certificateExpires);
    yield {
      code: 'CERTIFICATE_EXPIRING',
      subject,
      // Without a session it is not known whether there is a certificate at all.
      value: expires === null ? (state === 'connected' ? Number.POSITIVE_INFINITY : null) : (expires - now) / DAY_MS,
      detail: () => `a certificate, the server's or ours, expires on ${certificateExpires}`,
    };
  }
}

function* outboxObservations({ fleet, outbox, now }: Figures): Generator<Observation> {
  const names = connectionNames(fleet);
  const targets = new Map(fleet.targets.map((target) => [target.id, target]));
  const targetIds = new Map(fleet.connections.map(({ id, targetId }) => [id, targetId]));
  for (const depth of outbox) {
    const { connectionId, drops } = depth;
    const subject = names.get(connectionId);
    const target = targets.get(targetIds.get(connectionId) ?? 0);
    if (subject === undefined || target === undefined) continue;
    const { settings = DEFAULT_TARGET_SETTINGS } = target;
    yield {
      code: 'OUTBOX_FULL',
      subject,
      value: settings.outboxPolicy === 'refuse-polls' && isAtLimit(settings, depth, now),
      detail: () => `polls wait: ${depth.rows} rows (${depth.bytes} octets) are at the limit that was set`,
    };
    yield {
      code: 'OUTBOX_DROPPED',
      subject,
      value: drops !== null && now - drops.last <= DROP_RUN_MS ? drops.rows : 0,
      detail: () => `${drops?.rows} rows were dropped since ${isoOf(drops?.since)}`,
    };
  }
}

export function conflictDetail(clientId: string, evidence: string): string {
  return `another client uses the access token (our client ID is ${clientId}): ${evidence}`;
}

/** Connections by id: a target by its name; of a meter's own connection with the meter behind it. */
export function connectionNames({ connections, targets, meters }: Fleet): ReadonlyMap<number, string> {
  const targetNames = new Map(targets.map(({ id, name }) => [id, name]));
  const meterNames = new Map(meters.map(({ id, name }) => [id, name]));
  return new Map(
    connections.map(({ id, targetId, meterId }) => {
      const target = targetNames.get(targetId) ?? `connection ${id}`;
      const meter = meterId === null ? undefined : meterNames.get(meterId);
      return [id, meter === undefined ? target : `${target}/${meter}`];
    }),
  );
}

function* meterObservations({ fleet, meter, now, startedAt }: Figures): Generator<Observation> {
  const fastest = fastestIntervals(fleet);
  for (const { id, name, enabled } of fleet.meters) {
    const status = meter(id);
    const interval = fastest.get(id);
    if (status === undefined || interval === undefined) continue;
    const left = !enabled || status.connection?.suspendedBy === 'operator';
    const since = Math.max(status.lastReadingAt ?? 0, startedAt);
    const staleAfter = Math.max(fleet.settings.alertStaleIntervals * interval, STALE_AT_LEAST_MS);
    const unstored = status.error !== null && STORE_CODES.has(status.error.code);
    const fails = status.state === 'error' || status.state === 'suspended';
    const detail = (): string => status.error?.message ?? 'it does not answer';
    yield { code: 'METER_OFFLINE', subject: name, value: !left && fails && !unstored, detail };
    yield {
      code: 'DATA_STALE',
      subject: name,
      value: !left && now - since > staleAfter,
      detail: () => `nothing was read for ${Math.round((now - since) / 1000)} s`,
    };
    yield { code: 'DATABASE_REFUSES', subject: name, value: unstored, detail };
  }
}

function* identityObservations({ fleet, meter, countersLeft }: Figures): Generator<Observation> {
  for (const { id, name, enabled } of fleet.meters) {
    const left = countersLeft.get(id) ?? Number.POSITIVE_INFINITY;
    yield {
      code: 'KEY_COUNTER_NEAR_END',
      subject: name,
      value: left,
      detail: () => `its block cipher key has ${left} invocation counters left`,
    };
    const status = meter(id);
    if (status === undefined) continue;
    const stranger = (enabled && status.identity?.stranger) || null;
    const { seconds = 0, isOff = false } = status.clockDrift ?? {};
    yield {
      code: 'METER_STRANGER',
      subject: name,
      value: stranger !== null,
      detail: () => {
        const names = [stranger?.logicalDeviceName, stranger?.serialNumber].filter(Boolean).join(', serial number ');
        return `${names} answers in its place`;
      },
    };
    yield {
      code: 'METER_CLOCK_OFF',
      subject: name,
      value: enabled && isOff,
      detail: () => `its clock is off by ${seconds} s`,
    };
  }
}

function* deletionObservations({ fleet }: Figures): Generator<Observation> {
  for (const { name, deletedFrom } of fleet.meters) {
    yield {
      code: 'DEVICE_DELETED',
      subject: name,
      value: deletedFrom !== null,
      detail: () => `${connectionNames(fleet).get(deletedFrom ?? 0)} deleted the device; the meter is suspended`,
    };
  }
}

/** Milliseconds of each meter's most frequent group. */
function fastestIntervals({ groups }: Fleet): Map<number, number> {
  const fastest = new Map<number, number>();
  for (const { meterId, intervalMs } of groups) {
    fastest.set(meterId, Math.min(fastest.get(meterId) ?? Number.POSITIVE_INFINITY, intervalMs));
  }
  return fastest;
}

function* lineObservations({ fleet, line }: Figures): Generator<Observation> {
  for (const { id, link } of fleet.lines) {
    const known = line(id);
    if (known === undefined) continue;
    yield {
      code: 'LINE_DOWN',
      subject: link,
      value: known.status === 'down',
      detail: () => `${link} cannot be opened`,
    };
  }
}

/** Alerts about what is configured no more are over. */
export function forgetGone(desk: AlertDesk, fleet: Fleet): void {
  const names = connectionNames(fleet);
  const connections = fleet.connections.filter(({ retired }) => !retired);
  desk.keepOnly(
    ['TOKEN_CONFLICT', 'CREDENTIALS_REFUSED', 'TARGET_UNREACHABLE', 'CERTIFICATE_EXPIRING'],
    new Set(connections.map(({ id }) => names.get(id) ?? '')),
  );
  desk.keepOnly(METER_ALERTS, new Set(fleet.meters.map(({ name }) => name)));
  // What waits for a retired connection counts as well.
  desk.keepOnly(['OUTBOX_FULL', 'OUTBOX_DROPPED'], new Set(names.values()));
  desk.keepOnly(['LINE_DOWN'], new Set(fleet.lines.map(({ link }) => link)));
}

function isoOf(ms: number | undefined): string {
  return ms === undefined ? '-' : new Date(ms).toISOString();
}
