/**
 * Runs the configured lines and pollers and follows the configuration: what a new revision does not touch goes on
 * undisturbed; a meter that changed gets a new session and poller, a line without meters is closed.
 */
import { createHash, randomUUID } from 'node:crypto';
import type { CommandedMeter } from '../../command/ports.ts';
import { toHex } from '../../core/bytes.ts';
import { asBridgeError, fail } from '../../core/errors.ts';
import type { Admission } from '../../line/admission.ts';
import type { DeviceManager } from '../../line/device-manager.ts';
import type { SavedRecovery } from '../../line/recovery.ts';
import { keepsSession } from '../../line/session-policy.ts';
import type { MeterLine } from '../../line/worker-types.ts';
import { type Knowledge, knowledgeOf } from '../../meter/knowledge.ts';
import type { PollingEvents } from '../../polling/events.ts';
import { MeterReader, type ReadMeter } from '../../polling/meter-reader.ts';
import type { PolledGroup } from '../../polling/poller.ts';
import type { PushEvents } from '../../polling/push-events.ts';
import type { PushIntake } from '../../polling/push-intake.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { EventBus } from '../../runtime/events.ts';
import type { HostTime } from '../../runtime/host-time.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Database } from '../../store/database.ts';
import { knownIdentity } from '../../store/fleet/identity.ts';
import { connectionsOfMeter, loadLearned } from '../../store/fleet/load.ts';
import type { Fleet, Line, Meter, Point, Profile } from '../../store/fleet/types.ts';
import type { Writer } from '../../store/local/types.ts';
import type { MeterConnection } from '../status/status-board.ts';
import { lineOf } from './line-of.ts';
import { intakeOf } from './push-intakes.ts';
import { securityPortsOf } from './security-ports.ts';

export interface FleetRunnerDependencies {
  readonly database: Database;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly hostTime: HostTime;
  readonly events: EventBus<PollingEvents>;
  readonly pushes: EventBus<PushEvents>;
  readonly devices: DeviceManager;
  /** Bounds what is connected to over a network. */
  readonly admission: Admission;
  /** How an earlier process left its meters. */
  readonly earlier: ReadonlyMap<number, MeterConnection | null>;
  readonly log: Logger;
}

interface WantedMeter {
  readonly meter: Meter;
  readonly line: Line;
  readonly polled: ReadMeter;
}

interface RunningMeter {
  /** Everything that makes the meter what it is; another text means another meter. */
  readonly fingerprint: string;
  readonly lineId: number;
  /** `Meter.resumes` that it was started or tried anew with. */
  resumes: number;
  readonly knowledge: Knowledge;
  /** Null: it cannot be run as it is configured. */
  readonly reader: MeterReader | null;
  readonly intake: PushIntake | null;
  readonly isPolled: boolean;
}

export class FleetRunner {
  private readonly deps: FleetRunnerDependencies;
  private readonly lines = new Map<number, MeterLine>();
  /** The line's settings when it was started. */
  private readonly lineSettings = new Map<number, string>();
  /** Lines that are being closed: their ports are not free yet. */
  private readonly closingLines = new Set<number>();
  private readonly meters = new Map<number, RunningMeter>();
  /** Meters whose last cycle is still under way; no other waits for them. */
  private readonly ending = new Map<number, Promise<void>>();
  /** Meters that go on where an earlier process left them. */
  private readonly restored = new Set<number>();
  private readonly closing = new Set<Promise<void>>();
  /** Disabled meters that commands work on, with how many: they run meanwhile, without being polled. */
  private readonly guests = new Map<number, number>();
  /** What is to run; null before the first `apply` and after `stop`. */
  private fleet: Fleet | null = null;

  constructor(deps: FleetRunnerDependencies) {
    this.deps = deps;
  }

  /** After `stop` those that were stopped last. */
  get activeLines(): ReadonlyMap<number, MeterLine> {
    return this.lines;
  }

  /** Makes what runs equal to what is configured; a meter that changed begins anew when its last cycle has ended. */
  apply(fleet: Fleet): void {
    this.fleet = fleet;
    const wanted = wantedOf(fleet, this.guests);
    for (const [id, running] of [...this.meters]) {
      const still = wanted.get(id);
      if (still === undefined || fingerprintOf(still) !== running.fingerprint) this.endMeter(id, running);
    }
    const usedLines = new Map([...wanted.values()].map(({ line }) => [line.id, JSON.stringify(line.settings)]));
    for (const [id, line] of [...this.lines]) {
      if (usedLines.get(id) === this.lineSettings.get(id)) continue;
      this.lines.delete(id);
      this.closeLine(id, line);
    }
    this.deps.devices.keepOnly('meter', wanted);
    this.deps.devices.keepOnly('line', usedLines);
    for (const [id, one] of wanted) {
      const isFree = !this.ending.has(id) && !this.closingLines.has(one.line.id);
      if (!this.meters.has(id) && isFree) this.startMeter(one);
      this.followOperator(one.meter);
    }
  }

