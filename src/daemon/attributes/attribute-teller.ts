/**
 * Tells ThingsBoard what `device-attributes.ts` makes of each device, when it is another than what was told before: a
 * device at most once a minute, with everything that changed meanwhile. It goes through the outbox like readings. What a
 * meter was told to be is kept with what was learned of it, in the same transaction, so that a restart repeats nothing.
 */
import { randomUUID } from 'node:crypto';
import { asBridgeError } from '../../core/errors.ts';
import { grouped } from '../../core/grouped.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Database } from '../../store/database.ts';
import type { BridgeSettings } from '../../store/fleet/bridge-settings.ts';
import { connectionsOfBridge, connectionsOfMeters, learnedOfAll } from '../../store/fleet/load.ts';
import type { Fleet } from '../../store/fleet/types.ts';
import { OWN_DEVICE, type Writer } from '../../store/local/types.ts';
import type { MeterStatus } from '../status/status-board.ts';
import {
  type Attributes,
  bridgeAttributes,
  type DescribedBridge,
  type DescribedMeter,
  meterAttributes,
  valueText,
} from './device-attributes.ts';

export interface AttributeTellerDependencies {
  readonly database: Database;
  readonly writer: Pick<Writer, 'commitCycle'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly about: Pick<DescribedBridge, 'version' | 'hostname'>;
  /** undefined while nothing is known of it. */
  statusOf(meterId: number): MeterStatus | undefined;
  firmwareOf(meterId: number): ReadonlyMap<string, string>;
  /** What came of shared attributes of a meter, or of the bridge (0). */
  answersOf(id: number): Attributes;
  restartRequired(): boolean;
  /** Rows are stored for these connections. */
  stored(connectionIds: readonly number[]): void;
}

/** What a device was told to be, as text by key, and to whom. */
interface Told {
  readonly connectionIds: readonly number[];
  readonly values: Readonly<Record<string, string>>;
}

/** A device of the fleet; `describe` gives null while there is nothing to tell. */
interface Device {
  /** Of the meter; 0 for the bridge. */
  readonly id: number;
  readonly name: string;
  readonly connectionIds: readonly number[];
  describe(): Attributes | null;
}

const EVERY_MS = 60_000;
/** To look at ten thousand devices in one go would hold up everything else. */
const AT_ONCE = 1000;
const FACT = 'attributes';
const NOTHING: Told = { connectionIds: [], values: {} };

export class AttributeTeller {
  private readonly deps: AttributeTellerDependencies;
  private readonly told: Map<number, Told>;
  /** Monotonic time before which a device is not told of again. */
  private readonly notBefore = new Map<number, number>();
  private devices: readonly Device[] = [];
  /** Of the devices, which one is looked at next. */
  private next = 0;

  /** Throws DATABASE_*. */
  constructor(deps: AttributeTellerDependencies) {
    this.deps = deps;
    const facts = learnedOfAll(deps.database, FACT);
    this.told = new Map([...facts].map(([id, json]) => [id, JSON.parse(json) as Told]));
  }

  apply(fleet: Fleet): void {
    // A device that is made anew knows nothing of what its predecessor was told.
    for (const { id, deletedFrom } of fleet.meters) {
      if (deletedFrom === null) continue;
      this.told.delete(id);
      this.notBefore.delete(id);
    }
    this.devices = [this.bridgeOf(fleet), ...this.metersOf(fleet)];
  }

  /** Tells what is to be told. Never rejects: what could not be stored is tried again. */
  async look(): Promise<void> {
    const now = this.deps.clock.monotonic();
    const due = this.nextOnes().filter(({ id }) => now >= (this.notBefore.get(id) ?? 0));
    await Promise.all(
      due.flatMap((device) => {
        const attributes = device.connectionIds.length === 0 ? null : device.describe();
        return attributes === null ? [] : this.tell(device, attributes);
      }),
    );
  }

  private nextOnes(): readonly Device[] {
    const from = this.next < this.devices.length ? this.next : 0;
    const ones = this.devices.slice(from, from + AT_ONCE);
    this.next = from + ones.length;
    return ones;
  }

