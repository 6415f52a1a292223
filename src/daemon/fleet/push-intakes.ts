/** The intake of a stored meter's pushes. */
import { toHex } from '../../core/bytes.ts';
import type { Knowledge } from '../../meter/knowledge.ts';
import { CycleStore } from '../../polling/cycle-store.ts';
import type { PollingEvents } from '../../polling/events.ts';
import type { PolledMeter } from '../../polling/poller.ts';
import type { PushEvents } from '../../polling/push-events.ts';
import { PushIntake } from '../../polling/push-intake.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { EventBus } from '../../runtime/events.ts';
import type { HostTime } from '../../runtime/host-time.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Database } from '../../store/database.ts';
import type { Meter } from '../../store/fleet/types.ts';
import { counterKeyId } from '../../store/local/counters.ts';
import type { Writer } from '../../store/local/types.ts';

export interface IntakeDependencies {
  readonly database: Database;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly hostTime: HostTime;
  readonly events: EventBus<PollingEvents>;
  readonly pushes: EventBus<PushEvents>;
  readonly log: Logger;
}

/** Throws INVALID_POINT. */
export function intakeOf(
  { name, settings }: Meter,
  polled: PolledMeter,
  learned: ReadonlyMap<string, string>,
  knowledge: Knowledge,
  { database, writer, clock, hostTime, events, pushes, log }: IntakeDependencies,
): PushIntake {
  return new PushIntake(polled, learned, {
    settings,
    knowledge,
    keyId: (key, systemTitle) => toHex(counterKeyId(database, key, systemTitle)),
    store: new CycleStore({ writer, clock, events, hostTime }),
    clock,
    hostTime,
    events: pushes,
    log: log.child({ room: 'polling', meter: name }),
  });
}
