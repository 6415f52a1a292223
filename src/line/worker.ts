/**
 * One physical way to meters and the single async worker that uses it: jobs run one after the other, the most urgent
 * first; the port is opened on demand; each meter keeps its session between jobs.
 *
 * Who holds the line: over HDLC one association stands at a time (a multi-drop RS-485 line has one master and small
 * meters), over a wrapper socket every logical device keeps its own.
 *
 * Whose failure it is: a line that cannot be opened rests by itself, and its jobs fail at once with the line's error; it
 * is not opened once more for each meter. Only what a meter did or did not do counts against the meter.
 */
import { asBridgeError, BridgeError } from '../core/errors.ts';
import { MeterSession } from '../meter/session.ts';
import { DeviceManager } from './device-manager.ts';
import { IdleWatch } from './idle-watch.ts';
import { JobQueue, type Queued } from './job-queue.ts';
import { LineAccess } from './line-access.ts';
import { type MeterOnLine, type MeterRest, MeterSlot } from './meter-slot.ts';
import { METER_RECOVERY, Recovery, type SavedRecovery } from './recovery.ts';
import { unsolicitedTaker } from './unsolicited.ts';
import type { LineSnapshot, LineWorkerOptions, MeterJob, MeterLine } from './worker-types.ts';

interface QueuedJob extends Queued {
  readonly meterId: number;
  perform(slot: MeterSlot): Promise<unknown>;
  /** Housekeeping of ours: no work that anybody asked for. */
  readonly isOwn: boolean;
  resolve(value: unknown): void;
  reject(error: BridgeError): void;
}

/** What stands after this is not released any more: closing the port ends it. */
const STOP_WITHIN_MS = 5000;
/** So many jobs in a row without one octet from anybody: the connection is taken for dead. */
const SILENT_JOBS = 2;

export class LineWorker implements MeterLine {
  private readonly options: LineWorkerOptions;
  private readonly access: LineAccess;
  private readonly devices: DeviceManager;
  private readonly queue = new JobQueue<QueuedJob>();
  private readonly slots = new Map<number, MeterSlot>();
  private readonly idle: IdleWatch;
  private running: Promise<void> | null = null;
  /** Whose job is running. */
  private working: number | null = null;
  private stopped = false;
  /** When it has stopped: nothing stands any more. */
  private ended: Promise<void> | null = null;
  private completed = 0;
  private failed = 0;
  private busyMs = 0;
  private silentJobs = 0;

  constructor(options: LineWorkerOptions) {
    const { id = 0, transport, name = transport.description, clock, log, admit, isReachable } = options;
    this.options = options;
    this.devices =
      options.devices ?? new DeviceManager(clock, ({ message }) => log.error({ err: message }, 'listener failed'));
    this.access = new LineAccess({
      transport,
      monitor: options.monitor ?? this.devices.register({ kind: 'line', id, name }),
      clock,
      ...(isReachable !== undefined && { isReachable }),
      ...(admit === undefined ? {} : { admit }),
      onLost: (reason) => this.onLost(reason),
    });
    const { idleCloseMs = null, keepAliveMs = null } = options;
    this.idle = new IdleWatch({
      clock,
      idleCloseMs,
      // Over a wrapper socket there is no link to keep alive.
      keepAliveMs: options.framing === 'hdlc' ? keepAliveMs : null,
      onSilent: () => this.keepAlive(),
      onIdle: () => void this.closeIdle(),
    });
  }

  /** Adds or replaces a meter; a changed one starts with a new session. `saved`: its run of failures so far. */
  setMeter(meter: MeterOnLine, saved: SavedRecovery | null = null): void {
    const { clock, log, framing } = this.options;
    this.slots.get(meter.id)?.session.forget();
    const session = new MeterSession({
      settings: meter.settings,
      secrets: meter.secrets,
      security: meter.security,
      framing,
      wire: this.access.port,
      clock,
      log: log.child({ meter: meter.name }),
      ...unsolicitedTaker(meter, this.access.port.description, clock),
    });
    const monitor = this.devices.register({ kind: 'meter', id: meter.id, name: meter.name });
    const slot = new MeterSlot(meter, session, new Recovery(METER_RECOVERY, clock), monitor);
    if (saved !== null) slot.restore(saved);
    this.slots.set(meter.id, slot);
  }

  /** Takes a meter off the line; its queued jobs fail with NOT_FOUND, a running one ends first. */
  async removeMeter(meterId: number): Promise<void> {
    await this.releaseMeter(meterId);
    // A line that stops releases what its running job leaves standing; it looks for that here.
    await this.ended;
    const slot = this.slots.get(meterId);
    this.slots.delete(meterId);
    slot?.monitor.ended();
  }

  /** Suspends a meter in the name of an operator, or ends that: nobody talks to it meanwhile. */
  holdMeter(meterId: number, held: boolean): void {
    const slot = this.slots.get(meterId);
    if (slot === undefined || slot.isHeld === held) return;
    slot.hold(held);
    if (held) void this.releaseMeter(meterId);
  }

