/**
 * Delivers one connection's outbox rows to ThingsBoard, for ever.
 *
 *   connecting --session stands--> connected --session ended--> waiting --back-off over--> connecting
 *        \--attempt failed--> waiting          (any) --stop--> stopped
 *
 * With the server away rows simply stay in the outbox. What happens within a session is in delivery.ts.
 */
import { asBridgeError, type BridgeError, type ErrorReport } from '../core/errors.ts';
import { type Clock, sleep, type Timer } from '../runtime/clock.ts';
import type { EventBus } from '../runtime/events.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Connection, Target } from '../store/fleet/types.ts';
import type { OutboxReader, Writer } from '../store/local/types.ts';
import { AttributeTimes } from './attribute-times.ts';
import { Backoff, type BackoffPolicies, DEFAULT_BACKOFF } from './backoff.ts';
import { type MqttSession, newClientId, openSession } from './connection.ts';
import { Delivery } from './delivery.ts';
import type { ThingsBoardEvents } from './events.ts';
import { Holds } from './holds.ts';
import { Settlement } from './settlement.ts';

export interface PublisherOptions {
  readonly target: Target;
  readonly connection: Connection;
  readonly outbox: OutboxReader;
  readonly writer: Pick<Writer, 'acknowledge' | 'quarantine'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly events: Pick<EventBus<ThingsBoardEvents>, 'emit'>;
  /** One per process start and connection unless told otherwise. */
  readonly clientId?: string;
  /** Publishes in flight at most (default 50); the server may want fewer. */
  readonly window?: number;
  /** Device profile of devices behind the gateway (default `dlms-meter`). */
  readonly deviceType?: string;
  readonly connackTimeoutMs?: number;
  readonly ackTimeoutMs?: number;
  readonly keepaliveSeconds?: number;
  readonly backoff?: BackoffPolicies;
  /** In [0, 1), for the jitter. */
  readonly random?: () => number;
}

export type PublisherState = 'connecting' | 'connected' | 'waiting' | 'stopped';

export interface PublisherStatistics {
  readonly state: PublisherState;
  readonly clientId: string;
  /** Publishes with their PUBACK since the start. */
  readonly messages: number;
  /** Rows delivered, and the readings in them. */
  readonly rows: number;
  readonly readings: number;
  /** Rows set aside. */
  readonly quarantined: number;
  /** Rows that wait in the outbox. */
  readonly pending: number;
  /** Sessions that stood, and how many of them another client took over. */
  readonly sessions: number;
  readonly conflicts: number;
  /** Milliseconds UTC; null while there is no session. */
  readonly connectedSince: number | null;
  /** Why there is no session, or why the last one ended. */
  readonly lastError: ErrorReport | null;
}

export interface Publisher {
  /** Rows were committed for this connection. */
  notify(): void;
  /** Resolves when the outbox holds no row of this connection any more (true), or after `deadlineMs` (false). */
  drain(deadlineMs: number): Promise<boolean>;
  /** Ends the session and writes down what was acknowledged. Idempotent. */
  stop(): Promise<void>;
  statistics(): PublisherStatistics;
}

const DEFAULTS = {
  window: 50,
  deviceType: 'dlms-meter',
  /** Longer than ThingsBoard's own 10 s, after which it answers 0x88. */
  connackTimeoutMs: 15_000,
  ackTimeoutMs: 20_000,
  keepaliveSeconds: 60,
} as const;

/** How often the outbox is looked through while nothing is on its way: rows may come back from quarantine. */
const RESCAN_MS = 30_000;

/** Starts at once and returns; with the server away it waits and tries again. */
export function startPublisher(options: PublisherOptions): Publisher {
  return new ConnectionPublisher(options);
}

class ConnectionPublisher implements Publisher {
  private readonly options: PublisherOptions;
  private readonly clientId: string;
  private readonly connectionId: number;
  private readonly logger: Logger;
  private readonly abort = new AbortController();
  private readonly backoff: Backoff;
  private readonly holds: Holds;
  private readonly settlement: Settlement;
  private readonly attributeTimes = new AttributeTimes();
  private readonly running: Promise<void>;
  private readonly drainChecks = new Set<() => void>();
  private readonly counts = { messages: 0, rows: 0, readings: 0, quarantined: 0, sessions: 0, conflicts: 0 };
  private state: PublisherState = 'connecting';
  private delivery: Delivery | null = null;
  private connectedSince: number | null = null;
  private lastError: BridgeError | null = null;
  private loggedCode: string | null = null;
  private endWait: AbortController | null = null;

  constructor(options: PublisherOptions) {
    const { clock, writer, target, connection, random = Math.random } = options;
    this.options = options;
    this.clientId = options.clientId ?? newClientId();
    this.connectionId = connection.id;
    this.logger = options.logger.child({ connection: connection.id, target: target.name });
    const policies = options.backoff ?? DEFAULT_BACKOFF;
    this.backoff = new Backoff(policies, random);
    this.holds = new Holds(clock, policies.ordinary, random, () => this.delivery?.restart());
    this.settlement = new Settlement(writer, clock, this.logger, this.rowsSettled(), this.abort.signal);
    this.running = this.run();
  }

  private rowsSettled(): ConstructorParameters<typeof Settlement>[3] {
    const { events } = this.options;
    const { connectionId } = this;
    return {
      delivered: ({ id, cycleId, device, readings }) => {
        this.counts.rows += 1;
        this.counts.readings += readings.length;
        events.emit('published', { connectionId, rowId: id, cycleId, device, readings: readings.length });
        this.checkDrained();
      },
      setAside: ({ id, cycleId, device }, reason) => {
        this.counts.quarantined += 1;
        this.logger.error({ row: id, device, reason }, 'Readings quarantined: they can never be delivered as they are');
        events.emit('quarantined', { connectionId, rowId: id, cycleId, device, reason });
        this.checkDrained();
      },
    };
  }

