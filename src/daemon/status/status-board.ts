/**
 * What the daemon is doing, gathered from its events, as others may see it: `status`, the health script, the demo.
 * Kept in the database by subject, so that it can be read while the daemon is down, with the time of the last change.
 */
import { decimalText } from '../../core/decimal.ts';
import type { BridgeError, ErrorReport } from '../../core/errors.ts';
import type { DeviceManager, DeviceStatistics, DeviceTotals } from '../../line/device-manager.ts';
import type { MeterRest } from '../../line/meter-slot.ts';
import type { ConnectionState } from '../../line/states.ts';
import type { CycleCommitted, CycleFailed, PollingEvents, ProfileCommitted } from '../../polling/events.ts';
import type { PointFailure } from '../../polling/point-ledger.ts';
import type { PushEvents, PushStored } from '../../polling/push-events.ts';
import type { Reading, ReadingValue } from '../../reading/reading.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { EventBus } from '../../runtime/events.ts';
import type { KnownIdentity } from '../../store/fleet/identity.ts';
import type { StoredStatus } from '../../store/local/status.ts';
import type { StatusEntry } from '../../store/local/types.ts';
import type { ThingsBoardEvents } from '../../thingsboard/events.ts';
import { PollTimes } from './poll-times.ts';
import { PublishRate } from './publish-rate.ts';
import { PushBoard, type PushStatus } from './push-board.ts';

/** How a meter is reached; what of it is kept over a restart, too. */
export interface MeterConnection extends DeviceStatistics, MeterRest {
  /** The generation of the meter that `recovery` speaks of: see `Meter.resumes`. */
  readonly resumes: number;
}

/** JSON of subject `meter:ID`. */
export interface MeterStatus {
  /** As its connection is, and `error` when the last cycle gave nothing. */
  state: ConnectionState;
  connection: MeterConnection | null;
  lastReadingAt: number | null;
  lastCycleMs: number | null;
  roundTrips: number | null;
  cycles: number;
  failures: number;
  late: number;
  error: (ErrorReport & { readonly at: number }) | null;
  pointErrors: readonly {
    readonly key: string;
    readonly code: string;
    readonly message: string;
    /** Wall clock before which the point is not asked again. */
    readonly skippedUntil: number | null;
  }[];
  /** Who it is, and who answers instead. */
  identity: KnownIdentity | null;
  /** Seconds that its clock is ahead, at the last association that told. */
  clockDrift: { readonly seconds: number; readonly isOff: boolean } | null;
  /** By OBIS code. */
  profiles: Record<string, ProfileStatus>;
  values: Record<string, { readonly value: string; readonly unit: string | null; readonly ts: number }>;
  /** null for a meter that has not pushed. */
  push: PushStatus | null;
}

/** A profile that is followed. */
export interface ProfileStatus {
  /** Capture time of the last row taken. */
  readonly upTo: number | null;
  /** Rows taken by this process. */
  readonly rows: number;
  readonly isBehind: boolean;
  readonly error: (ErrorReport & { readonly at: number }) | null;
}

export interface DaemonFigures {
  readonly cycles: number;
  readonly readings: number;
  /** Messages with their PUBACK. */
  readonly messages: number;
  /** 0 to 1; null while no cycle counts yet. */
  readonly publishRate: number | null;
}

/** JSON of subject `daemon`. */
export interface DaemonStatus {
  readonly pid: number;
  readonly startedAt: number;
  readonly cycles: number;
  readonly readings: number;
  readonly messages: number;
  readonly publishRate: number | null;
  readonly late: number;
  readonly errors: number;
  readonly lastError: ErrorReport | null;
  readonly avgPollMs: number | null;
  readonly p50PollMs: number | null;
  readonly p95PollMs: number | null;
  readonly p99PollMs: number | null;
  /** After each meter's first cycle, in which it is got to know; null before. */
  readonly roundTripsPerPoll: number | null;
  /** Totals over all meters and lines. */
  readonly devices: { readonly meters: DeviceTotals; readonly lines: DeviceTotals };
  /** Of the last minute or more; null while there are too few cycles to say. */
  readonly recentPublishRate: number | null;
  /** Settings that were changed and count from the next start. */
  readonly restartRequired: readonly string[];
}

export class StatusBoard {
  private readonly clock: Clock;
  /** Wall clock. */
  readonly startedAt: number;
  private readonly meters = new Map<number, MeterStatus>();
  private readonly rate = new PublishRate();
  private readonly pollTimes = new PollTimes();
  private readonly changed = new Set<number>();
  /** Meters whose last cycle failed. */
  private readonly failing = new Set<number>();
  private readonly steady = { polls: 0, roundTrips: 0 };
  private readings = 0;
  private late = 0;
  private errors = 0;
  private lastError: ErrorReport | null = null;

