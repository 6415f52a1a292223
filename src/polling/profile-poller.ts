/**
 * Follows one profile of one meter: looks for new rows at its interval and fetches what was missed, part by part. Each part
 * is a job of its own that lets due polls and commands go first, and is committed with the mark that it moves.
 */
import { randomUUID } from 'node:crypto';
import { asBridgeError, type BridgeError, fail } from '../core/errors.ts';
import { isClockColumn } from '../dlms/cosem/profile-generic.ts';
import type { LineWorker } from '../line/worker.ts';
import type { Knowledge } from '../meter/knowledge.ts';
import { type OpenedProfile, openProfile, readProfileRows } from '../meter/profile.ts';
import type { MeterSession } from '../meter/session.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { EventBus } from '../runtime/events.ts';
import type { HostTime } from '../runtime/host-time.ts';
import type { Logger } from '../runtime/logger.ts';
import type { NewProfile } from '../store/fleet/types.ts';
import type { LearnedFact } from '../store/local/types.ts';
import type { ClockCorrector } from './clock-corrector.ts';
import { readCycle } from './cycle-readings.ts';
import type { CycleStore } from './cycle-store.ts';
import type { PollingEvents } from './events.ts';
import type { Identification, Identified } from './identification.ts';
import { eventsAsReadings, rowReadings } from './profile-readings.ts';
import {
  BACKFILL_MS,
  EARLIEST,
  type FollowMark,
  markAt,
  markFact,
  PART_ROWS,
  type Part,
  partOf,
  type Scan,
  takePart,
} from './profile-scan.ts';
import { QualityMarks } from './quality-marks.ts';
import { nextDue, phaseOf } from './schedule.ts';
import { ValueWatch } from './watched-read.ts';

export interface FollowingMeter {
  readonly id: number;
  readonly name: string;
  /** The connections that want this meter's readings. */
  readonly connectionIds: readonly number[];
}

export interface ProfilePollerDependencies {
  readonly line: Pick<LineWorker, 'submit' | 'restMs'>;
  readonly knowledge: Knowledge;
  readonly store: CycleStore;
  readonly clock: Clock;
  readonly hostTime?: HostTime;
  readonly events: EventBus<PollingEvents>;
  readonly log: Logger;
  readonly identification?: Identification;
  readonly corrector?: ClockCorrector;
  /** Where an earlier process left off. */
  readonly mark: FollowMark | null;
}

/** Within this a daemon that starts looks at its profiles. */
const START_SPREAD_MS = 5000;

/** What a job brought. */
interface PartOutcome {
  readonly identified: Identified | null;
  /** null: somebody else than the meter answers. */
  readonly part: Part | null;
  readonly opened: OpenedProfile | null;
  readonly learned: readonly LearnedFact[];
  readonly answeredAt: number;
  readonly roundTrips: number;
}

export class ProfilePoller {
  private readonly meter: FollowingMeter;
  private readonly profile: NewProfile;
  private readonly deps: ProfilePollerDependencies;
  private readonly stopping = new AbortController();
  private readonly marks = new QualityMarks();
  private readonly watch = new ValueWatch();
  private mark: FollowMark | null;
  private timer: Timer | null = null;
  private restTimer: Timer | null = null;
  private running: Promise<void> | null = null;
  private period: number | null = null;

  constructor(meter: FollowingMeter, profile: NewProfile, deps: ProfilePollerDependencies) {
    this.meter = meter;
    this.profile = profile;
    this.deps = deps;
    this.mark = deps.mark;
  }

  /** Milliseconds; null before the profile was read, 0 when rows are captured on an occasion. */
  get capturePeriodMs(): number | null {
    return this.period;
  }

  /** What was missed while nobody looked is fetched at once, or nearly. */
  start(): void {
    const wait = phaseOf(this.meter.id, Math.min(this.profile.intervalMs, START_SPREAD_MS));
    this.timer = this.deps.clock.setTimer(wait, () => this.onDue());
  }

  /** The meter can be reached from now on: what is missing is fetched. */
  wake(): void {
    this.begin();
  }

  /** Ends the schedule; a part under way is committed first. */
  async stop(): Promise<void> {
    this.timer?.cancel();
    this.restTimer?.cancel();
    this.stopping.abort();
    await this.running;
  }

