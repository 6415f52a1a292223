/**
 * Whether the parts of the daemon go on: what feeds systemd's watchdog. A part that fails again and again is alive; one
 * that neither succeeds nor fails is not, and only a new process helps. A dead event loop feeds nothing by itself.
 */
import type { PollingEvents } from '../../polling/events.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { EventBus } from '../../runtime/events.ts';

export type Beating = 'configuration' | 'database';

export interface VitalFacts {
  /** Meters with a standing association: they are polled, so something must come of it. */
  readonly connectedMeters: number;
  /** The shortest polling interval, milliseconds; Infinity when nothing is polled. */
  readonly shortestIntervalMs: number;
  readonly connections: ReadonlyMap<number, { readonly state: string; readonly sessions: number }>;
}

/** A turn of a loop may wait for a slow disk, no longer. */
const LOOP_STALE_MS = 90_000;
/** Polling is silent for so long at most, or for a few intervals where these are longer. */
const POLLING_STALE_MS = 600_000;
const INTERVALS_MISSED = 4;
/** Connecting ends by itself long before: look-up, TCP, TLS and CONNACK have time limits of their own. */
const CONNECTING_STALE_MS = 180_000;

interface Seen {
  readonly what: string;
  readonly since: number;
}

export class VitalSigns {
  private readonly clock: Clock;
  private readonly beats: Map<Beating, number>;
  private polled: number;
  private readonly connecting = new Map<number, Seen>();

  constructor(clock: Clock, polling: EventBus<PollingEvents>) {
    this.clock = clock;
    const now = clock.monotonic();
    this.beats = new Map([
      ['configuration', now],
      ['database', now],
    ]);
    this.polled = now;
    const onPolled = (): void => {
      this.polled = clock.monotonic();
    };
    for (const name of ['committed', 'failed', 'unstored', 'late'] as const) polling.on(name, onPolled);
  }

  /** A turn of a loop ended, well or not. */
  beat(part: Beating): void {
    this.beats.set(part, this.clock.monotonic());
  }

  /** What does not go on, in words; to be asked every few seconds. */
  ailments({ connectedMeters, shortestIntervalMs, connections }: VitalFacts): readonly string[] {
    const now = this.clock.monotonic();
    const found: string[] = [];
    for (const [part, at] of this.beats) {
      if (now - at > LOOP_STALE_MS) found.push(`${part}: no turn ended for ${seconds(now - at)}`);
    }
    const silence = now - this.polled;
    if (connectedMeters > 0 && silence > Math.max(POLLING_STALE_MS, INTERVALS_MISSED * shortestIntervalMs)) {
      found.push(`scheduler: nothing was polled for ${seconds(silence)}`);
    }
    for (const [id, { state, sessions }] of connections) {
      const what = `${state} ${sessions}`;
      const seen = this.connecting.get(id);
      if (seen?.what !== what) this.connecting.set(id, { what, since: now });
      else if (state === 'connecting' && now - seen.since > CONNECTING_STALE_MS) {
        found.push(`publisher: connection ${id} has been connecting for ${seconds(now - seen.since)}`);
      }
    }
    return found;
  }
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
