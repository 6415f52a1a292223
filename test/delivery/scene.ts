/**
 * The whole way in virtual time: virtual meters on a line in memory, polled, committed to a real database, published
 * through a relay to a server. What the server received is compared with what the meters know they said.
 */
import { expect } from 'vitest';
import { PublisherSet } from '../../src/daemon/publisher-set.ts';
import { knowledgeOf } from '../../src/meter/knowledge.ts';
import type { PollingEvents } from '../../src/polling/events.ts';
import { MeterPoller } from '../../src/polling/poller.ts';
import type { VirtualClock } from '../../src/runtime/clock.ts';
import { EventBus } from '../../src/runtime/events.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { compareWithTruth, type MeterReport, type ReceivedValue, type Said } from '../../src/simulator/meter/truth.ts';
import type { Rival } from '../../src/simulator/thingsboard/rival.ts';
import { type Database, initDatabase } from '../../src/store/database.ts';
import { connectionsOfMeter, loadFleet } from '../../src/store/fleet/load.ts';
import { addMeter } from '../../src/store/fleet/meters.ts';
import { addTarget } from '../../src/store/fleet/targets.ts';
import type { TargetMode } from '../../src/store/fleet/types.ts';
import { createOutboxReader } from '../../src/store/local/outbox-reader.ts';
import type { OutboxDepth, OutboxReader, Writer } from '../../src/store/local/types.ts';
import { openWriter } from '../../src/store/local/writer.ts';
import type { ThingsBoardEvents } from '../../src/thingsboard/events.ts';
import { line } from '../line/bench.ts';
import { newMeter } from '../store/support.ts';
import type { Bench } from '../support/cli.ts';
import { MqttRelay } from '../support/mqtt-relay.ts';
import { DEFAULT_KEYS, TOKEN } from '../support/scene.ts';
import { until } from '../support/until.ts';
import { type Server, type ServerKind, tokenOf } from './servers.ts';

const STEP_MS = 200;
/** Virtual: longer than the longest back-off, and a few of those. */
const DRAIN_MS = 600_000;

/** One target of the scene. */
export interface SideOptions extends Pick<ServerKind, 'protocol' | 'start'> {
  /** Gateway unless told otherwise. */
  readonly mode?: TargetMode;
}

export interface Side {
  readonly server: Server;
  /** Between the publisher and the server. */
  readonly relay: MqttRelay;
}

export interface SceneOptions {
  readonly sides: readonly SideOptions[];
  /** 3 unless told otherwise. */
  readonly meters?: number;
  /** 5 s unless told otherwise. */
  readonly intervalMs?: number;
}

/** What the meters said, who has to have it, and what is on the way. */
export class Scene {
  readonly clock: VirtualClock;
  readonly database: Database;
  readonly outbox: OutboxReader;
  readonly writer: Writer;
  readonly publishers: PublisherSet;
  /** What the meters said before the scene began, in their order. */
  readonly earlier: (readonly Said[])[] = [];
  readonly events: EventBus<ThingsBoardEvents>;
  readonly sides: readonly Side[];
  private readonly truth: () => readonly MeterReport[];
  private readonly pollers: readonly MeterPoller[];

  private constructor(
    parts: Pick<Scene, 'clock' | 'database' | 'outbox' | 'writer' | 'publishers' | 'events' | 'sides'> & {
      readonly truth: () => readonly MeterReport[];
      readonly pollers: readonly MeterPoller[];
    },
  ) {
    this.clock = parts.clock;
    this.database = parts.database;
    this.outbox = parts.outbox;
    this.writer = parts.writer;
    this.publishers = parts.publishers;
    this.events = parts.events;
    this.sides = parts.sides;
    this.truth = parts.truth;
    this.pollers = parts.pollers;
  }

