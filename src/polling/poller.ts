/**
 * Polls one meter: when point groups are due it submits one job to the meter's line, turns the answers into readings
 * and commits them. The line is free again at the last received octet; the commit is awaited here, not there.
 */
import { randomUUID } from 'node:crypto';
import { asBridgeError, type BridgeError } from '../core/errors.ts';
import { isDateTimeAttribute } from '../dlms/cosem/date-time-attributes.ts';
import type { LineWorker } from '../line/worker.ts';
import type { Knowledge } from '../meter/knowledge.ts';
import type { PointReference } from '../meter/points.ts';
import type { PointOptions } from '../reading/point-options.ts';
import type { Reading } from '../reading/reading.ts';
import { readingOf } from '../reading/reading-of.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { EventBus } from '../runtime/events.ts';
import type { Logger } from '../runtime/logger.ts';
import { type RetryPolicy, retrying } from '../runtime/retry.ts';
import type { CycleCommit, Writer } from '../store/local/types.ts';
import { ChangeFilter } from './on-change.ts';
import { type PointFailure, PointLedger } from './point-ledger.ts';
import { groupsDueAt, nextDueOfAny, phaseOf } from './schedule.ts';
import { type Noticed, ValueWatch, type WatchedRead } from './watched-read.ts';

export interface PolledPoint extends PointReference {
  readonly key: string;
  /** The defaults when absent. */
  readonly options?: PointOptions;
}

export interface PolledGroup {
  readonly groupId: number;
  readonly intervalMs: number;
  readonly points: readonly PolledPoint[];
}

export interface PolledMeter {
  readonly id: number;
  readonly name: string;
  readonly groups: readonly PolledGroup[];
  /** The connections that want this meter's readings. */
  readonly connectionIds: readonly number[];
}

/** A cycle that read at least one value; `readings` is empty when none of them is to be published (on-change). */
export interface CycleCommitted {
  readonly meterId: number;
  /** The meter's name. */
  readonly meter: string;
  readonly cycleId: string;
  /** The connections that each got a row with the readings. */
  readonly connectionIds: readonly number[];
  readonly readings: readonly Reading[];
  readonly failures: readonly PointFailure[];
  /** Points that the meter refused before and that were not asked for. */
  readonly skipped: readonly PointFailure[];
  readonly createdAt: number;
  /** From taking the line to the last received octet, milliseconds. */
  readonly pollMs: number;
  readonly roundTrips: number;
}

export interface CycleFailed {
  readonly meterId: number;
  readonly meter: string;
  readonly cycleId: string;
  readonly error: BridgeError;
  readonly failures: readonly PointFailure[];
  readonly skipped: readonly PointFailure[];
}

export interface PollingEvents {
  committed: CycleCommitted;
  failed: CycleFailed;
  /** The readings of a cycle cannot be stored for now; it is tried until they are. */
  unstored: { readonly meterId: number; readonly meter: string; readonly cycleId: string; readonly error: BridgeError };
  /** A meter is not what it was: another firmware, another scaler, an energy that jumped. Somebody should look. */
  noticed: Noticed & { readonly meterId: number; readonly meter: string; readonly cycleId: string };
  /** Groups came due while the cycle before was still under way. */
  late: { readonly meterId: number };
}

export interface PollerDependencies {
  readonly line: Pick<LineWorker, 'submit' | 'restMs'>;
  readonly knowledge: Knowledge;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly events: EventBus<PollingEvents>;
  readonly log: Logger;
}

/** A commit that failed for now (full disk, locked database) is tried until it succeeds; the meter waits meanwhile. */
const COMMIT_RETRY: RetryPolicy = {
  shape: 'exponential',
  base: 250,
  max: 15_000,
  attempts: Number.POSITIVE_INFINITY,
  jitter: 'full',
};

/** A host clock that stepped back must not make a group due again within this share of its interval. */
const CLOSEST_DUES = 0.5;

interface PolledCycle extends WatchedRead {
  readonly answeredAt: number;
  readonly answeredAtMonotonic: number;
  readonly pollMs: number;
  readonly roundTrips: number;
}