  /** How a meter is reached; null for one that does not run. */
  connectionOf(meterId: number): MeterConnection | null {
    const running = this.meters.get(meterId);
    const statistics = this.deps.devices.get('meter', meterId)?.statistics();
    if (running === undefined || statistics === undefined) return null;
    const rest = this.lines.get(running.lineId)?.meterRest(meterId);
    return { ...statistics, recovery: null, nextAttemptAt: null, ...rest, resumes: running.resumes };
  }

  /** Versions of its firmware, by OBIS code; empty for a meter that does not run. */
  firmwareOf(meterId: number): ReadonlyMap<string, string> {
    return this.meters.get(meterId)?.knowledge.firmware ?? new Map();
  }

  /** A meter that is asked for nothing is there when it pushes. */
  pushed(meterId: number): void {
    if (this.meters.get(meterId)?.isPolled === false) this.deps.devices.get('meter', meterId)?.answered();
  }

  /** A meter as commands have it, a disabled one too; null when there is none of that name, or not yet. */
  commanded(name: string): CommandedMeter | null {
    const meter = this.fleet?.meters.find((one) => one.name === name);
    if (meter === undefined) return null;
    const { id, enabled } = meter;
    if (!enabled && !this.guests.has(id)) this.countGuest(id, 0);
    const running = this.meters.get(id);
    const line = running === undefined ? undefined : this.lines.get(running.lineId);
    if (running === undefined || line === undefined) return null;
    if (!enabled) this.countGuest(id, 1);
    return {
      id,
      name,
      knowledge: running.knowledge,
      submit: (run) => line.submit({ meterId: id, priority: 'command', due: 0, run }),
      leave: () => {
        if (!enabled) this.countGuest(id, -1);
      },
    };
  }

  private countGuest(id: number, more: number): void {
    const count = (this.guests.get(id) ?? 0) + more;
    if (count > 0 || more === 0) this.guests.set(id, count);
    else this.guests.delete(id);
    if (this.fleet !== null) this.apply(this.fleet);
  }

  /** Ends all polling; cycles under way are committed. */
  async stop(): Promise<void> {
    this.fleet = null;
    for (const [id, running] of [...this.meters]) this.endMeter(id, running);
    for (const [id, line] of this.lines) this.closeLine(id, line);
    await Promise.all([...this.ending.values(), ...this.closing]);
  }

  private startMeter(wanted: WantedMeter): void {
    const { id, name, lineId, resumes } = wanted.meter;
    const { devices, events, earlier } = this.deps;
    const learned = loadLearned(this.deps.database, id);
    const knowledge = knowledgeOf(learned);
    const monitor = devices.register({ kind: 'meter', id, name }, earlier.get(id)?.lastSeen ?? null);
    let reader: MeterReader | null = null;
    let intake: PushIntake | null = null;
    try {
      intake = intakeOf(wanted.meter, wanted.polled, learned, knowledge, this.deps);
      reader = this.readerOf(wanted, learned, knowledge, intake);
    } catch (thrown) {
      // One meter that cannot be run must not keep the others from it.
      const error = asBridgeError(thrown);
      monitor.failed(error);
      const nothing = { failures: [], skipped: [] };
      events.emit('failed', { meterId: id, meter: name, cycleId: randomUUID(), error, ...nothing });
    }
    const isPolled = wanted.polled.groups.length > 0 || wanted.polled.profiles.length > 0;
    const fingerprint = fingerprintOf(wanted);
    this.meters.set(id, { fingerprint, lineId, resumes, knowledge, reader, intake, isPolled });
    reader?.start();
  }

  private followOperator({ id, suspended, resumes }: Meter): void {
    const running = this.meters.get(id);
    if (running === undefined) return;
    const line = this.lines.get(running.lineId);
    line?.holdMeter(id, suspended);
    if (running.resumes !== resumes) {
      line?.retryMeter(id);
      running.reader?.decided(knownIdentity(loadLearned(this.deps.database, id)));
    }
    running.resumes = resumes;
  }

