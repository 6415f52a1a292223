/**
 * A line on which the meters begin to talk: one listener that many meters share. Each meter has a worker of its own, which
 * talks over the connection that the meter has made; pushes are heard on every connection, whoever uses it meanwhile.
 */
import { asBridgeError, BridgeError } from '../core/errors.ts';
import { type Clock, sleep } from '../runtime/clock.ts';
import { EventBus } from '../runtime/events.ts';
import type { Logger } from '../runtime/logger.ts';
import { type DialInMark, marksOf } from '../transport/dial-in.ts';
import type { LineSettings } from '../transport/line-settings.ts';
import type { ListenLink } from '../transport/link-address.ts';
import { callerAddresses } from './caller-name.ts';
import { Callers } from './callers.ts';
import { type DeviceEvents, type DeviceManager, DeviceMonitor } from './device-manager.ts';
import { InboundTransport } from './inbound-transport.ts';
import { type Listening, openListener } from './listeners.ts';
import type { MeterOnLine, MeterRest } from './meter-slot.ts';
import type { Senders } from './push-ear.ts';
import { LINE_RECOVERY, Recovery, type SavedRecovery } from './recovery.ts';
import { LineWorker } from './worker.ts';
import type { LineSnapshot, MeterJob, MeterLine } from './worker-types.ts';

export interface ListenLineOptions {
  readonly address: ListenLink;
  readonly id: number;
  readonly settings: LineSettings;
  readonly devices: DeviceManager;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Station {
  readonly meter: MeterOnLine;
  readonly marks: readonly DialInMark[];
  readonly transport: InboundTransport;
  readonly worker: LineWorker;
}

/** How often connections are looked at that were silent for too long. */
const SWEEP_MS = 10_000;

export class ListenLine implements MeterLine {
  readonly senders: Senders & { bySource(address: string): MeterOnLine | null };
  readonly callers: Callers;
  private readonly options: ListenLineOptions;
  private readonly monitor: DeviceMonitor;
  private readonly stations = new Map<number, Station>();
  /** By mark; null while it is to be made anew. */
  private marked: ReadonlyMap<string, MeterOnLine> | null = null;
  private readonly ended = new AbortController();
  private readonly recovery: Recovery;
  private listening: Listening | null = null;
  private readonly running: Promise<unknown>;
  private isDown = false;

  constructor(options: ListenLineOptions) {
    const { address, id, devices, clock, log } = options;
    this.options = options;
    this.monitor = devices.register({ kind: 'line', id, name: address.text });
    this.recovery = new Recovery(LINE_RECOVERY, clock);
    this.senders = {
      bySource: (source) => this.known(`source=${source}`),
      byTitle: (title) => this.known(`title=${title}`),
      byDeviceName: (name) => this.known(`device-name=${name}`),
      byStation: () => this.onlyMeter(),
    };
    const listed = new Set<string>();
    this.callers = new Callers({
      framing: address.framing,
      senders: this.senders,
      addresses: () => callerAddresses(this.namedMeters()),
      isSessions: ({ id: meterId, settings: { client } }, called) =>
        client === called && this.stations.get(meterId)?.worker.isAssociated(meterId) === true,
      onIdentified: (connection, meter) => {
        const station = this.stations.get(meter.id);
        if (station === undefined || station.meter !== meter) {
          connection.end();
          return;
        }
        station.transport.add(connection);
        meter.onReachable?.();
      },
      onEnded: (connection) => this.stations.get(connection.meter?.id ?? -1)?.transport.remove(connection),
      onStranger: (from, error) => tellOnce(log, listed, from, error),
      clock,
      log,
    });
    this.running = Promise.all([this.listen(), this.sweep()]);
  }

  setMeter(meter: MeterOnLine, saved: SavedRecovery | null = null): void {
    const { address, id, devices, clock, log, settings } = this.options;
    const known = this.stations.get(meter.id);
    if (known !== undefined) this.drop(known);
    const transport = new InboundTransport(`${meter.name} at ${address.text}`, clock);
    const worker = new LineWorker({
      transport,
      framing: address.framing,
      signsOn: false,
      network: true,
      devices,
      monitor: new DeviceMonitor({ kind: 'line', id, name: transport.description }, clock, silentEvents(), null),
      isReachable: () => transport.isReachable,
      keepAliveMs: settings.keepAliveMs,
      clock,
      log,
    });
    worker.setMeter(meter, saved);
    const marks = marksOf(meter);
    this.stations.set(meter.id, { meter, marks, transport, worker });
    this.marked = null;
  }

  async removeMeter(meterId: number): Promise<void> {
    const station = this.stations.get(meterId);
    if (station === undefined) return;
    await station.worker.removeMeter(meterId);
    if (this.stations.get(meterId) === station) this.stations.delete(meterId);
    this.drop(station);
    this.marked = null;
  }

  holdMeter(meterId: number, held: boolean): void {
    this.stations.get(meterId)?.worker.holdMeter(meterId, held);
  }

  retryMeter(meterId: number): void {
    this.stations.get(meterId)?.worker.retryMeter(meterId);
  }

  restMs(meterId: number): number {
    return this.stations.get(meterId)?.worker.restMs(meterId) ?? Number.POSITIVE_INFINITY;
  }

  meterRest(meterId: number): MeterRest | undefined {
    return this.stations.get(meterId)?.worker.meterRest(meterId);
  }