  /** `earlier`: what an earlier process knew of the meters; their values go on, their counts begin anew. */
  constructor(
    clock: Clock,
    polling: EventBus<PollingEvents>,
    thingsboard: EventBus<ThingsBoardEvents>,
    devices: DeviceManager,
    pushes: EventBus<PushEvents>,
    earlier: ReadonlyMap<number, MeterStatus>,
  ) {
    this.clock = clock;
    const pushBoard = new PushBoard(pushes, (id) => {
      this.meter(id).push = pushBoard.of(id);
    });
    pushes.on('pushed', (push) => this.onPushed(push));
    this.startedAt = clock.now();
    for (const [id, { lastReadingAt, values, identity, clockDrift }] of earlier)
      this.meters.set(id, { ...FRESH, lastReadingAt, values, identity, clockDrift });
    for (const name of [
      'registered',
      'connecting',
      'connected',
      'disconnected',
      'error',
      'suspended',
      'resumed',
    ] as const)
      devices.events.on(name, ({ kind, id }) => {
        if (kind === 'meter') this.changed.add(id);
      });
    polling.on('committed', (cycle) => this.onCommitted(cycle));
    polling.on('failed', (cycle) => this.onFailed(cycle));
    polling.on('unstored', ({ meterId, error }) => {
      this.count(error);
      this.meter(meterId).error = this.stamped(error);
    });
    polling.on('late', ({ meterId }) => {
      this.late += 1;
      this.meter(meterId).late += 1;
    });
    polling.on('identified', ({ meterId, identity }) => {
      this.meter(meterId).identity = identity;
    });
    polling.on('drift', ({ meterId, driftMs, limitMs, wasSet }) => {
      const isOff = Math.abs(driftMs) > limitMs && !wasSet;
      this.meter(meterId).clockDrift = { seconds: driftMs / 1000, isOff };
    });
    polling.on('profile', (part) => this.onProfile(part));
    polling.on('profileFailed', ({ meterId, obis, error }) => {
      this.count(error);
      this.profile(meterId, obis, { error: this.stamped(error) });
    });
    thingsboard.on('published', ({ cycleId }) => this.rate.deliveredRow(cycleId));
  }

  /** Cycles, readings and publish rate of this process. */
  figures(): {
    readonly cycles: number;
    readonly readings: number;
    readonly publishRate: number | null;
  } {
    const { cycles, rate } = this.rate.counts(this.clock.monotonic());
    return { cycles, readings: this.readings, publishRate: rate };
  }

  daemon(messages: number): Omit<DaemonStatus, 'devices' | 'restartRequired' | 'recentPublishRate'> {
    const { avgMs, p50Ms, p95Ms, p99Ms } = this.pollTimes.summary();
    return {
      pid: process.pid,
      startedAt: this.startedAt,
      ...this.figures(),
      messages,
      late: this.late,
      errors: this.errors,
      lastError: this.lastError,
      avgPollMs: avgMs,
      p50PollMs: p50Ms,
      p95PollMs: p95Ms,
      p99PollMs: p99Ms,
      roundTripsPerPoll:
        this.steady.polls === 0 ? null : Math.round((100 * this.steady.roundTrips) / this.steady.polls) / 100,
    };
  }

  /** Of the last minute or more; null while there are fewer cycles than are `enough` to say. */
  recentPublishRate(enough: number): number | null {
    return this.rate.recent(this.clock.monotonic(), enough);
  }

  /** A meter as it is now; undefined when nothing is known of it. */
  meterStatus(id: number, connectionOf: (meterId: number) => MeterConnection | null): MeterStatus | undefined {
    const meter = this.meters.get(id);
    if (meter === undefined) return undefined;
    const now = { ...meter, connection: connectionOf(id) };
    return { ...now, state: stateOf(now, this.failing.has(id)) };
  }

  /** The meters that changed since the last call; `connectionOf` tells how each of them is reached. */
  takeChangedMeters(connectionOf: (meterId: number) => MeterConnection | null): StatusEntry[] {
    const entries = [...this.changed].map((id) => {
      const meter = this.meter(id);
      meter.connection = connectionOf(id);
      meter.state = stateOf(meter, this.failing.has(id));
      return { subject: `meter:${id}`, json: JSON.stringify(meter) };
    });
    this.changed.clear();
    return entries;
  }