  /** Ends the rest of a meter that failed: an operator wants it tried now. */
  retryMeter(meterId: number): void {
    this.slots.get(meterId)?.retry();
  }

  /** Whether an association with this meter stands over the open line. */
  isAssociated(meterId: number): boolean {
    return this.access.port.isOpen && this.slots.get(meterId)?.session.isAssociated === true;
  }

  /** Milliseconds for which a poll of this meter would be wasted: it, or the line, failed lately or is suspended. */
  restMs(meterId: number): number {
    return Math.max(this.access.restMs, this.slots.get(meterId)?.restMs ?? 0);
  }

  /** How a meter stands with its line; undefined for one that is not here. */
  meterRest(meterId: number): MeterRest | undefined {
    const slot = this.slots.get(meterId);
    if (slot === undefined) return undefined;
    return { recovery: slot.recovery.saved(), nextAttemptAt: this.wallAfter(this.restMs(meterId)) };
  }

  /**
   * Queues a job; resolves with what `run` gives, rejects with a BridgeError. A command tries a line or meter that rests
   * at once; METER_SUSPENDED refuses everything.
   */
  submit<T>(job: MeterJob<T>): Promise<T> {
    return this.enqueue(job, false, (slot) => this.runJob(slot, job)) as Promise<T>;
  }

  /** Lets the running job end, refuses the queued ones, releases associations and closes the port; within `withinMs`. */
  async stop(withinMs = STOP_WITHIN_MS): Promise<void> {
    this.stopped = true;
    this.idle.end();
    this.access.end();
    for (const job of this.queue.clear()) job.reject(new BridgeError('STOPPING', 'the line is stopping'));
    this.ended = this.endAll();
    const hurry = this.options.clock.setTimer(withinMs, () => void this.access.close());
    await this.ended;
    hurry.cancel();
    await this.access.close();
  }

  snapshot(): LineSnapshot {
    const jobs = this.completed + this.failed;
    return {
      ...this.access.monitor.statistics(),
      line: this.access.port.description,
      status: this.running !== null ? 'busy' : this.access.isDown ? 'down' : 'idle',
      queued: this.queue.length,
      completed: this.completed,
      failed: this.failed,
      avgMs: jobs === 0 ? 0 : Math.round(this.busyMs / jobs),
      nextAttemptAt: this.wallAfter(this.access.restMs),
    };
  }