  private async run(): Promise<void> {
    const { clock } = this.options;
    while (!this.abort.signal.aborted) {
      this.state = 'connecting';
      const { error, stoodMs } = await this.attempt();
      if (this.abort.signal.aborted) break;
      this.lastError = error;
      this.state = 'waiting';
      const wait = this.backoff.after(error, stoodMs);
      this.tellEnd(error, stoodMs, wait);
      this.endWait = new AbortController();
      // Woken early it goes on at once; that is all there is to do about it.
      await sleep(clock, wait, this.endWait.signal).catch(() => undefined);
    }
    this.state = 'stopped';
  }

  /** One session from its beginning to its end, or an attempt that failed (`stoodMs` 0). */
  private async attempt(): Promise<{ readonly error: BridgeError; readonly stoodMs: number }> {
    const { target, connection, clock } = this.options;
    const { connackTimeoutMs, ackTimeoutMs, keepaliveSeconds } = { ...DEFAULTS, ...this.options };
    let session: MqttSession;
    try {
      session = await openSession({
        target,
        token: connection.token,
        clientId: this.clientId,
        clock,
        connackTimeoutMs,
        ackTimeoutMs,
        keepaliveSeconds,
        signal: this.abort.signal,
      });
    } catch (error) {
      return { error: asBridgeError(error), stoodMs: 0 };
    }
    const since = clock.monotonic();
    let end: (() => void) | null = null;
    try {
      end = this.stand(session);
    } catch (error) {
      // The outbox cannot be read: no use in a session.
      session.close(asBridgeError(error));
    }
    const error = await session.closed;
    end?.();
    return { error, stoodMs: Math.max(1, clock.monotonic() - since) };
  }

  /** The session stands: delivers over it until the function returned is called. */
  private stand(session: MqttSession): () => void {
    const { outbox, target, clock, events } = this.options;
    const { window, deviceType } = { ...DEFAULTS, ...this.options };
    this.state = 'connected';
    this.connectedSince = clock.now();
    this.counts.sessions += 1;
    this.loggedCode = null;
    this.logger.info({ clientId: this.clientId }, `MQTT Connected (client_id: ${this.clientId})`);
    events.emit('connected', { connectionId: this.connectionId, clientId: this.clientId });
    const delivery = new Delivery({
      session,
      outbox,
      connectionId: this.connectionId,
      mode: target.mode,
      deviceType,
      window,
      settlement: this.settlement,
      holds: this.holds,
      attributeTimes: this.attributeTimes,
      logger: this.logger,
      onAcknowledged: () => {
        this.counts.messages += 1;
      },
    });
    this.delivery = delivery;
    let rescan: Timer;
    const arm = (): void => {
      rescan = clock.setTimer(RESCAN_MS, () => {
        arm();
        if (delivery.idle) delivery.restart();
      });
    };
    arm();
    delivery.pump();
    return () => {
      rescan.cancel();
      delivery.end();
      this.delivery = null;
      this.connectedSince = null;
    };
  }

  private tellEnd(error: BridgeError, stoodMs: number, wait: number): void {
    const { events } = this.options;
    const { connectionId, clientId } = this;
    const fields = { code: error.code, hint: error.hint, clientId, retryMs: wait, ...error.facts };
    const stood = stoodMs > 0;
    if (error.code === 'MQTT_CONFLICT') {
      this.counts.conflicts += 1;
      this.logger.error(fields, `CONFLICT: another client uses the same access token (client_id: ${clientId})`);
      events.emit('conflict', { connectionId, clientId, error });
    } else if (stood) {
      this.logger.warn(fields, `MQTT Disconnected: ${error.message}`);
    } else if (this.loggedCode === error.code) {
      // One line per outage, not one per attempt.
      this.logger.debug(fields, `MQTT still not connected: ${error.message}`);
    } else {
      this.logger.warn(fields, `MQTT not connected: ${error.message}`);
    }
    this.loggedCode = error.code;
    events.emit('disconnected', { connectionId, error, stood });
  }

  notify(): void {
    this.delivery?.refresh();
  }

  async drain(deadlineMs: number): Promise<boolean> {
    this.backoff.reset();
    this.endWait?.abort();
    if (this.drained()) return true;
    return new Promise((resolve) => {
      const finish = (drained: boolean): void => {
        timer.cancel();
        this.drainChecks.delete(check);
        resolve(drained);
      };
      const check = (): void => {
        if (this.drained()) finish(true);
      };
      const timer = this.options.clock.setTimer(deadlineMs, () => finish(this.drained()));
      this.drainChecks.add(check);
      this.delivery?.restart();
    });
  }

  private drained(): boolean {
    try {
      return this.options.outbox.depthOf(this.connectionId) === 0;
    } catch (error) {
      this.logger.warn({ code: asBridgeError(error).code }, 'Cannot tell whether the outbox is empty');
      return false;
    }
  }

  private checkDrained(): void {
    for (const check of [...this.drainChecks]) check();
  }

  async stop(): Promise<void> {
    this.abort.abort();
    this.endWait?.abort();
    await this.running;
    await this.settlement.finished();
    this.holds.stop();
  }

  statistics(): PublisherStatistics {
    return {
      ...this.counts,
      state: this.state,
      clientId: this.clientId,
      pending: this.options.outbox.depthOf(this.connectionId),
      connectedSince: this.connectedSince,
      lastError: this.lastError?.report() ?? null,
    };
  }
}
