/** What is done about a meter's clock that is off: it is told, and set where its settings want that. */
import { asBridgeError, type BridgeError } from '../core/errors.ts';
import type { LineWorker } from '../line/worker.ts';
import { readClock, setClock } from '../meter/meter-clock.ts';
import type { MeterSession } from '../meter/session.ts';
import type { Clock } from '../runtime/clock.ts';
import type { EventBus } from '../runtime/events.ts';
import type { CycleCommit, Writer } from '../store/local/types.ts';
import type { PollingEvents } from './events.ts';
import { type ClockLimits, mayBeSet } from './meter-drift.ts';

export interface ClockCorrectorOptions {
  readonly meter: { readonly id: number; readonly name: string };
  readonly limits: ClockLimits;
  readonly line: Pick<LineWorker, 'submit'>;
  readonly writer: Pick<Writer, 'commitCycle'>;
  readonly clock: Clock;
  readonly events: EventBus<PollingEvents>;
  /** Of what was learned of the meter. */
  readonly lastSetAt: number | null;
  /** Capture periods of the meter's profiles as far as they are known, milliseconds. */
  readonly capturePeriods: () => readonly number[];
}

const CLOCK_SET = 'clock-set';

/** When the clock was set last, milliseconds UTC. */
export function clockSetAt(learned: ReadonlyMap<string, string>): number | null {
  const json = learned.get(CLOCK_SET);
  return json === undefined ? null : (JSON.parse(json) as number);
}

export class ClockCorrector {
  private readonly options: ClockCorrectorOptions;
  private lastSetAt: number | null;
  private busy = false;

  constructor(options: ClockCorrectorOptions) {
    this.options = options;
    this.lastSetAt = options.lastSetAt;
  }

  /** The clock was read. Never rejects: what goes wrong is told with the drift. */
  async drifted(driftMs: number): Promise<void> {
    const { meter, limits, events } = this.options;
    let error: BridgeError | null = null;
    let wasSet = false;
    if (this.mayBeSet(driftMs) && !this.busy) {
      this.busy = true;
      try {
        wasSet = await this.correct();
      } catch (thrown) {
        error = asBridgeError(thrown);
      }
      this.busy = false;
    }
    const { limitMs } = limits;
    events.emit('drift', { meterId: meter.id, meter: meter.name, driftMs, limitMs, error, wasSet });
  }

  private mayBeSet(driftMs: number): boolean {
    const { limits, clock, capturePeriods } = this.options;
    return mayBeSet(driftMs, limits, clock.now(), this.lastSetAt, capturePeriods());
  }

  private async correct(): Promise<boolean> {
    const { meter, line, clock } = this.options;
    const job = { meterId: meter.id, priority: 'poll', due: clock.now() } as const;
    const wasSet = await line.submit({ ...job, run: (session) => this.setIn(session) });
    if (wasSet) await this.remember();
    return wasSet;
  }

  /** Looks once more: time has gone by since. */
  private async setIn(session: MeterSession): Promise<boolean> {
    const { clock } = this.options;
    const began = clock.monotonic();
    const before = await readClock(session);
    const halfTrip = (clock.monotonic() - began) / 2;
    if (before.at === null || !this.mayBeSet(Math.round(before.at + halfTrip - clock.now()))) return false;
    await setClock(session, before, Math.round(clock.now() + halfTrip));
    this.lastSetAt = clock.now();
    return true;
  }

  private async remember(): Promise<void> {
    const { meter, writer, clock } = this.options;
    const nothing = { cycleId: CLOCK_SET, connectionIds: [], readings: [] } satisfies Partial<CycleCommit>;
    const learned = [{ kind: CLOCK_SET, json: JSON.stringify(this.lastSetAt) }];
    await writer.commitCycle({ ...nothing, meterId: meter.id, device: meter.name, createdAt: clock.now(), learned });
  }
}
