/**
 * Delivers one connection's outbox rows to ThingsBoard, for ever.
 *
 *   connecting --session stands--> connected --session ended--> waiting --back-off over--> connecting
 *        \--attempt failed--> waiting          (any) --stop--> stopped
 *
 * With the server away rows simply stay in the outbox. What happens within a session is in delivery.ts.
 */
import { asBridgeError, type BridgeError } from '../core/errors.ts';
import { sleep } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { Backoff, DEFAULT_BACKOFF } from './conduct/backoff.ts';
import type { EndCause, Judgement } from './conduct/classifier.ts';
import { type SessionPlan, waitAfterTurn } from './conduct/conduct.ts';
import { conflictError, Experience } from './conduct/experience.ts';
import { AttributeTimes } from './delivery/attribute-times.ts';
import { Delivery } from './delivery/delivery.ts';
import { Holds } from './delivery/holds.ts';
import { Settlement } from './delivery/settlement.ts';
import { InboundListener } from './inbound/inbound.ts';
import { LimitsQuestion } from './limits/limits-question.ts';
import { Throttle } from './limits/throttle.ts';
import type { Publisher, PublisherOptions, PublisherState, PublisherStatistics } from './publisher-types.ts';
import { clientIdOf, type MqttSession, newClientId } from './session/connection.ts';
import type { RunEnd } from './session/session-end.ts';
import { runSession } from './session-run.ts';

const DEFAULTS = {
  window: 50,
  deviceType: 'dlms-meter',
  /** Longer than ThingsBoard's own 10 s, after which it answers 0x88. */
  connackTimeoutMs: 15_000,
  ackTimeoutMs: 20_000,
  keepaliveSeconds: 60,
} as const;