  private onCommitted({
    meterId,
    cycleId,
    connectionIds,
    readings,
    failures,
    skipped,
    pollMs,
    roundTrips,
    createdAt,
  }: CycleCommitted): void {
    if (readings.length > 0) this.rate.committedCycle(cycleId, connectionIds.length, this.clock.monotonic());
    this.pollTimes.add(pollMs);
    this.readings += readings.length;
    const meter = this.meter(meterId);
    if (meter.cycles > 0) {
      this.steady.polls += 1;
      this.steady.roundTrips += roundTrips;
    }
    meter.cycles += 1;
    this.failing.delete(meterId);
    Object.assign(meter, {
      lastReadingAt: createdAt,
      lastCycleMs: Math.round(pollMs),
      roundTrips,
      error: null,
    });
    meter.pointErrors = pointErrors([...failures, ...skipped]);
    for (const reading of readings) meter.values[reading.key] = valueOfReading(reading);
    for (const { error } of failures) this.count(error);
  }

  private onProfile({ meterId, obis, rows, readings, upTo, isBehind }: ProfileCommitted): void {
    this.readings += readings;
    const before = this.meter(meterId).profiles[obis]?.rows ?? 0;
    this.profile(meterId, obis, { upTo, rows: before + rows, isBehind, error: null });
  }

  private profile(meterId: number, obis: string, changes: Partial<ProfileStatus>): void {
    const meter = this.meter(meterId);
    const nothing: ProfileStatus = { upTo: null, rows: 0, isBehind: false, error: null };
    meter.profiles = { ...meter.profiles, [obis]: { ...nothing, ...meter.profiles[obis], ...changes } };
  }

  private onPushed({ meterId, cycleId, connectionIds, readings, receivedAt }: PushStored): void {
    if (readings.length > 0) this.rate.committedCycle(cycleId, connectionIds.length, this.clock.monotonic());
    this.readings += readings.length;
    const meter = this.meter(meterId);
    meter.lastReadingAt = receivedAt;
    for (const reading of readings) meter.values[reading.key] = valueOfReading(reading);
  }

  private onFailed({ meterId, error, failures, skipped }: CycleFailed): void {
    this.count(error);
    const meter = this.meter(meterId);
    meter.failures += 1;
    this.failing.add(meterId);
    Object.assign(meter, { error: this.stamped(error), pointErrors: pointErrors([...failures, ...skipped]) });
  }

  private count(error: BridgeError): void {
    this.errors += 1;
    this.lastError = error.report();
  }

  private stamped(error: BridgeError): ErrorReport & { readonly at: number } {
    return { ...error.report(), at: this.clock.now() };
  }

  private meter(id: number): MeterStatus {
    this.changed.add(id);
    const known = this.meters.get(id);
    if (known !== undefined) return known;
    const fresh: MeterStatus = { ...FRESH, values: {} };
    this.meters.set(id, fresh);
    return fresh;
  }
}

const FRESH: MeterStatus = {
  state: 'disconnected',
  connection: null,
  lastReadingAt: null,
  lastCycleMs: null,
  roundTrips: null,
  cycles: 0,
  failures: 0,
  late: 0,
  error: null,
  pointErrors: [],
  identity: null,
  clockDrift: null,
  profiles: {},
  values: {},
  push: null,
};

/** A meter that answers and gives nothing is in trouble all the same, and one that failed until it has answered again. */
function stateOf({ connection }: MeterStatus, isFailing: boolean): ConnectionState {
  const state = connection?.state ?? 'disconnected';
  return isFailing && state !== 'suspended' ? 'error' : state;
}

/** What an earlier process kept of its meters, by id. */
export function earlierMeters(stored: ReadonlyMap<string, StoredStatus>): Map<number, MeterStatus> {
  const earlier = new Map<number, MeterStatus>();
  for (const [subject, { json }] of stored) {
    const id = /^meter:(\d+)$/.exec(subject)?.[1];
    if (id !== undefined) earlier.set(Number(id), { ...FRESH, ...(JSON.parse(json) as Partial<MeterStatus>) });
  }
  return earlier;
}

function pointErrors(failures: readonly PointFailure[]): MeterStatus['pointErrors'] {
  return failures.map(({ key, error: { code, message }, skippedUntil }) => ({ key, code, message, skippedUntil }));
}

function valueOfReading({ value, unit, ts }: Reading): MeterStatus['values'][string] {
  return { value: textOf(value), unit, ts };
}

function textOf(value: ReadingValue): string {
  return typeof value === 'object' ? decimalText(value) : String(value);
}