  submit<T>(job: MeterJob<T>): Promise<T> {
    const station = this.stations.get(job.meterId);
    if (station === undefined) {
      return Promise.reject(new BridgeError('NOT_FOUND', 'the meter is no longer on this line'));
    }
    return station.worker.submit(job);
  }

  async stop(withinMs?: number): Promise<void> {
    this.ended.abort();
    await Promise.all([...this.stations.values()].map(({ worker }) => worker.stop(withinMs)));
    this.callers.endAll();
    await this.listening?.close();
    await this.running;
    this.monitor.ended();
  }

  snapshot(): LineSnapshot {
    const workers = [...this.stations.values()].map(({ worker }) => worker.snapshot());
    const sum = (of: (one: LineSnapshot) => number): number => workers.reduce((total, one) => total + of(one), 0);
    const jobs = sum(({ completed, failed }) => completed + failed);
    const rest = this.recovery.restMs;
    return {
      ...this.monitor.statistics(),
      line: this.options.address.text,
      status: this.isDown ? 'down' : workers.some(({ status }) => status === 'busy') ? 'busy' : 'idle',
      queued: sum(({ queued }) => queued),
      completed: sum(({ completed }) => completed),
      failed: sum(({ failed }) => failed),
      avgMs: jobs === 0 ? 0 : Math.round(sum(({ avgMs, completed, failed }) => avgMs * (completed + failed)) / jobs),
      nextAttemptAt: rest > 0 ? Math.round(this.options.clock.now() + rest) : null,
      inbound: this.callers.counts(),
    };
  }

  /** On a serial line that nobody shares, whatever comes is of its one meter. */
  private onlyMeter(): MeterOnLine | null {
    if (this.options.address.kind !== 'listen+serial' || this.stations.size !== 1) return null;
    const [only] = this.stations.values();
    return only?.meter ?? null;
  }

  /** Those that can be told by their name. */
  private namedMeters(): MeterOnLine[] {
    return [...this.stations.values()]
      .filter(({ marks }) => marks.some(({ kind }) => kind === 'device-name'))
      .map(({ meter }) => meter);
  }

  private known(mark: string): MeterOnLine | null {
    this.marked ??= this.markedMeters();
    return this.marked.get(mark) ?? null;
  }

  /** A mark that two meters have is the first one's. */
  private markedMeters(): ReadonlyMap<string, MeterOnLine> {
    const marked = new Map<string, MeterOnLine>();
    for (const { meter, marks } of this.stations.values()) {
      const { serverSystemTitle } = meter.settings;
      const own = marks.map(({ kind, value }) => `${kind}=${value}`);
      const all = serverSystemTitle === null ? own : [...own, `title=${serverSystemTitle.toLowerCase()}`];
      for (const mark of new Set(all)) {
        const other = marked.get(mark);
        if (other === undefined) marked.set(mark, meter);
        else this.options.log.warn({ mark, meter: other.name, other: meter.name }, 'two meters are known by one mark');
      }
    }
    return marked;
  }

  private drop({ worker, transport }: Station): void {
    transport.endAll();
    void worker.stop(0);
  }

  /** Listens, and begins anew whenever that ends. */
  private async listen(): Promise<void> {
    const { address, clock, log } = this.options;
    const { signal } = this.ended;
    while (!signal.aborted) {
      let lost: () => void = () => undefined;
      const over = new Promise<void>((resolve) => {
        lost = resolve;
      });
      signal.addEventListener('abort', lost, { once: true });
      try {
        this.monitor.attempt();
        this.listening = await openListener({
          ...this.options,
          callers: this.callers,
          senders: this.senders,
          onLost: lost,
        });
        this.isDown = false;
        this.recovery.reset();
        this.monitor.answered();
        log.info({ line: address.text }, 'listening for meters');
        await over;
        await this.listening.close();
        this.listening = null;
        if (!signal.aborted) throw new BridgeError('LINE_CLOSED', `${address.text}: nothing is heard any more`);
      } catch (thrown) {
        const error = asBridgeError(thrown);
        if (!this.isDown) log.warn({ line: address.text, code: error.code }, `cannot listen: ${error.message}`);
        this.isDown = true;
        this.recovery.failed();
        this.monitor.failed(error);
        await sleep(clock, this.recovery.restMs, signal).catch(() => undefined);
      } finally {
        signal.removeEventListener('abort', lost);
      }
    }
  }

  private async sweep(): Promise<void> {
    const { clock, settings } = this.options;
    const { idleCloseMs } = settings;
    const { signal } = this.ended;
    while (idleCloseMs !== null && !signal.aborted) {
      await sleep(clock, SWEEP_MS, signal).catch(() => undefined);
      for (const { transport } of this.stations.values()) transport.endSilent(idleCloseMs);
    }
  }
}

/** Strangers that are remembered as told of. */
const MOST_LISTED = 256;

function tellOnce(log: Logger, listed: Set<string>, from: string, { code, message, hint }: BridgeError): void {
  const text = `${from}: ${message}`;
  if (listed.has(text) || listed.size >= MOST_LISTED) log.debug({ from, code }, message);
  else log.warn({ from, code, hint }, `not taken from ${from}: ${message}`);
  if (listed.size < MOST_LISTED) listed.add(text);
}

/** The state of a single connection is told by its meter. */
function silentEvents(): EventBus<DeviceEvents> {
  return new EventBus<DeviceEvents>(() => undefined);
}
