/** What came of the pushes of each meter, for its status and the log. */
import type { ErrorReport } from '../../core/errors.ts';
import type { PushEvents } from '../../polling/push-events.ts';
import type { EventBus } from '../../runtime/events.ts';
import type { Logger } from '../../runtime/logger.ts';

/** Counted since the daemon began. */
export interface PushStatus {
  readonly stored: number;
  /** The same push once more. */
  readonly repeated: number;
  readonly refused: number;
  /** Values without a key, or without a certain value, of all pushes. */
  readonly unmapped: number;
  /** Of the last push that had any, and why. */
  readonly lastUnmapped: readonly string[];
  /** Milliseconds UTC. */
  readonly lastAt: number | null;
  /** By whose clock the last one was stamped. */
  readonly timed: 'meter' | 'reception' | null;
  readonly lastError: ErrorReport | null;
}

const NONE: PushStatus = {
  stored: 0,
  repeated: 0,
  refused: 0,
  unmapped: 0,
  lastUnmapped: [],
  lastAt: null,
  timed: null,
  lastError: null,
};
const MOST_NAMED = 20;

export class PushBoard {
  private readonly meters = new Map<number, PushStatus>();

  /** `onChanged` hears of each meter whose status moved. */
  constructor(events: EventBus<PushEvents>, onChanged: (meterId: number) => void) {
    const change = (meterId: number, changes: (known: PushStatus) => Partial<PushStatus>): void => {
      const known = this.meters.get(meterId) ?? NONE;
      this.meters.set(meterId, { ...known, ...changes(known) });
      onChanged(meterId);
    };
    events.on('pushed', ({ meterId, unmapped, timed, receivedAt }) =>
      change(meterId, (known) => ({
        stored: known.stored + 1,
        unmapped: known.unmapped + unmapped.length,
        ...(unmapped.length > 0 && { lastUnmapped: unmapped.slice(0, MOST_NAMED) }),
        lastAt: receivedAt,
        timed,
        lastError: null,
      })),
    );
    events.on('push-repeated', ({ meterId }) => change(meterId, (known) => ({ repeated: known.repeated + 1 })));
    events.on('push-refused', ({ meterId, error }) =>
      change(meterId, (known) => ({ refused: known.refused + 1, lastError: error.report() })),
    );
  }

  /** null for a meter that has not pushed. */
  of(meterId: number): PushStatus | null {
    return this.meters.get(meterId) ?? null;
  }
}

export function logPushes(events: EventBus<PushEvents>, log: Logger): void {
  // What goes on in the same way is said once.
  const unmappedBefore = new Map<number, string>();
  const refusedBefore = new Map<number, string>();
  events.on('pushed', ({ meterId, meter, cycleId, readings, unmapped, timed, from }) => {
    refusedBefore.delete(meterId);
    log.debug({ meter, cycleId, from, readings: readings.length, unmapped: unmapped.length, timed }, 'push stored');
    const text = unmapped.slice(0, MOST_NAMED).join(', ');
    if (text === '' || unmappedBefore.get(meterId) === text) return;
    unmappedBefore.set(meterId, text);
    log.warn({ meter, from }, `pushed values without a key: ${text}`);
  });
  events.on('push-repeated', ({ meter, from }) => log.debug({ meter, from }, 'the same push once more'));
  events.on('push-refused', ({ meterId, meter, from, error: { code, hint, message } }) => {
    const fields = { meter, from, code, hint };
    if (refusedBefore.get(meterId) === code) log.debug(fields, `push refused: ${message}`);
    else log.warn(fields, `push refused: ${message}`);
    refusedBefore.set(meterId, code);
  });
}