/** What operators know as paho's rc=7: the connection was closed and nobody said why. */
const RC7: ReadonlySet<EndCause> = new Set(['unexplained', 'server-restart', 'network']);

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
  private readonly throttle: Throttle;
  private readonly question: LimitsQuestion;
  private readonly inbound: InboundListener;
  private readonly unsettled = new Set<string>();
  private readonly running: Promise<void>;
  private readonly drainChecks = new Set<() => void>();
  private readonly counts = { messages: 0, rows: 0, readings: 0, quarantined: 0, sessions: 0, conflicts: 0 };
  private state: PublisherState = 'connecting';
  private delivery: Delivery | null = null;
  private connectedSince: number | null = null;
  private certificateExpires: number | null = null;
  private lastError: BridgeError | null = null;
  private loggedCode: string | null = null;
  private endWait: AbortController | null = null;
  private readonly experience: Experience;

  constructor(options: PublisherOptions) {
    const { clock, writer, target, connection, random = Math.random } = options;
    this.options = options;
    this.experience = new Experience(options.onConflict ?? target.settings?.onConflict ?? 'turns');
    this.clientId = clientIdOf({ token: connection.token, clientId: options.clientId ?? newClientId() });
    this.connectionId = connection.id;
    this.logger = options.logger.child({ connection: connection.id, target: target.name });
    const policies = options.backoff ?? DEFAULT_BACKOFF;
    this.backoff = new Backoff(policies, random);
    this.holds = new Holds(clock, policies.ordinary, random, () => this.delivery?.restart());
    this.throttle = new Throttle(clock.monotonic());
    this.question = new LimitsQuestion(this.throttle, clock, this.logger);
    this.inbound = new InboundListener({
      connectionId: connection.id,
      mode: target.mode,
      events: options.events,
      logger: this.logger,
      sharedKeys: (device) => options.sharedKeys?.(connection.id, device) ?? [],
      onDevice: (device) => {
        this.unsettled.add(device);
        this.delivery?.leave(device);
      },
    });
    this.settlement = new Settlement(writer, clock, this.logger, this.rowsSettled(), this.abort.signal);
    this.running = this.run();
  }

  private rowsSettled(): ConstructorParameters<typeof Settlement>[3] {
    const { events } = this.options;
    const { connectionId } = this;
    return {
      // A turn ends, and a stop is over, when the last row is gone.
      isAwaited: () => this.drainChecks.size > 0 || this.abort.signal.aborted || this.experience.mode === 'turns',
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
      this.endWait = new AbortController();
      const end = await this.session();
      if (this.abort.signal.aborted) break;
      this.state = 'waiting';
      // To hear the witness took some of the time.
      const left = this.learn(end) - (clock.monotonic() - end.at);
      // Woken early it goes on at once; that is all there is to do about it.
      await sleep(clock, left, this.endWait.signal).catch(() => undefined);
    }
    this.state = 'stopped';
  }

  private session(): Promise<RunEnd> {
    const { target, connection, clock } = this.options;
    const { connackTimeoutMs, ackTimeoutMs, keepaliveSeconds } = { ...DEFAULTS, ...this.options };
    const plan = this.experience.plan(clock.monotonic());
    return runSession({
      target,
      token: connection.token,
      clientId: this.clientId,
      clock,
      connackTimeoutMs,
      ackTimeoutMs,
      keepaliveSeconds,
      signal: this.abort.signal,
      plan,
      delivery: (session) => this.stand(session, plan),
      onStable: () => this.onStable(),
      isEmpty: () => this.drained(),
    });
  }

  /** The session stands: what delivers over it. Throws DATABASE_*. */
  private stand(session: MqttSession, { oneByOne, turnMs }: SessionPlan): Delivery {
    const { outbox, target, clock, events } = this.options;
    const { window, deviceType } = { ...DEFAULTS, ...this.options };
    // A turn is short, and a suspected session says as little as it can.
    const isReserved = oneByOne || turnMs !== null;
    this.state = 'connected';
    this.connectedSince = clock.now();
    this.certificateExpires = session.certificateExpires;
    this.counts.sessions += 1;
    this.loggedCode = null;
    const { clientId, connectionId } = this;
    // Of turns one line every few seconds would say nothing new.
    if (this.experience.mode === 'turns') this.logger.debug({ clientId }, 'turn begins');
    else this.logger.info({ clientId }, `MQTT Connected (client_id: ${clientId})`);
    events.emit('connected', { connectionId, clientId });
    void session.closed.then(() => {
      this.state = 'waiting';
      this.connectedSince = null;
      this.delivery = null;
    });
    this.delivery = new Delivery({
      session,
      outbox,
      connectionId,
      mode: target.mode,
      deviceType,
      window,
      oneByOne,
      leftOut: this.experience.underSuspicion,
      question: isReserved ? null : this.question,
      inbound: this.inbound,
      unsettled: this.unsettled,
      throttle: this.throttle,
      clock,
      settlement: this.settlement,
      holds: this.holds,
      attributeTimes: this.attributeTimes,
      logger: this.logger,
      onAcknowledged: () => {
        this.counts.messages += 1;
      },
    });
    return this.delivery;
  }

  /** What an end teaches; returns how long to wait before the next attempt, milliseconds. */
  private learn(end: RunEnd): number {
    const { random = Math.random } = this.options;
    const { error, stoodMs } = end;
    const inConflict = this.experience.conflict;
    const turned = this.experience.mode === 'turns' && error.code === 'STOPPING';
    const { judgement, poison } = this.experience.learn(end, this.counts.messages);
    if (poison !== null) this.settlement.quarantine(poison.row, poison.reason);
    const isConflict = judgement.cause === 'conflict';
    if (isConflict) this.counts.conflicts += 1;
    // Without a reason code a rate limit is but a close of just this session with messages on their way.
    const mayBeALimit = judgement.cause === 'unexplained' && end.inFlight > 0 && end.witness === 'alive';
    if (stoodMs > 0 && (judgement.cause === 'rate-limit' || mayBeALimit)) this.throttle.pace.hit(end.at);
    const cause = isConflict ? conflictError(judgement, error) : error;
    // A turn that the rival ended without a reason says less than what is known already.
    const isRivals = inConflict && stoodMs > 0 && judgement.cause === 'unexplained';
    if (!turned && !isRivals) this.lastError = cause;
    const wait =
      this.experience.mode === 'turns' && stoodMs > 0
        ? waitAfterTurn(!this.drained(), random)
        : this.backoff.after(cause, stoodMs);
    if (!turned) this.tellEnd(end, judgement, wait);
    if (!inConflict && this.experience.conflict) this.tellConflict(cause);
    return wait;
  }

  private onStable(): void {
    const inConflict = this.experience.conflict;
    this.experience.stable();
    if (!inConflict) return;
    const { connectionId, clientId } = this;
    this.lastError = null;
    this.logger.info({ clientId }, 'the conflict is over: nobody else uses the access token any more');
    this.options.events.emit('conflict-over', { connectionId, clientId });
  }

  private tellConflict(error: BridgeError): void {
    const { connectionId, clientId } = this;
    this.logger.error(
      { code: error.code, hint: error.hint, clientId, evidence: error.message, conduct: this.experience.mode },
      `CONFLICT: another client uses the same access token (client_id: ${clientId})`,
    );
    this.options.events.emit('conflict', { connectionId, clientId, error });
  }

  private tellEnd({ error, stoodMs }: RunEnd, { cause, evidence }: Judgement, wait: number): void {
    const { connectionId, clientId } = this;
    const fields = { code: error.code, cause, evidence, hint: error.hint, clientId, retryMs: wait, ...error.facts };
    const stood = stoodMs > 0;
    if (this.experience.conflict && cause !== 'conflict') {
      // It was said when it began.
      this.logger.debug(fields, `MQTT Disconnected: ${error.message}`);
    } else if (stood && cause !== 'conflict') {
      this.logger.warn(fields, `MQTT Disconnected: ${error.message}${RC7.has(cause) ? ' (rc=7)' : ''}`);
    } else if (this.loggedCode === error.code) {
      // One line per outage, not one per attempt.
      this.logger.debug(fields, `MQTT still not connected: ${error.message}`);
    } else if (!stood) {
      this.logger.warn(fields, `MQTT not connected: ${error.message}`);
    }
    this.loggedCode = error.code;
    this.options.events.emit('disconnected', { connectionId, error, stood, cause });
  }

  notify(): void {
    this.delivery?.refresh();
  }

  lookAgain(): void {
    this.delivery?.restart();
  }

  settled(device: string): void {
    this.unsettled.delete(device);
    this.delivery?.restart();
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
      this.options.writer.hurry();
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
    this.options.writer.hurry();
    await this.settlement.finished();
    this.holds.stop();
  }

  messages(): number {
    return this.counts.messages;
  }

  statistics(): PublisherStatistics {
    return {
      ...this.counts,
      state: this.state,
      conflict: this.experience.conflict,
      clientId: this.clientId,
      pending: this.options.outbox.depthOf(this.connectionId),
      connectedSince: this.connectedSince,
      certificateExpires: this.certificateExpires === null ? null : new Date(this.certificateExpires).toISOString(),
      lastError: this.lastError?.report() ?? null,
    };
  }
}
