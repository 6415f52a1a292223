/** All that is read of one meter by itself: its point groups and its profiles, over one memory of who it is. */
import { isDeepStrictEqual } from 'node:util';
import type { LineWorker } from '../line/worker.ts';
import type { Knowledge } from '../meter/knowledge.ts';
import type { Clock } from '../runtime/clock.ts';
import type { EventBus } from '../runtime/events.ts';
import type { HostTime } from '../runtime/host-time.ts';
import type { Logger } from '../runtime/logger.ts';
import { type KnownIdentity, knownIdentity } from '../store/fleet/identity.ts';
import type { NewProfile } from '../store/fleet/types.ts';
import type { Writer } from '../store/local/types.ts';
import { ClockCorrector, clockSetAt } from './clock-corrector.ts';
import { CycleStore } from './cycle-store.ts';
import type { PollingEvents } from './events.ts';
import { Identification } from './identification.ts';
import type { ClockLimits } from './meter-drift.ts';
import { MeterPoller, type PolledMeter } from './poller.ts';
import { ProfilePoller } from './profile-poller.ts';
import { markOf } from './profile-scan.ts';

export interface ReadMeter extends PolledMeter {
  readonly profiles: readonly NewProfile[];
  /** The clock is looked at with each new association. */
  readonly followsClock: boolean;
  readonly clockLimits: ClockLimits;
}

export interface MeterReaderDependencies {
  readonly line: Pick<LineWorker, 'submit' | 'restMs'>;
  readonly knowledge: Knowledge;
  /** What is kept of the meter, by kind. */
  readonly learned: ReadonlyMap<string, string>;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly hostTime: HostTime;
  readonly events: EventBus<PollingEvents>;
  readonly log: Logger;
}

export class MeterReader {
  private readonly meter: ReadMeter;
  private readonly events: EventBus<PollingEvents>;
  private readonly identification: Identification;
  private readonly poller: MeterPoller;
  private readonly profiles: readonly ProfilePoller[];

  constructor(meter: ReadMeter, deps: MeterReaderDependencies) {
    const { learned, clock, line, writer, events } = deps;
    this.meter = meter;
    this.events = events;
    const keys = new Set(meter.groups.flatMap(({ points }) => points.map(({ key }) => key)));
    const known = knownIdentity(learned);
    const identification = new Identification({ clock, known, followsClock: meter.followsClock, keys });
    this.identification = identification;
    const capturePeriods = (): readonly number[] =>
      this.profiles
        .flatMap(({ capturePeriodMs }) => (capturePeriodMs === null ? [] : [capturePeriodMs]))
        .filter(Boolean);
    const corrector = new ClockCorrector({
      meter,
      limits: meter.clockLimits,
      line,
      writer,
      clock,
      events,
      lastSetAt: clockSetAt(learned),
      capturePeriods,
    });
    const common = { ...deps, identification, corrector };
    this.poller = new MeterPoller(meter, common);
    const store = new CycleStore(common);
    this.profiles = meter.profiles.map(
      (profile) => new ProfilePoller(meter, profile, { ...common, store, mark: markOf(learned, profile) }),
    );
  }

  start(): void {
    this.poller.start();
    for (const profile of this.profiles) profile.start();
  }

  /** The meter can be reached from now on: what is due is read. */
  wake(): void {
    this.poller.wake();
    for (const profile of this.profiles) profile.wake();
  }

  /** Somebody has decided who the meter is. */
  decided(known: KnownIdentity): void {
    const { id: meterId, name: meter } = this.meter;
    if (isDeepStrictEqual(known, this.identification.identity)) return;
    this.identification.decided(known);
    this.events.emit('identified', { meterId, meter, identity: known });
  }

  /** Ends all schedules; what is under way is committed first. */
  async stop(): Promise<void> {
    await Promise.all([this.poller.stop(), ...this.profiles.map((profile) => profile.stop())]);
  }
}
