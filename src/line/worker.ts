/**
 * One physical way to meters and the single async worker that uses it: jobs run one after the other, the most urgent
 * first; the port is opened on demand; each meter keeps its session between jobs.
 *
 * Who holds the line: over HDLC one association stands at a time (a multi-drop RS-485 line has one master and small
 * meters), over a wrapper socket every logical device keeps its own.
 */
import { asBridgeError, BridgeError } from '../core/errors.ts';
import type { MeterSecrets, MeterSettings } from '../dlms/settings.ts';
import { MeterSession, type SecurityPorts } from '../meter/session.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { delays, type RetryPolicy } from '../runtime/retry.ts';
import type { Framing } from '../transport/link-address.ts';
import type { Transport } from '../transport/transport.ts';
import { JobQueue, type Queued } from './job-queue.ts';
import { LinePort } from './port.ts';

export interface MeterOnLine {
  readonly id: number;
  readonly name: string;
  readonly settings: MeterSettings;
  readonly secrets: MeterSecrets;
  readonly security: SecurityPorts;
}

export interface MeterJob<T> extends Queued {
  readonly meterId: number;
  /** Runs with a standing association. */
  run(session: MeterSession): Promise<T>;
}

export interface LineWorkerOptions {
  readonly transport: Transport;
  readonly framing: Framing;
  /** Opening the line signs on to the meter (mode E): each association wants the line opened anew. */
  readonly signsOn: boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface LineSnapshot {
  readonly line: string;
  readonly status: 'idle' | 'busy' | 'down';
  readonly queued: number;
  readonly completed: number;
  readonly failed: number;
  readonly avgMs: number;
  /** Wall clock of the last answer on this line, null if there was none. */
  readonly lastSeen: number | null;
}

interface QueuedJob extends Queued {
  readonly meterId: number;
  run(session: MeterSession): Promise<unknown>;
  resolve(value: unknown): void;
  reject(error: BridgeError): void;
}

interface MeterSlot {
  readonly meter: MeterOnLine;
  readonly session: MeterSession;
  /** Delays still to come in this run of failures. */
  backOff: Iterator<number, undefined> | null;
  /** Monotonic time before which polls leave the meter alone. */
  restsUntil: number;
}

/** How long a meter that does not answer is left alone between polls. */
const METER_BACK_OFF: RetryPolicy = {
  shape: 'exponential',
  base: 1000,
  max: 60_000,
  attempts: Number.POSITIVE_INFINITY,
  jitter: 'full',
};

/** What stands after this is not released any more: closing the port ends it. */
const STOP_WITHIN_MS = 5000;

export class LineWorker {
  private readonly options: LineWorkerOptions;
  private readonly port: LinePort;
  private readonly queue = new JobQueue<QueuedJob>();
  private readonly slots = new Map<number, MeterSlot>();
  private running: Promise<void> | null = null;
  private stopped = false;
  private completed = 0;
  private failed = 0;
  private busyMs = 0;
  private lastSeen: number | null = null;
  private lastOpenFailed = false;

  constructor(options: LineWorkerOptions) {
    this.options = options;
    this.port = new LinePort(options.transport, (reason) => this.onPortClosed(reason));
  }

  /** Adds or replaces a meter; a changed one starts with a new session. */
  setMeter(meter: MeterOnLine): void {
    const { clock, log, framing } = this.options;
    this.slots.get(meter.id)?.session.forget();
    const session = new MeterSession({
      settings: meter.settings,
      secrets: meter.secrets,
      security: meter.security,
      framing,
      wire: this.port,
      clock,
      log: log.child({ meter: meter.name }),
    });
    this.slots.set(meter.id, { meter, session, backOff: null, restsUntil: Number.NEGATIVE_INFINITY });
  }

  /** Takes a meter off the line; its queued jobs fail with NOT_FOUND, a running one ends first. */
  async removeMeter(meterId: number): Promise<void> {
    const slot = this.slots.get(meterId);
    if (slot === undefined) return;
    if (slot.session.isAssociated) {
      await this.submit({ meterId, priority: 'command', due: 0, run: (session) => session.release() }).catch((error) =>
        this.options.log.debug({ code: asBridgeError(error).code }, 'release before removal failed'),
      );
    }
    this.slots.delete(meterId);
  }

  /** Whether a poll of this meter would be wasted now: it failed lately and is left alone for a while. */
  isResting(meterId: number): boolean {
    const slot = this.slots.get(meterId);
    return slot !== undefined && slot.restsUntil > this.options.clock.monotonic();
  }

