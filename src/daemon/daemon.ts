/**
 * The daemon: composes store, lines, pollers and publishers, follows the configuration, tells how it is doing, and
 * stops within bounds. From a cycle's commit on nothing can lose its readings; everything before is asked again.
 */

import { CommandExecutor } from '../command/executor.ts';
import { asBridgeError, type BridgeError } from '../core/errors.ts';
import { Admission } from '../line/admission.ts';
import { DeviceManager } from '../line/device-manager.ts';
import type { PollingEvents } from '../polling/events.ts';
import type { PushEvents } from '../polling/push-events.ts';
import type { Clock } from '../runtime/clock.ts';
import { EventBus } from '../runtime/events.ts';
import type { LogLevels } from '../runtime/log-levels.ts';
import type { Logger } from '../runtime/logger.ts';
import { acquireDaemonLock, type DaemonLock } from '../store/daemon-lock.ts';
import type { Database } from '../store/database.ts';
import type { BridgeSettings } from '../store/fleet/bridge-settings.ts';
import { connectionsOfBridge, loadFleet } from '../store/fleet/load.ts';
import { revision } from '../store/fleet/revision.ts';
import type { Fleet } from '../store/fleet/types.ts';
import { loadStatus, loadTotals } from '../store/local/status.ts';
import type { OutboxDepth, OutboxReader, StatusEntry, Writer } from '../store/local/types.ts';
import type { ThingsBoardEvents } from '../thingsboard/events.ts';
import { AlertCentre } from './alerts/alert-centre.ts';
import type { AlertNotice } from './alerts/alert-desk.ts';
import { noticeCommit } from './alerts/alert-telemetry.ts';
import { VitalSigns } from './alerts/vital-signs.ts';
import { ThingsBoardDesk } from './attributes/thingsboard-desk.ts';
import { admissionOf, BridgeConduct } from './bridge-conduct.ts';
import { FleetRunner } from './fleet/fleet-runner.ts';
import { HostClock } from './host-clock.ts';
import { logEvents, logSummary } from './log-events.ts';
import { Loops } from './loops.ts';
import { type OpenedStore, openStore } from './opened-store.ts';
import { PublisherSet } from './publisher-set.ts';
import { type Gauges, targetGauges } from './status/gauges.ts';
import { LineNews } from './status/line-news.ts';
import { logPushes } from './status/push-board.ts';
import {
  type DaemonFigures,
  type DaemonStatus,
  earlierMeters,
  type MeterStatus,
  StatusBoard,
} from './status/status-board.ts';

export interface DaemonOptions {
  readonly databasePath: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** In place of what is stored, for this process. */
  readonly overrides?: Partial<BridgeSettings>;
  /** Follows the settings of the bridge; nothing is changed when absent. */
  readonly levels?: Pick<LogLevels, 'prefer'>;
  /** False runs the writer in this thread: under a test runner that cannot load the worker. */
  readonly writerThread?: boolean;
}

export interface DaemonOutcome extends DaemonFigures {
  /** Every row was delivered. */
  readonly drained: boolean;
}

/** How often the configuration is looked at, the status saved, and the figures logged, milliseconds. */
const HOST_CLOCK_EVERY_MS = 1000;
const REVISION_EVERY_MS = 1000;
const STATUS_EVERY_MS = 2000;
const ALERTS_EVERY_MS = 5000;
const ATTRIBUTES_EVERY_MS = 2000;
const SUMMARY_EVERY_MS = 60_000;
/** How long delivering what is left may take when the daemon stops. */
const DRAIN_MS = 30_000;

