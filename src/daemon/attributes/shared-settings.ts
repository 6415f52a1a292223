/**
 * Follows shared attributes: settings of the bridge from its own device, poll intervals from the devices of meters. What
 * comes within half a second is taken together, so that a flood of changes is one change; what came of it is answered by
 * client attributes of the same device (`answers`).
 */
import { asBridgeError, type BridgeError } from '../../core/errors.ts';
import { grouped } from '../../core/grouped.ts';
import { type Clock, sleep } from '../../runtime/clock.ts';
import type { EventBus } from '../../runtime/events.ts';
import type { Logger } from '../../runtime/logger.ts';
import { retrying, STORE_RETRY } from '../../runtime/retry.ts';
import type { Database } from '../../store/database.ts';
import { type SharedChange, seenShared } from '../../store/fleet/shared-attributes.ts';
import type { Connection, Fleet, PointGroup } from '../../store/fleet/types.ts';
import { OWN_DEVICE, type Writer } from '../../store/local/types.ts';
import type { ThingsBoardEvents } from '../../thingsboard/events.ts';
import type { Attributes } from './device-attributes.ts';
import { followedGroups, type Judged, judgeBridge, judgeMeter, SHARED_SETTINGS } from './shared-wishes.ts';

export interface SharedSettingsDependencies {
  readonly database: Database;
  readonly thingsboard: EventBus<ThingsBoardEvents>;
  readonly writer: Pick<Writer, 'followShared'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** The fleet may have changed. Never rejects. */
  changed(): Promise<void>;
  /** There is an answer for these: ids of meters, 0 for the bridge. */
  answered(ids: readonly number[]): void;
}

/** Wishes of one connection about one device that wait to be judged. */
interface Pending {
  readonly connectionId: number;
  /** 0: the bridge. */
  readonly id: number;
  readonly wishes: Map<string, unknown>;
}

const TOGETHER_MS = 500;
const BRIDGE = 0;
const LONGEST_ANSWER = 1000;

export class SharedSettings {
  private readonly deps: SharedSettingsDependencies;
  private readonly pending = new Map<string, Pending>();
  private working: Promise<void> | null = null;
  /** By device: what is not followed and why; a device that nothing was wanted of has no entry. */
  private readonly refused = new Map<number, Map<string, string>>();
  private fleet: Fleet | null = null;
  private connections: ReadonlyMap<number, Connection> = new Map();
  private meters: ReadonlyMap<string, number> = new Map();
  private groups: ReadonlyMap<number, readonly PointGroup[]> = new Map();

  constructor(deps: SharedSettingsDependencies) {
    this.deps = deps;
    deps.thingsboard.on('shared', ({ connectionId, device, values, deleted }) => {
      const id = this.idOf(connectionId, device);
      if (id === null) return;
      const wishes = [...Object.entries(values), ...deleted.map((key) => [key, undefined] as const)];
      const followed = new Set(this.keysOf(id));
      const known = wishes.filter(([key]) => followed.has(key));
      if (known.length < wishes.length) {
        deps.log.debug({ device, others: wishes.length - known.length }, 'shared attributes that are no settings here');
      }
      if (known.length > 0) this.add(connectionId, id, known);
    });
  }

  apply(fleet: Fleet): void {
    this.fleet = fleet;
    this.connections = new Map(fleet.connections.map((connection) => [connection.id, connection]));
    this.meters = new Map(fleet.meters.map(({ id, name }) => [name, id]));
    this.groups = grouped(fleet.groups, ({ meterId }) => meterId);
  }

  /** Keys of the shared attributes that are followed of a device behind a connection. */
  sharedKeys(connectionId: number, device: string): readonly string[] {
    const id = this.idOf(connectionId, device);
    // They are told to the server in a list with commas.
    return id === null ? [] : this.keysOf(id).filter((key) => !key.includes(','));
  }

  /** What is not followed of the wishes for a device; nothing while there was none. */
  answers(id: number): Attributes {
    const refused = this.refused.get(id);
    if (refused === undefined) return {};
    return { settingsRefused: [...refused.values()].join('; ').slice(0, LONGEST_ANSWER) || 'none' };
  }

  /** Resolves when everything told so far is stored, or could not be before the signal aborted. */
  async stored(): Promise<void> {
    await this.working;
  }