  /** There is something about these that somebody waits for: they are told of at the next look. */
  answer(ids: readonly number[]): void {
    for (const id of ids) this.notBefore.delete(id);
  }

  private bridgeOf(fleet: Fleet): Device {
    const meters = fleet.meters.filter(({ enabled }) => enabled).length;
    return {
      id: 0,
      name: OWN_DEVICE,
      connectionIds: connectionsOfBridge(fleet).map(({ id }) => id),
      describe: () => this.describedBridge(fleet.settings, meters),
    };
  }

  private metersOf(fleet: Fleet): readonly Device[] {
    const groups = grouped(fleet.groups, ({ meterId }) => meterId);
    const meterOfGroup = new Map(fleet.groups.map(({ id, meterId }) => [id, meterId]));
    // What a point of the meter itself is called is not ours to tell.
    const attributePoints = fleet.points.filter(({ options }) => options.kind === 'attribute');
    const taken = grouped(attributePoints, ({ groupId }) => meterOfGroup.get(groupId) ?? 0);
    const connectionsOf = connectionsOfMeters(fleet);
    return fleet.meters
      .filter(({ deletedFrom }) => deletedFrom === null)
      .map((meter) => {
        const { id, name } = meter;
        const keys = new Set((taken.get(id) ?? []).map(({ key }) => key));
        const described = { meter, groups: groups.get(id) ?? [] };
        return { id, name, connectionIds: connectionsOf(id), describe: () => this.described(id, described, keys) };
      });
  }

  private describedBridge(settings: BridgeSettings, meters: number): Attributes {
    const { about, restartRequired, answersOf } = this.deps;
    return { ...bridgeAttributes({ ...about, meters, settings, restartRequired: restartRequired() }), ...answersOf(0) };
  }

  private described(
    id: number,
    { meter, groups }: Pick<DescribedMeter, 'meter' | 'groups'>,
    taken: ReadonlySet<string>,
  ): Attributes | null {
    const status = this.deps.statusOf(id);
    if (status === undefined) return null;
    const attributes = meterAttributes({ meter, groups, status, firmware: this.deps.firmwareOf(id) });
    // Of a meter that was not tried yet there is nothing to tell, and its device need not be there.
    if (!this.told.has(id) && (!meter.enabled || attributes.state === undefined)) return null;
    const known = Object.entries({ ...attributes, ...this.deps.answersOf(id) });
    return Object.fromEntries(known.filter(([key]) => !taken.has(key)));
  }

  private tell({ id, name, connectionIds }: Device, attributes: Attributes): Promise<void> | readonly [] {
    const before = this.told.get(id) ?? NOTHING;
    const isNewcomer = connectionIds.some((one) => !before.connectionIds.includes(one));
    const news = Object.entries(attributes).filter(
      ([key, value]) => isNewcomer || before.values[key] !== valueText(value),
    );
    if (news.length === 0) return [];
    const texts = Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, valueText(value)]));
    const told: Told = { connectionIds, values: { ...before.values, ...texts } };
    return this.store({ id, name, connectionIds, news, told });
  }

  private async store(telling: {
    readonly id: number;
    readonly name: string;
    readonly connectionIds: readonly number[];
    readonly news: readonly (readonly [string, Attributes[string]])[];
    readonly told: Told;
  }): Promise<void> {
    const { writer, clock, log, stored } = this.deps;
    const { id, name, connectionIds, news, told } = telling;
    this.notBefore.set(id, clock.monotonic() + EVERY_MS);
    const ts = clock.now();
    const about = { ts, unit: null, obis: '', quality: 'good', kind: 'attribute' } as const;
    try {
      await writer.commitCycle({
        cycleId: randomUUID(),
        meterId: id,
        device: name,
        createdAt: ts,
        connectionIds,
        readings: news.map(([key, value]) => ({ key, value, ...about })),
        learned: id === 0 ? [] : [{ kind: FACT, json: JSON.stringify(told) }],
        isCycle: false,
      });
      this.told.set(id, told);
      stored(connectionIds);
    } catch (thrown) {
      const { code, message } = asBridgeError(thrown);
      log.debug({ code, meter: name }, `attributes not stored, they are told later: ${message}`);
    }
  }
}