export class MeterPoller {
  private readonly meter: PolledMeter;
  private readonly deps: PollerDependencies;
  private readonly phase: number;
  private readonly changes: ChangeFilter;
  private readonly watch = new ValueWatch();
  private readonly stopping = new AbortController();
  /** Groups that are due and not yet read: kept over a failure, so that a quarter-hourly group is made up for. */
  private readonly due = new Set<PolledGroup>();
  /** Monotonic time at which each group was last due. */
  private readonly lastDue = new Map<PolledGroup, number>();
  private readonly ledger: PointLedger;
  /** The object list that the ledger's marks speak of. */
  private classes: Knowledge['classes'];
  private timer: Timer | null = null;
  /** Runs out when the meter may be tried again. */
  private restTimer: Timer | null = null;
  private cycle: Promise<void> | null = null;

  constructor(meter: PolledMeter, deps: PollerDependencies) {
    this.meter = meter;
    this.deps = deps;
    this.changes = new ChangeFilter(meter.groups.flatMap(({ points }) => points));
    this.ledger = new PointLedger(deps.clock);
    this.classes = deps.knowledge.classes;
    this.phase = phaseOf(meter.id, Math.min(...meter.groups.map(({ intervalMs }) => intervalMs)));
  }

  start(): void {
    if (this.meter.groups.length > 0) this.arm();
  }

  /** Ends the schedule; a cycle under way is committed first. */
  async stop(): Promise<void> {
    this.timer?.cancel();
    this.timer = null;
    this.restTimer?.cancel();
    this.stopping.abort();
    await this.cycle;
  }

  private arm(): void {
    const { clock } = this.deps;
    const at = nextDueOfAny(this.meter.groups, this.phase, clock.now());
    this.timer = clock.setTimer(at - clock.now(), () => this.onDue(at));
  }

  private onDue(at: number): void {
    if (this.stopping.signal.aborted) return;
    const { clock, events } = this.deps;
    const now = clock.monotonic();
    let cameDue = false;
    for (const group of groupsDueAt(this.meter.groups, this.phase, at)) {
      const lastDue = this.lastDue.get(group) ?? Number.NEGATIVE_INFINITY;
      // A timer may fire a little early, and the wall clock may step back: the same due comes again then.
      if (now - lastDue < group.intervalMs * CLOSEST_DUES) continue;
      this.lastDue.set(group, now);
      this.due.add(group);
      cameDue = true;
    }
    if (this.cycle !== null) {
      if (cameDue) events.emit('late', { meterId: this.meter.id });
    } else this.readDue(at);
    this.arm();
  }

  /** Reads what is due, as soon as the meter and its line may be tried. */
  private readDue(due: number): void {
    this.restTimer?.cancel();
    if (this.stopping.signal.aborted || this.cycle !== null || this.due.size === 0) return;
    if (this.deps.line.restMs(this.meter.id) > 0) this.waitForRest();
    else this.beginCycle(due);
  }

  /** Does nothing while nobody rests, or when only an operator can end it: the next due looks again. */
  private waitForRest(): void {
    const { clock, line } = this.deps;
    const rest = line.restMs(this.meter.id);
    if (rest === 0 || rest === Number.POSITIVE_INFINITY || this.stopping.signal.aborted) return;
    this.restTimer?.cancel();
    this.restTimer = clock.setTimer(rest, () => this.readDue(clock.now()));
  }

  private beginCycle(due: number): void {
    const groups = [...this.due];
    this.due.clear();
    if (this.deps.knowledge.classes !== this.classes) this.ledger.clear();
    const points = groups.flatMap((group) => group.points.map(asked)).filter(({ key }) => !this.ledger.skips(key));
    if (points.length === 0) return;
    this.cycle = this.runCycle(groups, points, due).finally(() => {
      this.cycle = null;
    });
  }