  private phase(): number {
    return phaseOf(this.meter.id, this.profile.intervalMs);
  }

  private onDue(): void {
    if (this.stopping.signal.aborted) return;
    const { clock } = this.deps;
    const at = nextDue(this.profile.intervalMs, this.phase(), clock.now());
    this.timer = clock.setTimer(at - clock.now(), () => this.onDue());
    this.begin();
  }

  private begin(): void {
    this.restTimer?.cancel();
    if (this.running !== null || this.stopping.signal.aborted) return;
    if (this.deps.line.restMs(this.meter.id) > 0) {
      this.waitForRest();
      return;
    }
    this.running = this.run().finally(() => {
      this.running = null;
    });
  }

  /** The rest of a meter that failed is waited for, so that what is missing is fetched when it is back. */
  private waitForRest(): void {
    const { clock, line } = this.deps;
    const rest = line.restMs(this.meter.id);
    if (rest === 0 || rest === Number.POSITIVE_INFINITY || this.stopping.signal.aborted) return;
    this.restTimer = clock.setTimer(rest, () => this.begin());
  }

  /** Part after part, until there is nothing more. */
  private async run(): Promise<void> {
    const { clock, line } = this.deps;
    const due = clock.now();
    let scan: Scan | null = null;
    let opened: OpenedProfile | null = null;
    try {
      do {
        const job = { meterId: this.meter.id, priority: 'backfill', due } as const;
        const [from, known]: readonly [Scan | null, OpenedProfile | null] = [scan, opened];
        const outcome: PartOutcome = await line.submit({
          ...job,
          run: (session) => this.readPart(session, from, known),
        });
        await this.keep(outcome);
        if (outcome.part === null) return;
        scan = outcome.part.next;
        opened = outcome.opened;
      } while (scan !== null && !this.stopping.signal.aborted);
    } catch (thrown) {
      this.failed(asBridgeError(thrown));
    }
  }

  private async readPart(
    session: MeterSession,
    before: Scan | null,
    known: OpenedProfile | null,
  ): Promise<PartOutcome> {
    const { knowledge, clock, identification, hostTime } = this.deps;
    const trips = session.counts.roundTrips;
    const { identified, learned } = await readCycle(session, [], {
      watch: this.watch,
      knowledge,
      clock,
      identification,
      hostTime,
    });
    const nothing = { identified, part: null, opened: null, answeredAt: this.now(), learned };
    if ((identification?.withheld() ?? null) !== null) {
      return { ...nothing, roundTrips: session.counts.roundTrips - trips };
    }
    const { obis, backfillFrom = null } = this.profile;
    const opened = known ?? (await openProfile(session, obis, knowledge));
    const { definition } = opened;
    if (!definition.captureObjects.some(isClockColumn)) {
      fail('UNSUPPORTED', `the rows of ${obis} do not tell their time: it cannot be followed`, {
        hint: 'read it with `profile --last`',
      });
    }
    this.period = definition.capturePeriod * 1000;
    const scan = before ?? (await this.beginning(session, opened));
    const selection = partOf(scan, definition, this.now());
    const read = await readProfileRows(session, obis, definition, selection, knowledge);
    const part = takePart(scan, { definition, selection, read, backfillFrom });
    return {
      ...nothing,
      part,
      opened,
      learned: [...learned, ...(known === null ? opened.learned : []), ...read.learned],
      answeredAt: this.now(),
      roundTrips: session.counts.roundTrips - trips,
    };
  }

  /** Where a run begins: at the mark, or where the profile is to be fetched from at first. */
  private async beginning(session: MeterSession, { definition }: OpenedProfile): Promise<Scan> {
    const { knowledge } = this.deps;
    const { obis, backfillFrom } = this.profile;
    const scan = { mark: this.mark, isAttached: false, isWhole: false, isFirst: true };
    if (this.mark?.cursor != null) return { ...scan, from: this.mark.cursor };
    if (backfillFrom !== 'all') {
      const from = backfillFrom ?? (definition.meterTime ?? this.now()) - BACKFILL_MS;
      return { ...scan, from };
    }
    const { sortMethod, entriesInUse } = definition;
    const refused = knowledge.profileAccess.get(obis) ?? new Set();
    const oldest = sortMethod === 'lifo' ? entriesInUse : 1;
    if (refused.has('entries') || refused.has('range') || oldest === null || oldest === 0) {
      return { ...scan, from: EARLIEST, isWhole: true };
    }
    const selection = { kind: 'entries', first: oldest, last: oldest } as const;
    const { rows, way } = await readProfileRows(session, obis, definition, selection, knowledge);
    const at = way === 'entries' ? rows[0]?.at : null;
    return { ...scan, from: at ?? EARLIEST, isWhole: at == null };
  }