  /** Queues a job; resolves with what `run` gives, rejects with a BridgeError. */
  submit<T>(job: MeterJob<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.stopped) {
        reject(new BridgeError('STOPPING', 'the line is stopping'));
        return;
      }
      const { meterId, priority, due } = job;
      this.queue.push({
        meterId,
        priority,
        due,
        run: (session) => job.run(session),
        resolve: resolve as (value: unknown) => void,
        reject,
      });
      this.running ??= this.work();
    });
  }

  /** Lets the running job end, refuses the queued ones, releases associations and closes the port; within `withinMs`. */
  async stop(withinMs = STOP_WITHIN_MS): Promise<void> {
    this.stopped = true;
    for (const job of this.queue.clear()) job.reject(new BridgeError('STOPPING', 'the line is stopping'));
    const ended = this.endAll();
    const hurry = this.options.clock.setTimer(withinMs, () => void this.port.close());
    await ended;
    hurry.cancel();
    await this.port.close();
  }

  private async endAll(): Promise<void> {
    await this.running;
    for (const { session } of this.slots.values()) await session.release();
  }

  snapshot(): LineSnapshot {
    const jobs = this.completed + this.failed;
    return {
      line: this.port.description,
      status: this.running !== null ? 'busy' : this.lastOpenFailed ? 'down' : 'idle',
      queued: this.queue.length,
      completed: this.completed,
      failed: this.failed,
      avgMs: jobs === 0 ? 0 : Math.round(this.busyMs / jobs),
      lastSeen: this.lastSeen,
    };
  }

  private async work(): Promise<void> {
    for (let job = this.queue.pop(); job !== undefined; job = this.queue.pop()) {
      const began = this.options.clock.monotonic();
      try {
        const value = await this.runJob(job);
        this.completed += 1;
        this.lastSeen = this.options.clock.now();
        job.resolve(value);
      } catch (error) {
        this.failed += 1;
        job.reject(asBridgeError(error));
      }
      this.busyMs += this.options.clock.monotonic() - began;
    }
    this.running = null;
  }

  private async runJob(job: QueuedJob): Promise<unknown> {
    const slot = this.slots.get(job.meterId);
    if (slot === undefined) throw new BridgeError('NOT_FOUND', 'the meter is no longer on this line');
    const stood = slot.session.isAssociated;
    try {
      return await this.attempt(slot, job);
    } catch (thrown) {
      const error = asBridgeError(thrown);
      // A standing association may have died unnoticed since the last job (inactivity time-out, rebooted modem).
      if (stood && !this.stopped && !slot.session.isAssociated && STALE_CODES.includes(error.code)) {
        this.options.log.debug({ meter: slot.meter.name, code: error.code }, 'association was stale, made anew');
        return await this.attempt(slot, job);
      }
      throw error;
    }
  }

  private async attempt(slot: MeterSlot, job: QueuedJob): Promise<unknown> {
    try {
      await this.takeLine(slot);
      await this.openPort(slot);
      await slot.session.ensureAssociated();
      const value = await job.run(slot.session);
      slot.backOff = null;
      slot.restsUntil = Number.NEGATIVE_INFINITY;
      return value;
    } catch (thrown) {
      const error = asBridgeError(thrown);
      if (!slot.session.isAssociated) await this.onMeterFailed(slot, error);
      throw error;
    }
  }

  private async openPort({ session: { quirks } }: MeterSlot): Promise<void> {
    try {
      await this.port.ensureOpen({ switchWaitMs: quirks.baudSwitchWait, switchBaud: !quirks.noBaudSwitch });
      this.lastOpenFailed = false;
    } catch (error) {
      this.lastOpenFailed = true;
      throw error;
    }
  }

  /** Over HDLC the meter that held the line before is released first. */
  private async takeLine(slot: MeterSlot): Promise<void> {
    if (this.options.framing === 'wrapper') return;
    for (const other of this.slots.values()) {
      if (other === slot || !other.session.isAssociated) continue;
      await other.session.release();
      if (this.options.signsOn) await this.port.close();
    }
  }

  private async onMeterFailed(slot: MeterSlot, error: BridgeError): Promise<void> {
    slot.session.forget();
    slot.backOff ??= delays(METER_BACK_OFF);
    const rest = slot.backOff.next().value ?? METER_BACK_OFF.max;
    slot.restsUntil = this.options.clock.monotonic() + rest;
    // A late answer must not be taken for the answer to the next request. Meters that share a socket are told apart by
    // their wPorts; a meter alone on its socket gets a new one, which is sure.
    const lateAnswers = this.options.framing === 'wrapper' && this.slots.size === 1 && error.layer !== 'acse';
    if (this.port.isOpen && (lateAnswers || this.options.signsOn)) await this.port.close();
  }

  private onPortClosed(reason: BridgeError): void {
    this.options.log.debug({ code: reason.code }, 'line closed');
    for (const { session } of this.slots.values()) session.forget();
  }
}

/** What a meter or line answers when an association or connection died since it was last used. */
const STALE_CODES: readonly string[] = [
  'LINE_CLOSED',
  'LINE_IO',
  'LINK_LOST',
  'ASSOCIATION_LOST',
  'EXCEPTION_RESPONSE',
];
