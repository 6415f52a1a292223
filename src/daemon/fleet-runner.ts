/**
 * Runs the configured lines and pollers and follows the configuration: what a new revision does not touch goes on
 * undisturbed; a meter that changed gets a new session and poller, a line without meters is closed.
 */
import { randomUUID } from 'node:crypto';
import { toHex } from '../core/bytes.ts';
import { asBridgeError, fail } from '../core/errors.ts';
import { LineWorker } from '../line/worker.ts';
import { knowledgeOf } from '../meter/knowledge.ts';
import { MeterPoller, type PolledGroup, type PolledMeter, type PollingEvents } from '../polling/poller.ts';
import type { Clock } from '../runtime/clock.ts';
import type { EventBus } from '../runtime/events.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Database } from '../store/database.ts';
import { connectionsOfMeter, loadLearned } from '../store/fleet/load.ts';
import type { Fleet, Meter, Point } from '../store/fleet/types.ts';
import type { Writer } from '../store/local/types.ts';
import { framingOf, parseLink, signsOn, transportOf } from '../transport/link-address.ts';
import { securityPortsOf } from './security-ports.ts';

export interface FleetRunnerDependencies {
  readonly database: Database;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly events: EventBus<PollingEvents>;
  readonly log: Logger;
}

interface WantedMeter {
  readonly meter: Meter;
  readonly polled: PolledMeter;
}

interface RunningMeter {
  /** Everything that makes the meter what it is; another text means another meter. */
  readonly fingerprint: string;
  readonly lineId: number;
  /** Null: it cannot be run as it is configured. */
  readonly poller: MeterPoller | null;
}

export class FleetRunner {
  private readonly deps: FleetRunnerDependencies;
  private readonly lines = new Map<number, LineWorker>();
  private readonly meters = new Map<number, RunningMeter>();
  /** Meters whose last cycle is still under way; no other waits for them. */
  private readonly ending = new Map<number, Promise<void>>();
  private readonly closing = new Set<Promise<void>>();
  /** What is to run; null before the first `apply` and after `stop`. */
  private fleet: Fleet | null = null;

  constructor(deps: FleetRunnerDependencies) {
    this.deps = deps;
  }

  /** After `stop` those that were stopped last. */
  get activeLines(): ReadonlyMap<number, LineWorker> {
    return this.lines;
  }

  /** Makes what runs equal to what is configured; a meter that changed begins anew when its last cycle has ended. */
  apply(fleet: Fleet): void {
    this.fleet = fleet;
    const wanted = wantedOf(fleet);
    for (const [id, running] of [...this.meters]) {
      const still = wanted.get(id);
      if (still === undefined || fingerprintOf(still) !== running.fingerprint) this.endMeter(id, running);
    }
    const usedLines = new Set([...wanted.values()].map(({ meter }) => meter.lineId));
    for (const [id, line] of [...this.lines]) {
      if (usedLines.has(id)) continue;
      this.lines.delete(id);
      this.closeLine(line);
    }
    for (const [id, one] of wanted) {
      if (!this.meters.has(id) && !this.ending.has(id)) this.startMeter(fleet, one);
    }
  }

  /** Ends all polling; cycles under way are committed. */
  async stop(): Promise<void> {
    this.fleet = null;
    for (const [id, running] of [...this.meters]) this.endMeter(id, running);
    for (const line of this.lines.values()) this.closeLine(line);
    await Promise.all([...this.ending.values(), ...this.closing]);
  }

  private startMeter(fleet: Fleet, wanted: WantedMeter): void {
    const { id, name, lineId } = wanted.meter;
    let poller: MeterPoller | null = null;
    try {
      poller = this.pollerOf(fleet, wanted);
    } catch (thrown) {
      // One meter that cannot be run must not keep the others from it.
      const error = asBridgeError(thrown);
      this.deps.events.emit('failed', { meterId: id, meter: name, cycleId: randomUUID(), error, failures: [] });
    }
    this.meters.set(id, { fingerprint: fingerprintOf(wanted), lineId, poller });
    poller?.start();
  }

  /** Throws UNSUPPORTED for a link that cannot be used. */
  private pollerOf(fleet: Fleet, { meter, polled }: WantedMeter): MeterPoller {
    const { database, writer, clock, events, log } = this.deps;
    const line = this.lineOf(fleet, meter.lineId);
    line.setMeter({ ...meter, security: securityPortsOf(meter, database, writer) });
    const knowledge = knowledgeOf(loadLearned(database, meter.id));
    return new MeterPoller(polled, { line, knowledge, writer, clock, events, log: log.child({ meter: meter.name }) });
  }

  private endMeter(id: number, { lineId, poller }: RunningMeter): void {
    this.meters.delete(id);
    const ended = Promise.all([poller?.stop(), this.lines.get(lineId)?.removeMeter(id)]).then(() => {
      this.ending.delete(id);
      if (this.fleet !== null) this.apply(this.fleet);
    });
    this.ending.set(id, ended);
  }

  /** Closing the port also ends a cycle that waits for a meter which does not answer. */
  private closeLine(line: LineWorker): void {
    const closed = line
      .stop()
      .catch((thrown: unknown) => this.deps.log.warn({ code: asBridgeError(thrown).code }, 'line not closed properly'))
      .finally(() => this.closing.delete(closed));
    this.closing.add(closed);
  }

  private lineOf(fleet: Fleet, lineId: number): LineWorker {
    const running = this.lines.get(lineId);
    if (running !== undefined) return running;
    const { clock, log } = this.deps;
    const link =
      fleet.lines.find(({ id }) => id === lineId)?.link ?? fail('INTERNAL', `no line ${lineId} in the fleet`);
    const address = parseLink(link);
    const worker = new LineWorker({
      transport: transportOf(address, clock),
      framing: framingOf(address),
      signsOn: signsOn(address),
      clock,
      log: log.child({ line: link }),
    });
    this.lines.set(lineId, worker);
    return worker;
  }
}

/** The meters that are to be polled, by id. */
function wantedOf(fleet: Fleet): Map<number, WantedMeter> {
  const groups = groupsByMeter(fleet);
  const wanted = new Map<number, WantedMeter>();
  for (const meter of fleet.meters) {
    if (!meter.enabled) continue;
    const connectionIds = connectionsOfMeter(fleet, meter.id).map(({ id }) => id);
    const polled = { id: meter.id, name: meter.name, groups: groups.get(meter.id) ?? [], connectionIds };
    wanted.set(meter.id, { meter, polled });
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

function fingerprintOf({ meter: { lineId, settings, secrets }, polled }: WantedMeter): string {
  const octets = Object.entries(secrets).map(([name, secret]) => [name, secret === null ? null : toHex(secret)]);
  return JSON.stringify([lineId, settings, octets, polled]);
}