  static async begin(bench: Bench, { sides: wanted, meters = 3, intervalMs = 5000 }: SceneOptions): Promise<Scene> {
    const { worker, clock, truth } = await line({ count: meters, framing: 'wrapper' });
    const onFailure = (error: unknown): void => {
      throw error;
    };
    const database = initDatabase(bench.db);
    const sides: Side[] = [];
    for (const [index, { protocol, start, mode = 'gateway' }] of wanted.entries()) {
      const server = await start(bench, clock);
      const relay = await MqttRelay.before(bench, clock, server.port);
      const url = `mqtt://127.0.0.1:${relay.port}`;
      addTarget(database, { name: `side${index}`, url, protocol, mode, caFile: null, token: TOKEN });
      sides.push({ server, relay });
    }
    const hasDevices = wanted.some(({ mode }) => mode === 'device');
    const points = Object.entries(DEFAULT_KEYS).map(([key, obis]) => ({ classId: 3, obis, attribute: 2, key }));
    for (let id = 1; id <= meters; id += 1) {
      const name = `house${id}`;
      const groups = [{ name: 'default', intervalMs, points }];
      addMeter(database, newMeter(name, { groups, ...(hasDevices ? { token: tokenOf(name) } : {}) }));
    }
    const writer: Writer = await openWriter(bench.db, { thread: false, clock });
    const outbox = createOutboxReader(database);
    const events = new EventBus<ThingsBoardEvents>(onFailure);
    const publishers = new PublisherSet({
      ...{ outbox, writer, clock, logger: silentLogger, events },
      sharedKeys: () => [],
    });
    const polling = new EventBus<PollingEvents>(onFailure);
    polling.on('committed', ({ connectionIds }) => publishers.notify(connectionIds));
    const fleet = loadFleet(database);
    const pollers = fleet.meters.map(({ id, name }) => {
      const connectionIds = connectionsOfMeter(fleet, id).map((connection) => connection.id);
      const groups = [{ groupId: id, intervalMs, points }];
      const deps = { line: worker, knowledge: knowledgeOf(new Map()), writer, clock, events: polling };
      return new MeterPoller({ id, name, groups, connectionIds }, { ...deps, log: silentLogger });
    });
    await publishers.apply(fleet);
    for (const poller of pollers) poller.start();
    const scene = new Scene({ clock, database, outbox, writer, publishers, events, sides, truth, pollers });
    bench.atEnd(async () => {
      await scene.stopPolling();
      await publishers.stop();
      await scene.running(worker.stop());
      await writer.close();
      database.close();
    });
    return scene;
  }

  /** Lets time pass, no faster than the servers answer. */
  async pass(ms: number): Promise<void> {
    for (const end = this.clock.monotonic() + ms; this.clock.monotonic() < end; ) await this.step();
  }

  /** Lets time pass until it is so; throws when it is not within the time. */
  async passUntil(what: string, isSo: () => boolean, withinMs = DRAIN_MS): Promise<void> {
    for (const end = this.clock.monotonic() + withinMs; !isSo(); await this.step()) {
      if (this.clock.monotonic() > end) throw new Error(`${withinMs / 1000} virtual seconds in vain until ${what}`);
    }
  }

  private async step(): Promise<void> {
    for (const { relay } of this.sides) await relay.quiet();
    await this.clock.advance(STEP_MS);
  }

  depth(): OutboxDepth {
    return this.outbox.depth();
  }

  sessionsOf(connectionId: number): number {
    return this.publishers.statuses().get(connectionId)?.sessions ?? 0;
  }

  async stopPolling(): Promise<void> {
    await this.running(Promise.all(this.pollers.map((poller) => poller.stop())));
  }

  /** Runs the clock until a promise has settled. */
  private async running(promise: Promise<unknown>): Promise<void> {
    let settled = false;
    void promise.finally(() => {
      settled = true;
    });
    await this.passUntil('it is done', () => settled);
    await promise;
  }

  /** Ends polling, lets everything be delivered, and holds it against the truth at each server: lost 0, wrong 0. */
  async nothingLost(atLeast: number): Promise<void> {
    await this.stopPolling();
    await this.passUntil('the outbox is empty', () => this.depth().rows === 0);
    expect(this.depth()).toEqual({ rows: 0, oldest: null, bytes: 0, quarantined: 0 });
    for (const [index, { said, forgotten }] of this.truth().entries()) {
      expect(forgotten).toBe(0);
      const all = [...(this.earlier[index] ?? []), ...said];
      for (const { server } of this.sides) await arrived(all, () => server.received(`house${index + 1}`), atLeast);
    }
  }
}

async function arrived(
  said: readonly Said[],
  received: () => readonly ReceivedValue[],
  atLeast: number,
): Promise<void> {
  const compare = (): ReturnType<typeof compareWithTruth> => compareWithTruth(said, received(), DEFAULT_KEYS);
  let last = compare();
  const isWhole = (): boolean => {
    if (last.lost.length > 0) last = compare();
    return last.lost.length === 0;
  };
  // A subscriber of a broker may hear a little later than the PUBACK comes.
  await until('all of it arrived', isWhole, { withinMs: 5000 }).catch(() => undefined);
  expect({ lost: last.lost, wrong: last.wrong }).toEqual({ lost: [], wrong: [] });
  expect(last.expected).toBeGreaterThanOrEqual(atLeast);
}

/** One gateway and its server. */
export class OneServer {
  readonly scene: Scene;
  readonly server: Server;
  readonly relay: MqttRelay;

  private constructor(scene: Scene, { server, relay }: Side) {
    this.scene = scene;
    this.server = server;
    this.relay = relay;
  }

  static async begin(bench: Bench, kind: ServerKind): Promise<OneServer> {
    const scene = await Scene.begin(bench, { sides: [kind] });
    return new OneServer(scene, scene.sides[0] as Side);
  }

  get sessions(): number {
    return this.scene.sessionsOf(1);
  }

  rival(waitMs: number): Rival {
    return this.server.rival(this.scene.publishers.statuses().get(1)?.clientId ?? '', waitMs);
  }
}