  private async runCycle(groups: readonly PolledGroup[], points: readonly PolledPoint[], due: number): Promise<void> {
    const { line, knowledge, clock, events, log } = this.deps;
    const cycleId = randomUUID();
    let polled: PolledCycle;
    try {
      polled = await line.submit({
        meterId: this.meter.id,
        priority: 'poll',
        due,
        run: async (session) => {
          const began = clock.monotonic();
          const before = session.counts.roundTrips;
          const read = await this.watch.read(session, points, knowledge, began);
          const roundTrips = session.counts.roundTrips - before;
          const answeredAtMonotonic = clock.monotonic();
          return {
            ...read,
            answeredAt: clock.now(),
            answeredAtMonotonic,
            pollMs: answeredAtMonotonic - began,
            roundTrips,
          };
        },
      });
    } catch (thrown) {
      for (const group of groups) this.due.add(group);
      this.waitForRest();
      const error = asBridgeError(thrown);
      if (error.code !== 'STOPPING')
        events.emit('failed', {
          meterId: this.meter.id,
          meter: this.meter.name,
          cycleId,
          error,
          failures: [],
          skipped: [],
        });
      return;
    }
    const skipped = this.ledger.skipped();
    const { readings, failures } = readingsOf(points, polled, this.ledger);
    this.classes = knowledge.classes;
    for (const one of polled.noticed) {
      events.emit('noticed', { ...one, meterId: this.meter.id, meter: this.meter.name, cycleId });
    }
    for (const { key, error } of failures) log.debug({ cycleId, key, code: error.code }, 'point not read');
    await this.commit({ cycleId, polled, readings, failures, skipped });
  }

  private async commit(cycle: {
    readonly cycleId: string;
    readonly polled: PolledCycle;
    readonly readings: readonly Reading[];
    readonly failures: readonly PointFailure[];
    readonly skipped: readonly PointFailure[];
  }): Promise<void> {
    const { events } = this.deps;
    const { cycleId, polled, failures, skipped } = cycle;
    const { id: meterId, name: meter } = this.meter;
    const readings = this.changes.worth(cycle.readings, polled.answeredAtMonotonic);
    const connectionIds = readings.length === 0 ? [] : this.meter.connectionIds;
    try {
      const createdAt = polled.answeredAt;
      await this.commitUntilDone({
        cycleId,
        meterId,
        device: meter,
        createdAt,
        connectionIds,
        readings,
        learned: polled.learned,
      });
      this.changes.note(readings, polled.answeredAtMonotonic);
      const { pollMs, roundTrips } = polled;
      const first = failures[0];
      if (cycle.readings.length > 0) {
        events.emit('committed', {
          meterId,
          meter,
          cycleId,
          connectionIds,
          readings,
          failures,
          skipped,
          createdAt,
          pollMs,
          roundTrips,
        });
      } else if (first !== undefined) {
        events.emit('failed', { meterId, meter, cycleId, error: first.error, failures, skipped });
      }
    } catch (thrown) {
      events.emit('failed', { meterId, meter, cycleId, error: asBridgeError(thrown), failures, skipped });
    }
  }

  /** Tries again for as long as the trouble may pass; gives up only when the daemon stops. */
  private commitUntilDone(commit: CycleCommit): Promise<unknown> {
    const { writer, clock, events } = this.deps;
    const { id: meterId, name: meter } = this.meter;
    const onFailure = (error: BridgeError): void =>
      events.emit('unstored', { meterId, meter, cycleId: commit.cycleId, error });
    const { signal } = this.stopping;
    return retrying(() => writer.commitCycle(commit), { policy: COMMIT_RETRY, clock, signal, onFailure });
  }
}

function readingsOf(
  points: readonly PolledPoint[],
  { results, answeredAt }: PolledCycle,
  ledger: PointLedger,
): { readings: Reading[]; failures: PointFailure[] } {
  const readings: Reading[] = [];
  const failures: PointFailure[] = [];
  for (const [
    index,
    { classId, data, scalerUnit, capturedAt, invertedDeviation = false, error },
  ] of results.entries()) {
    const { key, obis, attribute, options } = points[index]!;
    const failure = ledger.note(key, error);
    if (failure !== null) failures.push(failure);
    else if (data !== null) {
      const dateTime = isDateTimeAttribute(classId, attribute);
      const measured = { key, obis, data, scalerUnit, ts: capturedAt ?? answeredAt, dateTime, invertedDeviation };
      try {
        const reading = readingOf(options === undefined ? measured : { ...measured, options });
        if (reading !== null) readings.push(reading);
      } catch (thrown) {
        failures.push({ key, error: asBridgeError(thrown), skippedUntil: null });
      }
    }
  }
  return { readings, failures };
}

/** A point with a scaler of its own needs none of the meter's. */
function asked(point: PolledPoint): PolledPoint {
  const scaler = point.options?.scaler ?? null;
  return scaler === null ? point : { ...point, ownScaler: true };
}