  /** Throws UNSUPPORTED for a link that cannot be used. */
  private readerOf(
    { meter, line: { settings }, line: wantedLine, polled }: WantedMeter,
    learned: ReadonlyMap<string, string>,
    knowledge: Knowledge,
    intake: PushIntake,
  ): MeterReader {
    const { database, writer, log } = this.deps;
    const line = this.lineOf(wantedLine);
    const shortest = Math.min(...[...polled.groups, ...polled.profiles].map(({ intervalMs }) => intervalMs));
    const keepSession = keepsSession(meter.settings.session, settings.session, shortest);
    const security = securityPortsOf(meter, database, writer);
    const deps = { ...this.deps, line, learned, knowledge, log: log.child({ room: 'polling', meter: meter.name }) };
    const reader = new MeterReader(polled, deps);
    const onReachable = (): void => reader.wake();
    line.setMeter({ ...meter, security, keepSession, pushes: intake, onReachable }, this.savedOf(meter));
    return reader;
  }

  /** The run of failures that an earlier process left, unless an operator wanted the meter tried anew since. */
  private savedOf({ id, resumes }: Meter): SavedRecovery | null {
    const earlier = this.deps.earlier.get(id) ?? null;
    // A meter that is started again within this process has changed.
    if (earlier === null || earlier.resumes !== resumes || this.restored.has(id)) return null;
    this.restored.add(id);
    return earlier.recovery;
  }

  private endMeter(id: number, { lineId, reader, intake }: RunningMeter): void {
    this.meters.delete(id);
    const ended = Promise.all([reader?.stop(), intake?.stop(), this.lines.get(lineId)?.removeMeter(id)]).then(() => {
      this.ending.delete(id);
      if (this.fleet !== null) this.apply(this.fleet);
    });
    this.ending.set(id, ended);
  }

  /** Closing the port also ends a cycle that waits for a meter which does not answer. */
  private closeLine(id: number, line: MeterLine): void {
    this.closingLines.add(id);
    const closed = line
      .stop()
      .catch((thrown: unknown) => this.deps.log.warn({ code: asBridgeError(thrown).code }, 'line not closed properly'))
      .finally(() => {
        this.closing.delete(closed);
        this.closingLines.delete(id);
        if (this.fleet !== null) this.apply(this.fleet);
      });
    this.closing.add(closed);
  }

  private lineOf(line: Line): MeterLine {
    const running = this.lines.get(line.id);
    if (running !== undefined) return running;
    const begun = lineOf(line, this.deps);
    this.lines.set(line.id, begun);
    this.lineSettings.set(line.id, JSON.stringify(line.settings));
    return begun;
  }
}

/** The meters that are to run, by id; guests that are disabled are not polled. */
function wantedOf(fleet: Fleet, guests: ReadonlyMap<number, number>): Map<number, WantedMeter> {
  const groups = groupsByMeter(fleet);
  const profilesOf = new Map<number, Profile[]>();
  for (const profile of fleet.profiles) {
    profilesOf.set(profile.meterId, [...(profilesOf.get(profile.meterId) ?? []), profile]);
  }
  const lines = new Map(fleet.lines.map((line) => [line.id, line]));
  const wanted = new Map<number, WantedMeter>();
  for (const meter of fleet.meters) {
    if (!meter.enabled && !guests.has(meter.id)) continue;
    const polledGroups = meter.enabled ? (groups.get(meter.id) ?? []) : [];
    const connectionIds = connectionsOfMeter(fleet, meter.id).map(({ id }) => id);
    const { clockDrift: followsClock, clockLimitMs: limitMs, clockSetWithinMs: setWithinMs } = meter.settings;
    const profiles = meter.enabled ? (profilesOf.get(meter.id) ?? []) : [];
    const polled = {
      ...{ id: meter.id, name: meter.name, groups: polledGroups, profiles, connectionIds },
      ...{ followsClock, clockLimits: { limitMs, setWithinMs } },
    };
    const line = lines.get(meter.lineId) ?? fail('INTERNAL', `no line ${meter.lineId} in the fleet`);
    wanted.set(meter.id, { meter, line, polled });
  }
  return wanted;
}

function groupsByMeter(fleet: Fleet): Map<number, PolledGroup[]> {
  const points = new Map<number, Point[]>(fleet.groups.map(({ id }) => [id, []]));
  for (const point of fleet.points) points.get(point.groupId)?.push(point);
  const byMeter = new Map<number, PolledGroup[]>();
  for (const { id, meterId, intervalMs } of fleet.groups) {
    const groups = byMeter.get(meterId) ?? [];
    byMeter.set(meterId, groups);
    groups.push({ groupId: id, intervalMs, points: points.get(id) ?? [] });
  }
  return byMeter;
}

function fingerprintOf({ meter: { lineId, settings, secrets }, line, polled }: WantedMeter): string {
  const octets = Object.entries(secrets).map(([name, secret]) => [name, secret === null ? null : toHex(secret)]);
  const text = JSON.stringify([lineId, line.settings, settings, octets, polled]);
  // As long as the configuration of a meter, for each of thousands; and it has the keys in it.
  return createHash('sha256').update(text).digest('base64');
}