  private idOf(connectionId: number, device: string): number | null {
    const connection = this.connections.get(connectionId);
    if (connection === undefined || connection.retired) return null;
    if (device === OWN_DEVICE) return connection.meterId ?? BRIDGE;
    return this.meters.get(device) ?? null;
  }

  private keysOf(id: number): readonly string[] {
    return id === BRIDGE ? SHARED_SETTINGS : [...followedGroups(this.groups.get(id) ?? []).keys()];
  }

  private add(connectionId: number, id: number, wishes: Iterable<readonly [string, unknown]>): void {
    const name = `${connectionId} ${id}`;
    const entry = this.pending.get(name) ?? { connectionId, id, wishes: new Map() };
    this.pending.delete(name);
    // At the end: where two targets disagree the last that spoke is the last that is followed.
    this.pending.set(name, entry);
    for (const [key, value] of wishes) entry.wishes.set(key, value);
    this.working ??= this.work().finally(() => {
      this.working = null;
    });
  }

  private async work(): Promise<void> {
    const { clock, signal, changed, answered } = this.deps;
    while (this.pending.size > 0) {
      await sleep(clock, TOGETHER_MS, signal).catch(() => undefined);
      const all = [...this.pending.values()];
      this.pending.clear();
      for (const one of all) await this.follow(one);
      await changed();
      answered(all.map(({ id }) => id));
    }
  }

  private async follow({ connectionId, id, wishes }: Pending): Promise<void> {
    const { database, log } = this.deps;
    const { fleet } = this;
    if (fleet === null) return;
    try {
      const meterId = id === BRIDGE ? null : id;
      const seen = seenShared(database, connectionId, meterId);
      const judged =
        id === BRIDGE ? judgeBridge(fleet.settings, seen, wishes) : judgeMeter(this.groups.get(id) ?? [], seen, wishes);
      if (judged.faults.size > 0) await this.store({ connectionId, meterId, ...judged.change }, judged, id);
    } catch (thrown) {
      const { code, message } = asBridgeError(thrown);
      log.error({ code, id }, `what ThingsBoard wants by shared attributes is not followed: ${message}`);
    }
  }

  private async store(change: SharedChange, { faults }: Judged, id: number): Promise<void> {
    const all = new Map(faults);
    try {
      await this.written(change);
    } catch (thrown) {
      const error = asBridgeError(thrown);
      if (error.code !== 'INVALID_VALUE') throw error;
      // Each is as it may be, and all of them together are not: some may be by themselves.
      for (const [key, fault] of await this.oneByOne(change)) all.set(key, fault);
    }
    const refused = this.refused.get(id) ?? new Map<string, string>();
    this.refused.set(id, refused);
    for (const [key, fault] of all) {
      if (fault === null) refused.delete(key);
      else refused.set(key, fault);
      this.tell(change, key, fault);
    }
  }

  private async oneByOne(change: SharedChange): Promise<Map<string, string>> {
    const faults = new Map<string, string>();
    for (const [name, value] of Object.entries(change.settings)) {
      try {
        await this.written({ ...change, settings: { [name]: value } });
      } catch (thrown) {
        const error = asBridgeError(thrown);
        if (error.code !== 'INVALID_VALUE') throw error;
        faults.set(name, error.message);
      }
    }
    // Also when all of them were refused: they were seen.
    await this.written({ ...change, settings: {} });
    return faults;
  }

  private written(change: SharedChange): Promise<boolean> {
    const { writer, clock, log, signal } = this.deps;
    const onFailure = ({ code, message }: BridgeError): void =>
      log.error({ code }, `shared attributes cannot be stored yet: ${message}`);
    return retrying(() => writer.followShared(change), { policy: STORE_RETRY, clock, signal, onFailure });
  }

  private tell({ meterId, seen }: SharedChange, key: string, fault: string | null): void {
    const { log } = this.deps;
    const meter = this.fleet?.meters.find(({ id }) => id === meterId)?.name;
    const fields = { key, ...(meter === undefined ? {} : { meter }) };
    if (fault !== null) log.warn({ ...fields, code: 'INVALID_VALUE' }, `ThingsBoard's wish is refused: ${fault}`);
    else if (seen[key] === null) log.info(fields, `ThingsBoard wants nothing of ${key} any more`);
    else log.info(fields, `ThingsBoard wants ${key} to be ${seen[key]}`);
  }
}