  private enqueue(
    job: Queued & { readonly meterId: number },
    isOwn: boolean,
    perform: QueuedJob['perform'],
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.stopped) {
        reject(new BridgeError('STOPPING', 'the line is stopping'));
        return;
      }
      const { meterId, priority, due } = job;
      this.queue.push({ meterId, priority, due, isOwn, perform, resolve, reject });
      this.running ??= this.work();
    });
  }

  private async endAll(): Promise<void> {
    await this.running;
    for (const { session } of this.slots.values()) await session.release();
  }

  private async work(): Promise<void> {
    const { clock } = this.options;
    this.idle.end();
    for (let job = this.queue.pop(); job !== undefined; job = this.queue.pop()) {
      const began = clock.monotonic();
      this.working = job.meterId;
      try {
        const slot = this.slots.get(job.meterId);
        if (slot === undefined) throw new BridgeError('NOT_FOUND', 'the meter is no longer on this line');
        const value = await job.perform(slot);
        if (!job.isOwn) this.completed += 1;
        job.resolve(value);
      } catch (error) {
        if (!job.isOwn) this.failed += 1;
        job.reject(asBridgeError(error));
      }
      if (job.isOwn) continue;
      this.busyMs += clock.monotonic() - began;
      this.idle.worked();
      await this.releaseIfUnwanted(job.meterId);
    }
    this.running = null;
    this.working = null;
    if (this.access.port.isOpen && !this.stopped) this.idle.begin();
  }

  private async runJob<T>(slot: MeterSlot, job: MeterJob<T>): Promise<T> {
    if (slot.isHeld) throw new BridgeError('METER_SUSPENDED', `${slot.meter.name} is suspended by an operator`);
    const stood = slot.session.isAssociated;
    try {
      return await this.attempt(slot, job, stood);
    } catch (thrown) {
      const error = asBridgeError(thrown);
      if (!stood || slot.session.isAssociated || this.stopped || !STALE_CODES.includes(error.code)) throw error;
      this.options.log.debug({ meter: slot.meter.name, code: error.code }, 'association was stale, made anew');
      return await this.attempt(slot, job, false);
    }
  }

  /** `mayBeStale`: the association may have died since the last job (inactivity time-out, rebooted modem); no failure. */
  private async attempt<T>(slot: MeterSlot, job: MeterJob<T>, mayBeStale: boolean): Promise<T> {
    slot.monitor.attempt();
    try {
      await this.takeLine(slot);
      await this.access.ensureOpen(slot.signOnStyle, job.priority === 'command');
    } catch (thrown) {
      const error = asBridgeError(thrown);
      slot.session.forget();
      // The sign-on of mode E is the meter's affair.
      slot.failed(error, error.layer !== 'transport' && this.isMeters(error));
      throw error;
    }
    const heardBefore = this.access.port.octetsReceived;
    try {
      await slot.session.ensureAssociated();
      const value = await job.run(slot.session);
      this.silentJobs = 0;
      slot.answered();
      return value;
    } catch (thrown) {
      const error = asBridgeError(thrown);
      this.silentJobs = this.access.port.octetsReceived > heardBefore ? 0 : this.silentJobs + 1;
      if (slot.session.isAssociated) slot.answered();
      else if (!(mayBeStale && STALE_CODES.includes(error.code))) slot.failed(error, this.isMeters(error));
      if (!slot.session.isAssociated) await this.clearLine(slot, error);
      throw error;
    }
  }

  /** Over HDLC the meter that held the line before is released first. */
  private async takeLine(slot: MeterSlot): Promise<void> {
    if (this.options.framing === 'wrapper') return;
    for (const other of this.slots.values()) {
      if (other === slot || !other.session.isAssociated) continue;
      await other.session.release();
      if (this.options.signsOn) await this.closePort();
    }
  }

  /** After a job that lost its association: nothing of it may reach the next one. */
  private async clearLine(slot: MeterSlot, error: BridgeError): Promise<void> {
    slot.session.forget();
    if (!this.access.port.isOpen) return;
    const { framing, signsOn, network = false } = this.options;
    // A late answer must not be taken for the answer to the next request. Meters that share a socket are told apart by
    // their wPorts; a meter alone on its socket gets a new one, which is sure.
    const lateAnswers = framing === 'wrapper' && this.slots.size === 1 && error.layer !== 'acse';
    // Behind a modem that rebooted everything is silent, and no system tells for minutes that the connection is dead.
    const dead = network && this.silentJobs >= SILENT_JOBS;
    if (lateAnswers || signsOn || dead) await this.closePort();
  }

  /** What our own store or program did, or our stopping, is not the meter's doing. */
  private isMeters({ fault, layer }: BridgeError): boolean {
    return !this.stopped && fault !== 'internal' && layer !== 'store';
  }

  private async releaseMeter(meterId: number): Promise<void> {
    // A running job may be about to associate.
    if (this.working !== meterId && this.slots.get(meterId)?.session.isAssociated !== true) return;
    const job = { meterId, priority: 'command', due: 0 } as const;
    await this.enqueue(job, true, ({ session }) => session.release()).catch((error) =>
      this.options.log.debug({ code: asBridgeError(error).code }, 'meter not released'),
    );
  }

  /** After a job of a meter whose session is not kept, unless it is needed again at once. */
  private async releaseIfUnwanted(meterId: number): Promise<void> {
    const slot = this.slots.get(meterId);
    if (slot === undefined || slot.meter.keepSession !== false || this.stopped) return;
    if (this.queue.some((job) => job.meterId === meterId)) return;
    await slot.session.release();
    const stands = [...this.slots.values()].some(({ session }) => session.isAssociated);
    if ((this.options.network === true || this.options.signsOn) && this.queue.length === 0 && !stands)
      await this.closePort();
  }

  /** What does not answer has died unnoticed: the next job makes it anew, and nobody is to blame. */
  private keepAlive(): void {
    for (const [meterId, { session, meter }] of this.slots) {
      if (!session.isAssociated) continue;
      const job = { meterId, priority: 'backfill', due: 0 } as const;
      const alive = async (): Promise<void> => {
        if (session.isAssociated) await session.keepAlive();
      };
      this.enqueue(job, true, alive).catch((error) => {
        this.options.log.debug({ meter: meter.name, code: asBridgeError(error).code }, 'no sign of life');
      });
    }
  }

  private async closeIdle(): Promise<void> {
    if (this.running !== null) return;
    this.idle.end();
    this.running = this.endAndClose();
    await this.running;
    this.running = this.queue.length > 0 ? this.work() : null;
  }

  private async endAndClose(): Promise<void> {
    for (const { session } of this.slots.values()) await session.release();
    await this.closePort();
  }

  /** On purpose: what stood over it is gone, and nothing is wrong. */
  private async closePort(): Promise<void> {
    this.silentJobs = 0;
    for (const { session } of this.slots.values()) session.forget();
    await this.access.close();
  }

  private onLost(reason: BridgeError): void {
    this.options.log.debug({ code: reason.code }, 'line closed');
    this.silentJobs = 0;
    for (const { session, monitor } of this.slots.values()) {
      session.forget();
      monitor.lost(reason);
    }
  }

  private wallAfter(restMs: number): number | null {
    if (restMs === 0 || restMs === Number.POSITIVE_INFINITY) return null;
    return Math.round(this.options.clock.now() + restMs);
  }
}

/** What a meter or line answers when an association or connection died since it was last used. */
const STALE_CODES: readonly string[] = [
  'LINE_CLOSED',
  'LINE_IO',
  'LINK_LOST',
  'ASSOCIATION_LOST',
  'EXCEPTION_RESPONSE',
  // The session has raised the counter by now.
  'INVOCATION_COUNTER_WRONG',
];
