/**
 * Takes the pushes of one meter: refuses what was replayed, makes readings of it, and commits them; whoever confirms a
 * push waits for that. One after the other, so that what is kept of counters never goes back.
 */
import { randomUUID } from 'node:crypto';
import { asBridgeError, type BridgeError } from '../core/errors.ts';
import type { MeterSettings } from '../dlms/settings.ts';
import type { HeardPush, PushTaker } from '../line/heard-push.ts';
import type { Knowledge } from '../meter/knowledge.ts';
import type { Clock } from '../runtime/clock.ts';
import type { EventBus } from '../runtime/events.ts';
import type { HostTime } from '../runtime/host-time.ts';
import type { Logger } from '../runtime/logger.ts';
import { type CycleStore, doubted } from './cycle-store.ts';
import { ChangeFilter } from './on-change.ts';
import type { PolledMeter } from './poller.ts';
import type { PushEvents } from './push-events.ts';
import { digestOf, type PushCounter, PushMemory } from './push-memory.ts';
import { type PushPlan, pushPlan, pushReadings } from './push-readings.ts';

export interface PushIntakeDependencies {
  readonly settings: MeterSettings;
  readonly knowledge: Knowledge;
  /** Names a key and the title of who uses it without telling them. */
  readonly keyId: (encryptionKey: Uint8Array, systemTitle: Uint8Array) => string;
  readonly store: CycleStore;
  readonly clock: Clock;
  readonly hostTime: HostTime;
  readonly events: EventBus<PushEvents>;
  readonly log: Logger;
}

/** Pushes of one meter that wait for the disk; beyond that they are not taken, and a confirmed one comes again. */
const MOST_WAITING = 100;

export class PushIntake implements PushTaker {
  private readonly meter: PolledMeter;
  private readonly deps: PushIntakeDependencies;
  private readonly plan: PushPlan;
  private readonly memory: PushMemory;
  private readonly changes: ChangeFilter;
  private readonly stopping = new AbortController();
  private tail: Promise<unknown> = Promise.resolve();
  private waiting = 0;

  /** `learned`: what is kept of the meter, by kind; it is not held on to. Throws INVALID_POINT. */
  constructor(meter: PolledMeter, learned: ReadonlyMap<string, string>, deps: PushIntakeDependencies) {
    const points = meter.groups.flatMap((group) => group.points);
    this.meter = meter;
    this.deps = deps;
    this.plan = pushPlan(deps.settings, points);
    this.memory = new PushMemory(learned);
    this.changes = new ChangeFilter([...this.plan.byObject, ...this.plan.byPlace.values()]);
  }

  /** Resolves with true once the push is on the disk, now or since before; false: it is not, the meter may send it again. */
  take(push: HeardPush): Promise<boolean> {
    if (this.waiting >= MOST_WAITING || this.stopping.signal.aborted) return Promise.resolve(false);
    this.waiting += 1;
    const taken = this.tail
      .then(() => this.store(push))
      .finally(() => {
        this.waiting -= 1;
      });
    this.tail = taken.catch(() => undefined);
    return taken;
  }

  refused(from: string, error: BridgeError): void {
    const { id: meterId, name: meter } = this.meter;
    this.deps.events.emit('push-refused', { meterId, meter, from, error });
  }

  /** A push that waits for the disk is tried once more. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.tail;
  }

  private async store(push: HeardPush): Promise<boolean> {
    const { content, receivedAt, from } = push;
    const { clock, events, knowledge, log } = this.deps;
    const { id: meterId, name: meter } = this.meter;
    const { readings: all, unmapped, timed } = pushReadings(content, this.plan, knowledge, receivedAt);
    const digest = digestOf(content);
    const counter = this.counterOf(push);
    const isKnown = this.memory.isRepeated(digest, receivedAt, timed === 'meter', push.wantsConfirmation);
    const replayed = this.memory.replayed(counter);
    if (replayed !== null) {
      // Word for word what is kept already: our confirmation did not reach the meter.
      if (isKnown && push.wantsConfirmation) events.emit('push-repeated', { meterId, meter, from });
      else this.refused(from, replayed);
      return isKnown && push.wantsConfirmation;
    }
    const readings = isKnown ? [] : this.changes.worth(all, clock.monotonic());
    const connectionIds = readings.length === 0 ? [] : this.meter.connectionIds;
    const { facts, kept } = this.memory.after(digest, receivedAt, counter);
    const cycleId = randomUUID();
    const doubt = this.deps.hostTime.doubt();
    const stamped = doubted(readings, receivedAt, doubt);
    const commit = { cycleId, meterId, device: meter, createdAt: receivedAt, connectionIds, readings: stamped };
    try {
      await this.deps.store.commit({ ...commit, learned: facts }, doubt, this.stopping.signal);
    } catch (thrown) {
      log.warn({ cycleId, code: asBridgeError(thrown).code }, 'a push was not stored');
      return false;
    }
    kept();
    this.changes.note(readings, clock.monotonic());
    if (isKnown) {
      events.emit('push-repeated', { meterId, meter, from });
      return true;
    }
    if (unmapped.length > 0)
      log.debug({ cycleId, from, unmapped: unmapped.slice(0, 20) }, 'pushed values without a key');
    events.emit('pushed', { meterId, meter, cycleId, connectionIds, readings, unmapped, timed, receivedAt, from });
    return true;
  }

  private counterOf({ counter }: HeardPush): PushCounter | null {
    if (counter === null) return null;
    const { encryptionKey, systemTitle, invocationCounter, verified } = counter;
    return { keyId: this.deps.keyId(encryptionKey, systemTitle), invocationCounter, verified };
  }
}
