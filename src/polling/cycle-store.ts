/**
 * Commits what was read, for as long as it takes. Here it is decided whether it may be delivered: what a stranger said, and
 * what was stamped by a clock that is not believed, is stored and set aside.
 */
import type { BridgeError } from '../core/errors.ts';
import type { Reading } from '../reading/reading.ts';
import type { Clock } from '../runtime/clock.ts';
import type { EventBus } from '../runtime/events.ts';
import type { HostTime } from '../runtime/host-time.ts';
import { retrying, STORE_RETRY } from '../runtime/retry.ts';
import { doubtReason } from '../store/local/doubts.ts';
import type { CycleCommit, Writer } from '../store/local/types.ts';
import type { PollingEvents } from './events.ts';
import type { Identification } from './identification.ts';

export interface CycleStoreDependencies {
  readonly writer: Pick<Writer, 'commitCycle'>;
  readonly clock: Clock;
  readonly events: EventBus<PollingEvents>;
  /** Without it the clock is believed. */
  readonly hostTime?: HostTime;
  readonly identification?: Identification;
}

export class CycleStore {
  private readonly deps: CycleStoreDependencies;

  constructor(deps: CycleStoreDependencies) {
    this.deps = deps;
  }

  /**
   * Tries again for as long as the trouble may pass; gives up only when the signal aborts. `doubt`: that of the host's
   * clock when the readings were stamped. Tells whether the rows may be delivered.
   */
  async commit(commit: CycleCommit, doubt: string | null, signal: AbortSignal): Promise<boolean> {
    const { writer, clock, events } = this.deps;
    const { meterId, device: meter, cycleId } = commit;
    const onFailure = (error: BridgeError): void => events.emit('unstored', { meterId, meter, cycleId, error });
    let isDeliverable = true;
    const store = (): Promise<unknown> => {
      const decided = this.decided(commit, doubt);
      isDeliverable = (decided.withheld ?? null) === null;
      return writer.commitCycle(decided);
    };
    await retrying(store, { policy: STORE_RETRY, clock, signal, onFailure });
    return isDeliverable;
  }

  private decided(commit: CycleCommit, doubt: string | null): CycleCommit {
    const { identification, hostTime } = this.deps;
    const stranger = identification?.withheld() ?? null;
    if (doubt === null) return stranger === null ? commit : { ...commit, withheld: stranger };
    const correction = hostTime?.correctionOf(doubt) ?? null;
    if (correction === null) return { ...commit, withheld: stranger ?? { reason: doubtReason(doubt) } };
    const readings = commit.readings.map((reading) => corrected(reading, correction));
    return { ...commit, createdAt: commit.createdAt + correction, readings, withheld: stranger };
  }
}

function corrected(reading: Reading, correctionMs: number): Reading {
  return reading.quality === 'unsynchronised'
    ? { ...reading, ts: reading.ts + correctionMs, quality: 'good' }
    : reading;
}

/** Readings that were stamped by a clock in doubt say so. */
export function doubted(readings: readonly Reading[], stampedAt: number, doubt: string | null): readonly Reading[] {
  if (doubt === null) return readings;
  return readings.map((reading) => (reading.ts === stampedAt ? { ...reading, quality: 'unsynchronised' } : reading));
}
