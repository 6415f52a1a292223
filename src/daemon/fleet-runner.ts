/**
 * Runs the configured lines and pollers and follows the configuration: what a new revision does not touch goes on
 * undisturbed; a meter that changed gets a new session and poller, a line without meters is closed.
 */
import { toHex } from '../core/bytes.ts';
import { fail } from '../core/errors.ts';
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
  readonly poller: MeterPoller;
}

export class FleetRunner {
  private readonly deps: FleetRunnerDependencies;
  private readonly lines = new Map<number, LineWorker>();
  private readonly meters = new Map<number, RunningMeter>();

  constructor(deps: FleetRunnerDependencies) {
    this.deps = deps;
  }

  /** After `stop` those that were stopped last. */
  get activeLines(): ReadonlyMap<number, LineWorker> {
    return this.lines;
  }

  /** Makes what runs equal to what is configured. */
  async apply(fleet: Fleet): Promise<void> {
    const groups = groupsByMeter(fleet);
    const wanted = new Map<number, WantedMeter>();
    for (const meter of fleet.meters) {
      if (!meter.enabled) continue;
      const connectionIds = connectionsOfMeter(fleet, meter.id).map(({ id }) => id);
      wanted.set(meter.id, {
        meter,
        polled: { id: meter.id, name: meter.name, groups: groups.get(meter.id) ?? [], connectionIds },
      });
    }
    const gone = [...this.meters].filter(([id, { fingerprint }]) => {
      const still = wanted.get(id);
      return still === undefined || fingerprintOf(still) !== fingerprint;
    });
    await Promise.all(gone.map(([id, running]) => this.stopMeter(id, running)));
    const usedLines = new Set([...wanted.values()].map(({ meter }) => meter.lineId));
    const idle = [...this.lines].filter(([id]) => !usedLines.has(id));
    await Promise.all(
      idle.map(async ([id, line]) => {
        this.lines.delete(id);
        await line.stop();
      }),
    );
    for (const [id, one] of wanted) if (!this.meters.has(id)) this.startMeter(fleet, one);
  }

  /** Ends all polling; cycles under way are committed. */
  async stop(): Promise<void> {
    const pollers = [...this.meters.values()].map(({ poller }) => poller.stop());
    const lines = [...this.lines.values()].map((line) => line.stop());
    this.meters.clear();
    await Promise.all([...pollers, ...lines]);
  }

  private startMeter(fleet: Fleet, wanted: WantedMeter): void {
    const { database, writer, clock, events, log } = this.deps;
    const { meter, polled } = wanted;
    const line = this.lineOf(fleet, meter.lineId);
    line.setMeter({ ...meter, security: securityPortsOf(meter, database, writer) });
    const knowledge = knowledgeOf(loadLearned(database, meter.id));
    const poller = new MeterPoller(polled, {
      line,
      knowledge,
      writer,
      clock,
      events,
      log: log.child({ meter: meter.name }),
    });
    this.meters.set(meter.id, { fingerprint: fingerprintOf(wanted), lineId: meter.lineId, poller });
    poller.start();
  }

  private async stopMeter(id: number, { lineId, poller }: RunningMeter): Promise<void> {
    this.meters.delete(id);
    const line = this.lines.get(lineId);
    await Promise.all([poller.stop(), line?.removeMeter(id)]);
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
