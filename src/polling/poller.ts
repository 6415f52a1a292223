/**
 * Polls one meter: when point groups are due it submits one job to the meter's line, turns the answers into readings
 * and commits them. The line is free again at the last received octet; the commit is awaited here, not there.
 */
import { randomUUID } from 'node:crypto';
import { asBridgeError, type BridgeError } from '../core/errors.ts';
import type { LineWorker } from '../line/worker.ts';
import type { Knowledge } from '../meter/knowledge.ts';
import type { Reading } from '../reading/reading.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { EventBus } from '../runtime/events.ts';
import type { HostTime } from '../runtime/host-time.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Writer } from '../store/local/types.ts';
import type { ClockCorrector } from './clock-corrector.ts';
import { asked, type PolledCycle, type PolledPoint, readCycle, readingsOf } from './cycle-readings.ts';
import { CycleStore, doubted } from './cycle-store.ts';
import type { PollingEvents } from './events.ts';
import type { Identification, Identified } from './identification.ts';
import { ChangeFilter } from './on-change.ts';
import { type PointFailure, PointLedger } from './point-ledger.ts';
import { QualityMarks } from './quality-marks.ts';
import { groupsDueAt, nextDueOfAny, phaseOf } from './schedule.ts';
import { ValueWatch } from './watched-read.ts';

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

export interface PollerDependencies {
  readonly line: Pick<LineWorker, 'submit' | 'restMs'>;
  readonly knowledge: Knowledge;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly events: EventBus<PollingEvents>;
  readonly log: Logger;
  /** The host's clock and whether it is believed; without it, it is. */
  readonly hostTime?: HostTime;
  /** Who the meter is; without it, it is not asked. */
  readonly identification?: Identification;
  /** What is done about a clock that is off. */
  readonly corrector?: ClockCorrector;
}

/** A host clock that stepped back must not make a group due again within this share of its interval. */
const CLOSEST_DUES = 0.5;

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
  private readonly store: CycleStore;
  private readonly marks = new QualityMarks();
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
    this.store = new CycleStore(deps);
    this.classes = deps.knowledge.classes;
    this.phase = phaseOf(meter.id, Math.min(...meter.groups.map(({ intervalMs }) => intervalMs)));
  }

  start(): void {
    if (this.meter.groups.length > 0) this.arm();
  }

  /** The meter can be reached from now on: what is due is read, and all of it when nothing was read yet. */
  wake(): void {
    for (const group of this.meter.groups) if (!this.lastDue.has(group)) this.due.add(group);
    this.readDue(this.deps.clock.now());
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
    const { line, knowledge, clock, identification, hostTime } = this.deps;
    const { watch } = this;
    const cycleId = randomUUID();
    let polled: PolledCycle;
    try {
      polled = await line.submit({
        meterId: this.meter.id,
        priority: 'poll',
        due,
        run: (session) => readCycle(session, points, { watch, knowledge, clock, identification, hostTime }),
      });
    } catch (thrown) {
      for (const group of groups) this.due.add(group);
      this.waitForRest();
      this.tellFailed(cycleId, asBridgeError(thrown), points);
      return;
    }
    const doubt = hostTime?.doubt() ?? null;
    const skipped = this.ledger.skipped();
    const { readings, failures } = readingsOf(points, polled, this.ledger);
    this.classes = knowledge.classes;
    for (const one of polled.noticed) {
      this.deps.events.emit('noticed', { ...one, meterId: this.meter.id, meter: this.meter.name, cycleId });
    }
    if (polled.identified !== null) this.tellIdentified(polled.identified);
    const stamped = doubted([...readings, ...(polled.identified?.readings ?? [])], polled.answeredAt, doubt);
    const isRead = readings.length > 0;
    await this.commit({ cycleId, polled, doubt, isRead, readings: stamped, failures, skipped });
    this.tellAsked(cycleId, points, readings, failures, polled);
    if (doubt === null) this.followClock(polled.identified);
  }

  private async commit(cycle: {
    readonly cycleId: string;
    readonly polled: PolledCycle;
    readonly doubt: string | null;
    /** Of the points at least one. */
    readonly isRead: boolean;
    readonly readings: readonly Reading[];
    readonly failures: readonly PointFailure[];
    readonly skipped: readonly PointFailure[];
  }): Promise<void> {
    const { events } = this.deps;
    const { cycleId, polled, failures, skipped } = cycle;
    const { id: meterId, name: meter } = this.meter;
    const worth = this.changes.worth(cycle.readings, polled.answeredAtMonotonic);
    const readings = [...worth, ...this.marks.of(worth)];
    const connectionIds = readings.length === 0 ? [] : this.meter.connectionIds;
    try {
      const createdAt = polled.answeredAt;
      const learned = [...polled.learned, ...(polled.identified?.learned ?? [])];
      const isDeliverable = await this.store.commit(
        { cycleId, meterId, device: meter, createdAt, connectionIds, readings, learned },
        cycle.doubt,
        this.stopping.signal,
      );
      this.changes.note(worth, polled.answeredAtMonotonic);
      this.marks.note(worth);
      const { pollMs, roundTrips } = polled;
      const first = failures[0];
      if (cycle.isRead) {
        const told = isDeliverable ? { connectionIds, readings } : { connectionIds: [], readings: [] };
        events.emit('committed', {
          meterId,
          meter,
          cycleId,
          ...told,
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

  private tellFailed(cycleId: string, error: BridgeError, points: readonly PolledPoint[]): void {
    const { events, log } = this.deps;
    if (error.code === 'STOPPING') return;
    const { id: meterId, name: meter } = this.meter;
    log.debug({ cycleId, asked: points.map(({ key }) => key), code: error.code }, `poll failed: ${error.message}`);
    events.emit('failed', { meterId, meter, cycleId, error, failures: [], skipped: [] });
  }

  private tellIdentified({ isNews }: Identified): void {
    const { identification, events } = this.deps;
    if (!isNews || identification === undefined) return;
    events.emit('identified', { meterId: this.meter.id, meter: this.meter.name, identity: identification.identity });
  }

  /** What was asked, what came, and why the rest did not. */
  private tellAsked(
    cycleId: string,
    points: readonly PolledPoint[],
    readings: readonly Reading[],
    failures: readonly PointFailure[],
    { pollMs, roundTrips }: PolledCycle,
  ): void {
    this.deps.log.debug(
      {
        cycleId,
        asked: points.map(({ key }) => key),
        came: readings.map(({ key }) => key),
        failed: failures.map(({ key, error }) => `${key}: ${error.code}, ${error.message}`),
        pollMs: Math.round(pollMs),
        roundTrips,
      },
      `${readings.length} of ${points.length} points read`,
    );
  }

  private followClock(identified: Identified | null): void {
    if (identified?.driftMs == null || identified.verdict === 'stranger') return;
    void this.deps.corrector?.drifted(identified.driftMs);
  }
}