  /** Stores what a job brought, in portions, each with its mark; what is stored is not asked for again. */
  private async keep(outcome: PartOutcome): Promise<void> {
    const { identified, part, opened, learned } = outcome;
    const facts = [...learned, ...(identified?.learned ?? [])];
    if (identified?.isNews === true && this.deps.identification !== undefined) {
      const { identity } = this.deps.identification;
      this.deps.events.emit('identified', { meterId: this.meter.id, meter: this.meter.name, identity });
    }
    if (identified?.driftMs != null && identified.verdict !== 'stranger') {
      void this.deps.corrector?.drifted(identified.driftMs);
    }
    if (part === null || opened === null) {
      if (facts.length > 0) await this.commit([], facts, outcome.answeredAt);
      return;
    }
    const { obis } = this.profile;
    const beside = [...eventsAsReadings(part.events, obis, outcome.answeredAt), ...(identified?.readings ?? [])];
    for (let at = 0; at === 0 || at < part.rows.length; at += PART_ROWS) {
      const rows = part.rows.slice(at, at + PART_ROWS);
      const isLast = at + PART_ROWS >= part.rows.length;
      const mark = isLast ? part.mark : markAt(part.mark, part.rows, rows.at(-1)!);
      await this.keepRows(outcome, opened, rows, mark, at === 0 ? { readings: beside, facts } : NOTHING);
      this.mark = mark;
    }
  }

  private async keepRows(
    { part, roundTrips, answeredAt }: PartOutcome,
    { columns, invertedDeviation }: OpenedProfile,
    rows: Part['rows'],
    mark: FollowMark,
    beside: typeof NOTHING,
  ): Promise<void> {
    const { events, log } = this.deps;
    const { id: meterId, name: meter, connectionIds } = this.meter;
    const { obis } = this.profile;
    const { readings, failures } = rowReadings(rows, columns, this.profile, invertedDeviation);
    const all = [...readings, ...this.marks.of(readings), ...beside.readings];
    if (all.length === 0 && JSON.stringify(mark) === JSON.stringify(this.mark) && beside.facts.length === 0) return;
    const cycleId = await this.commit(all, [...beside.facts, markFact(obis, mark)], answeredAt);
    this.marks.note(readings);
    for (const [key, error] of failures) log.debug({ cycleId, obis, key, code: error.code }, 'column not read');
    events.emit('profile', {
      meterId,
      meter,
      obis,
      cycleId,
      connectionIds: all.length === 0 ? [] : connectionIds,
      rows: rows.length,
      readings: all.length,
      upTo: mark.cursor,
      happened: beside === NOTHING ? [] : (part?.events ?? []),
      failures: [...failures].map(([key, error]) => ({ key, error, skippedUntil: null })),
      isBehind: part?.next !== null,
      roundTrips,
    });
  }

  private async commit(
    readings: Parameters<CycleStore['commit']>[0]['readings'],
    learned: readonly LearnedFact[],
    createdAt: number,
  ): Promise<string> {
    const { id: meterId, name: device, connectionIds } = this.meter;
    const cycleId = randomUUID();
    const commit = { cycleId, meterId, device, createdAt, connectionIds, readings, learned };
    await this.deps.store.commit(commit, null, this.stopping.signal);
    return cycleId;
  }

  private failed(error: BridgeError): void {
    const { id: meterId, name: meter } = this.meter;
    if (error.code === 'STOPPING') return;
    const { obis } = this.profile;
    this.deps.log.debug({ obis, code: error.code }, `profile not read: ${error.message}`);
    this.deps.events.emit('profileFailed', { meterId, meter, obis, error });
    this.waitForRest();
  }

  private now(): number {
    return this.deps.hostTime?.now() ?? this.deps.clock.now();
  }
}

const NOTHING: {
  readonly readings: ReturnType<typeof eventsAsReadings>;
  readonly facts: readonly LearnedFact[];
} = { readings: [], facts: [] };
