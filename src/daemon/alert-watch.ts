/** What the daemon looks at again and again for its alerts: pure observations from figures that others gather. */
import type { ErrorCode } from '../core/error-codes.ts';
import type { LineSnapshot } from '../line/worker-types.ts';
import type { Fleet } from '../store/fleet/types.ts';
import type { OutboxDepth } from '../store/local/types.ts';
import type { AlertDesk, Observation } from './alert-desk.ts';
import type { ConnectionStatus } from './publisher-set.ts';
import type { MeterStatus } from './status-board.ts';

export interface Figures {
  /** Milliseconds UTC. */
  readonly now: number;
  readonly fleet: Fleet;
  readonly connections: ReadonlyMap<number, ConnectionStatus>;
  readonly meters: ReadonlyMap<number, MeterStatus>;
  readonly lines: ReadonlyMap<number, LineSnapshot>;
  readonly outbox: OutboxDepth;
  /** Of the last minute; null where there are too few cycles to say. */
  readonly publishRate: number | null;
  /** Octets; null where it cannot be told. */
  readonly freeDisk: number | null;
  /** When this process began, milliseconds UTC. */
  readonly startedAt: number;
}

/** Intervals of its most frequent group without a reading, and the least time, after which a meter's data is stale. */
const STALE_INTERVALS = 5;
const STALE_AT_LEAST_MS = 60_000;

const STORE_CODES: ReadonlySet<ErrorCode> = new Set([
  'DATABASE_FULL',
  'DATABASE_LOCKED',
  'DATABASE_DENIED',
  'DATABASE_ERROR',
]);

export function observations(figures: Figures): Observation[] {
  const { outbox, now, publishRate, freeDisk } = figures;
  const waitsSeconds = outbox.oldest === null ? 0 : Math.max(0, Math.round((now - outbox.oldest) / 1000));
  return [
    ...targetObservations(figures),
    ...meterObservations(figures),
    ...identityObservations(figures),
    ...lineObservations(figures),
    {
      code: 'PUBLISH_RATE_LOW',
      subject: 'daemon',
      value: publishRate,
      detail: `of the last cycles only ${((publishRate ?? 0) * 100).toFixed(1)} % are delivered`,
    },
    {
      code: 'OUTBOX_GROWING',
      subject: 'daemon',
      value: waitsSeconds,
      detail: `${outbox.rows} rows wait, the eldest for ${waitsSeconds} s`,
    },
    {
      code: 'READINGS_QUARANTINED',
      subject: 'daemon',
      value: outbox.quarantined,
      detail: `${outbox.quarantined} rows are set aside`,
    },
    {
      code: 'DISK_LOW',
      subject: 'daemon',
      value: freeDisk,
      detail: `${Math.round((freeDisk ?? 0) / 1e6)} MB are free where the database lies`,
    },
  ];
}

function targetObservations({ fleet, connections }: Figures): Observation[] {
  return fleet.connections.flatMap(({ id, retired }) => {
    const status = connections.get(id);
    if (status === undefined || retired) return [];
    const subject = connectionName(fleet, id);
    const { lastError, state, conflict, clientId } = status;
    const refused = lastError?.code === 'MQTT_CREDENTIALS' && state !== 'connected';
    return [
      {
        code: 'TOKEN_CONFLICT',
        subject,
        value: conflict,
        detail: `another client uses the access token (our client ID is ${clientId}): ${lastError?.message ?? 'known from before'}`,
      },
      { code: 'CREDENTIALS_REFUSED', subject, value: refused, detail: lastError?.message ?? '' },
      {
        code: 'TARGET_UNREACHABLE',
        subject,
        value: state !== 'connected' && !conflict && !refused,
        detail: lastError?.message ?? 'no connection yet',
      },
    ] satisfies Observation[];
  });
}

/** A target by its name; of a meter's own connection with the meter behind it. */
export function connectionName({ connections, targets, meters }: Fleet, connectionId: number): string {
  const connection = connections.find(({ id }) => id === connectionId);
  const target = targets.find(({ id }) => id === connection?.targetId)?.name ?? `connection ${connectionId}`;
  const meter = meters.find(({ id }) => id === connection?.meterId)?.name;
  return meter === undefined ? target : `${target}/${meter}`;
}

function meterObservations({ fleet, meters, now, startedAt }: Figures): Observation[] {
  const fastest = new Map<number, number>();
  for (const { meterId, intervalMs } of fleet.groups) {
    fastest.set(meterId, Math.min(fastest.get(meterId) ?? Number.POSITIVE_INFINITY, intervalMs));
  }
  return fleet.meters.flatMap(({ id, name, enabled }) => {
    const status = meters.get(id);
    const interval = fastest.get(id);
    const left = !enabled || status?.connection?.suspendedBy === 'operator';
    if (status === undefined || interval === undefined) return [];
    const since = Math.max(status.lastReadingAt ?? 0, startedAt);
    const staleAfter = Math.max(STALE_INTERVALS * interval, STALE_AT_LEAST_MS);
    const unstored = status.error !== null && STORE_CODES.has(status.error.code);
    return [
      {
        code: 'METER_OFFLINE',
        subject: name,
        value: !left && (status.state === 'error' || status.state === 'suspended') && !unstored,
        detail: status.error?.message ?? 'it does not answer',
      },
      {
        code: 'DATA_STALE',
        subject: name,
        value: !left && now - since > staleAfter,
        detail: `nothing was read for ${Math.round((now - since) / 1000)} s`,
      },
      { code: 'DATABASE_REFUSES', subject: name, value: unstored, detail: status.error?.message ?? '' },
    ] satisfies Observation[];
  });
}

function identityObservations({ fleet, meters }: Figures): Observation[] {
  return fleet.meters.flatMap(({ id, name, enabled }) => {
    const status = meters.get(id);
    if (status === undefined) return [];
    const stranger = (enabled && status.identity?.stranger) || null;
    const names = [stranger?.logicalDeviceName, stranger?.serialNumber].filter(Boolean).join(', serial number ');
    const { seconds = 0, isOff = false } = status.clockDrift ?? {};
    return [
      { code: 'METER_STRANGER', subject: name, value: stranger !== null, detail: `${names} answers in its place` },
      { code: 'METER_CLOCK_OFF', subject: name, value: enabled && isOff, detail: `its clock is off by ${seconds} s` },
    ] satisfies Observation[];
  });
}

function lineObservations({ fleet, lines }: Figures): Observation[] {
  return fleet.lines.flatMap(({ id, link }): Observation[] => {
    const line = lines.get(id);
    if (line === undefined) return [];
    return [{ code: 'LINE_DOWN', subject: link, value: line.status === 'down', detail: `${link} cannot be opened` }];
  });
}

/** Alerts about what is configured no more are over. */
export function forgetGone(desk: AlertDesk, fleet: Fleet): void {
  const connections = fleet.connections.filter(({ retired }) => !retired);
  desk.keepOnly(
    ['TOKEN_CONFLICT', 'CREDENTIALS_REFUSED', 'TARGET_UNREACHABLE'],
    new Set(connections.map(({ id }) => connectionName(fleet, id))),
  );
  desk.keepOnly(
    ['METER_OFFLINE', 'DATA_STALE', 'DATABASE_REFUSES', 'METER_STRANGER', 'METER_CLOCK_OFF'],
    new Set(fleet.meters.map(({ name }) => name)),
  );
  desk.keepOnly(['LINE_DOWN'], new Set(fleet.lines.map(({ link }) => link)));
}