export class Daemon {
  readonly polling: EventBus<PollingEvents>;
  readonly pushes: EventBus<PushEvents>;
  readonly thingsboard: EventBus<ThingsBoardEvents>;
  readonly devices: DeviceManager;
  readonly board: StatusBoard;
  private readonly options: DaemonOptions;
  private readonly lock: DaemonLock;
  private readonly store: OpenedStore;
  private readonly database: Database;
  private readonly writer: Writer;
  private readonly outbox: OutboxReader;
  private readonly hostClock: HostClock;
  private readonly fleet: FleetRunner;
  private readonly publishers: PublisherSet;
  private readonly commands: CommandExecutor;
  private readonly alerts: AlertCentre;
  private readonly desk: ThingsBoardDesk;
  private readonly vitals: VitalSigns;
  private readonly conduct: BridgeConduct;
  private readonly stopping = new AbortController();
  private readonly loops: Loops;
  /** What was applied last. */
  private configured: Fleet;
  private readonly lineNews = new LineNews();

  /**
   * Repairs a damaged database from its backup first. Throws DAEMON_ALREADY_RUNNING, DATABASE_*, NOT_INITIALISED,
   * SEALING_KEY_*. Starts with the broker and all meters away.
   */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const { databasePath, clock, log, writerThread: thread = true } = options;
    const lock = acquireDaemonLock(databasePath);
    let store: OpenedStore | null = null;
    let daemon: Daemon | null = null;
    try {
      const commitWithinMs = (): number => daemon?.commitWithinMs() ?? 0;
      store = await openStore({ databasePath, clock, log: log.child({ room: 'store' }), thread, commitWithinMs });
      daemon = new Daemon(options, lock, store);
      await daemon.applyConfiguration();
      if (store.repair !== null) daemon.alerts.announce('DATABASE_REPAIRED', store.repair.detail);
      // What an earlier process left there must not pass for ours.
      await daemon.saveStatusNow();
      daemon.beginLoops();
      await daemon.commands.start();
      return daemon;
    } catch (error) {
      // Whatever goes on would keep the process of a daemon that never was.
      await Promise.all([daemon?.commands.stop(), daemon?.fleet.stop()]);
      await daemon?.publishers.stop();
      await store?.close();
      lock.release();
      throw error;
    }
  }

  private constructor(options: DaemonOptions, lock: DaemonLock, store: OpenedStore) {
    const { database, writer, outbox } = store;
    const { clock, log } = options;
    const onListenerError = (error: unknown): void =>
      log.error({ err: asBridgeError(error).message }, 'listener failed');
    this.configured = loadFleet(database);
    const { settings } = this.configured;
    this.options = options;
    this.loops = new Loops(clock, log, this.stopping.signal, (error) => store.damage.hear(error));
    this.conduct = new BridgeConduct(options.levels ?? { prefer: () => {} }, settings);
    this.lock = lock;
    this.store = store;
    this.database = database;
    this.writer = writer;
    this.outbox = outbox;
    this.polling = new EventBus<PollingEvents>(onListenerError);
    this.pushes = new EventBus<PushEvents>(onListenerError);
    this.thingsboard = new EventBus<ThingsBoardEvents>(onListenerError);
    this.devices = new DeviceManager(clock, onListenerError);
    this.vitals = new VitalSigns(clock, this.polling);
    const earlier = earlierMeters(loadStatus(database));
    this.board = new StatusBoard(clock, this.polling, this.thingsboard, this.devices, this.pushes, earlier);
    this.hostClock = new HostClock(clock, writer, log);
    this.fleet = new FleetRunner({
      database,
      writer,
      clock,
      hostTime: this.hostClock.time,
      events: this.polling,
      pushes: this.pushes,
      devices: this.devices,
      admission: new Admission(admissionOf(settings, options.overrides), clock),
      earlier: new Map([...earlier].map(([id, { connection }]) => [id, connection])),
      log,
    });
    this.publishers = new PublisherSet({
      outbox: this.outbox,
      writer,
      clock,
      logger: log.child({ room: 'thingsboard' }),
      events: this.thingsboard,
      sharedKeys: (connectionId, device) => this.desk.sharedKeys(connectionId, device),
    });
    this.commands = new CommandExecutor({
      database,
      writer,
      clock,
      log: log.child({ room: 'command' }),
      meterNamed: (name) => this.fleet.commanded(name),
    });
    this.alerts = new AlertCentre({
      database,
      writer,
      clock,
      hostTime: this.hostClock.time,
      log: log.child({ room: 'alert' }),
      thingsboard: this.thingsboard,
      figures: () => this.alertFigures(),
      signal: this.stopping.signal,
      onNotice: (notice) => void this.loops.attempt(() => this.publishNotice(notice)),
    });
    this.desk = new ThingsBoardDesk({
      database,
      writer,
      clock,
      log: log.child({ room: 'thingsboard' }),
      thingsboard: this.thingsboard,
      polling: this.polling,
      publishers: this.publishers,
      signal: this.stopping.signal,
      changed: () => this.loops.attempt(() => this.followConfiguration()),
      statusOf: (id) => this.statusOf(id),
      firmwareOf: (id) => this.fleet.firmwareOf(id),
      restartRequired: () => this.conduct.restartRequired().length > 0,
    });
    this.polling.on('committed', ({ connectionIds }) => this.publishers.notify(connectionIds));
    this.polling.on('profile', ({ connectionIds }) => this.publishers.notify(connectionIds));
    this.pushes.on('pushed', ({ meterId, connectionIds }) => {
      this.publishers.notify(connectionIds);
      this.fleet.pushed(meterId);
    });
    logPushes(this.pushes, log);
    logEvents(this.polling, this.thingsboard, this.devices, log);
  }

  private beginLoops(): void {
    this.loops.every(HOST_CLOCK_EVERY_MS, () => this.hostClock.look());
    this.loops.every(REVISION_EVERY_MS, () =>
      this.followConfiguration().finally(() => this.vitals.beat('configuration')),
    );
    this.loops.every(STATUS_EVERY_MS, () => this.saveStatus().finally(() => this.vitals.beat('database')));
    this.loops.every(ALERTS_EVERY_MS, () => this.alerts.look());
    this.loops.every(ATTRIBUTES_EVERY_MS, () => this.desk.look());
    this.loops.every(SUMMARY_EVERY_MS, () => this.summarise());
  }

  figures(): DaemonFigures {
    return { ...this.board.figures(), messages: this.publishers.messages() };
  }

  /** Resolves when the daemon cannot go on and has to be started anew. */
  get failed(): Promise<BridgeError> {
    return this.store.damage.found;
  }

  /** What does not go on as it should, in words; empty while all does. */
  ailments(): readonly string[] {
    return this.vitals.ailments({
      connectedMeters: this.devices.totals('meter').connected,
      shortestIntervalMs: Math.min(...this.configured.groups.map(({ intervalMs }) => intervalMs)),
      connections: this.publishers.statuses(),
    });
  }

  /** Reads the configuration and applies what changed, as happens within a second anyway. Throws DATABASE_*, SEALING_KEY_*. */
  reload(): Promise<void> {
    return this.applyConfiguration();
  }

  /** Throws DATABASE_*. */
  gauges(): Gauges {
    const { configured } = this;
    const recentPublishRate = this.recentPublishRate();
    const queued = [...this.fleet.activeLines.values()].map((line) => line.snapshot().queued);
    return {
      now: this.hostClock.time.now(),
      daemon: { ...this.board.daemon(this.publishers.messages()), recentPublishRate },
      devices: { meter: this.devices.totals('meter'), line: this.devices.totals('line') },
      jobsQueued: queued.reduce((sum, jobs) => sum + jobs, 0),
      targets: targetGauges(configured, this.outbox.depths(), this.publishers.statuses()),
      totals: loadTotals(this.database),
      alerts: this.alerts.activeByCode(),
    };
  }

  outboxDepth(): OutboxDepth {
    return this.outbox.depth();
  }

  /** Stops polling, delivers what is left within 30 s, and ends. */
  async stop(): Promise<DaemonOutcome> {
    this.stopping.abort();
    this.writer.hurry();
    try {
      await Promise.all([this.commands.stop(), this.fleet.stop()]);
      // What is delivered from a damaged database could not be taken out of it.
      const drained = await this.publishers.drain(this.store.damage.hasFound ? 0 : DRAIN_MS);
      await this.publishers.stop();
      await this.desk.stored();
      await this.loops.ended();
      await this.alerts.stop();
      // A database that cannot be written must not keep the daemon from ending.
      await this.loops.attempt(() => this.saveStatusNow());
      this.summarise();
      if (!drained) await this.loops.attempt(() => this.tellWhatIsLeft());
      return { ...this.figures(), drained };
    } finally {
      await this.store.close();
      this.lock.release();
    }
  }

  private async tellWhatIsLeft(): Promise<void> {
    const { rows } = this.outbox.depth();
    this.options.log.warn({ rows }, 'rows are left in the outbox; the next start delivers them');
  }

  private async applyConfiguration(): Promise<void> {
    const fleet = loadFleet(this.database);
    this.conduct.apply(fleet.settings);
    this.desk.apply(fleet);
    await this.publishers.apply(fleet);
    this.publishers.lookAgain();
    this.fleet.apply(fleet);
    this.alerts.apply(fleet);
    this.configured = fleet;
    this.options.log.info({ revision: fleet.revision, meters: fleet.meters.length }, 'configuration applied');
  }

  private async followConfiguration(): Promise<void> {
    if (!this.stopping.signal.aborted && revision(this.database) !== this.configured.revision)
      await this.applyConfiguration();
  }

  private async saveStatus(): Promise<void> {
    const entries: StatusEntry[] = this.board.takeChangedMeters((id) => this.fleet.connectionOf(id));
    const devices = { meters: this.devices.totals('meter'), lines: this.devices.totals('line') };
    const restartRequired = this.conduct.restartRequired();
    const recentPublishRate = this.recentPublishRate();
    const daemon = { ...this.board.daemon(this.publishers.messages()), recentPublishRate, devices, restartRequired };
    entries.push({ subject: 'daemon', json: JSON.stringify(daemon satisfies DaemonStatus) });
    entries.push(...this.lineNews.take(this.fleet.activeLines));
    for (const [id, status] of this.publishers.statuses())
      entries.push({ subject: `connection:${id}`, json: JSON.stringify(status) });
    await this.writer.saveStatus(entries);
  }

  private commitWithinMs(): number {
    return this.stopping.signal.aborted ? 0 : this.conduct.settings.commitWithinMs;
  }

  private saveStatusNow(): Promise<void> {
    const saved = this.saveStatus();
    this.writer.hurry();
    return saved;
  }

  private statusOf(id: number): MeterStatus | undefined {
    return this.board.meterStatus(id, (meterId) => this.fleet.connectionOf(meterId));
  }

  private recentPublishRate(): number | null {
    return this.board.recentPublishRate(this.conduct.settings.alertPublishRateCycles);
  }

  private alertFigures() {
    return {
      connections: this.publishers.statuses(),
      meter: (id: number) => this.statusOf(id),
      line: (id: number) => this.fleet.activeLines.get(id)?.snapshot(),
      outbox: this.outbox.depths(),
      publishRate: this.recentPublishRate(),
      startedAt: this.board.startedAt,
    };
  }

  private async publishNotice(notice: AlertNotice): Promise<void> {
    const connectionIds = connectionsOfBridge(this.configured).map(({ id }) => id);
    await this.writer.commitCycle(noticeCommit(notice, connectionIds, this.hostClock.time.doubt()));
    this.publishers.notify(connectionIds);
  }

  private summarise(): void {
    logSummary(this.options.log, this.figures());
  }
}
