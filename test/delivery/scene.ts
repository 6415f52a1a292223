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
import { compareWithTruth, type MeterReport, type ReceivedValue } from '../../src/simulator/meter/truth.ts';
import type { Rival } from '../../src/simulator/thingsboard/rival.ts';
import { type Database, initDatabase } from '../../src/store/database.ts';
import { connectionsOfMeter, loadFleet } from '../../src/store/fleet/load.ts';
import { addMeter } from '../../src/store/fleet/meters.ts';
import { addTarget } from '../../src/store/fleet/targets.ts';
import type { NewTarget } from '../../src/store/fleet/types.ts';
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
import type { Server, ServerKind } from './servers.ts';

const STEP_MS = 200;
/** Virtual: longer than the longest back-off, and a few of those. */
const DRAIN_MS = 600_000;

export interface SceneOptions {
  readonly meters?: number;
  readonly intervalMs?: number;
  /** Targets beside those that `targets` makes of the relay. */
  readonly targets: (clock: VirtualClock) => Promise<readonly NewTarget[]>;
  /** Tokens of the meters, for a target in device mode. */
  readonly tokenOf?: (name: string) => string;
  /** Who the clock has to wait for. */
  readonly relays: readonly (() => MqttRelay)[];
}

/** What the meters said, who has to have it, and what is on the way. */
export class Scene {
  readonly clock: VirtualClock;
  readonly database: Database;
  readonly outbox: OutboxReader;
  readonly publishers: PublisherSet;
  readonly events: EventBus<ThingsBoardEvents>;
  private readonly options: SceneOptions;
  private readonly truth: () => readonly MeterReport[];
  private readonly pollers: readonly MeterPoller[];

  private constructor(
    options: SceneOptions,
    parts: Pick<Scene, 'clock' | 'database' | 'outbox' | 'publishers' | 'events'> & {
      readonly truth: () => readonly MeterReport[];
      readonly pollers: readonly MeterPoller[];
    },
  ) {
    this.options = options;
    this.clock = parts.clock;
    this.database = parts.database;
    this.outbox = parts.outbox;
    this.publishers = parts.publishers;
    this.events = parts.events;
    this.truth = parts.truth;
    this.pollers = parts.pollers;
  }

  static async begin(bench: Bench, options: SceneOptions): Promise<Scene> {
    const { meters = 3, intervalMs = 5000, tokenOf } = options;
    const { worker, clock, truth } = await line({ count: meters, framing: 'wrapper' });
    const onFailure = (error: unknown): void => {
      throw error;
    };
    const database = initDatabase(bench.db);
    for (const target of await options.targets(clock)) addTarget(database, target);
    const points = Object.entries(DEFAULT_KEYS).map(([key, obis]) => ({ classId: 3, obis, attribute: 2, key }));
    for (let id = 1; id <= meters; id += 1) {
      const name = `house${id}`;
      const groups = [{ name: 'default', intervalMs, points }];
      addMeter(database, newMeter(name, { groups, ...(tokenOf === undefined ? {} : { token: tokenOf(name) }) }));
    }
    const writer: Writer = await openWriter(bench.db, { thread: false, clock });
    const outbox = createOutboxReader(database);
    const events = new EventBus<ThingsBoardEvents>(onFailure);
    const publishers = new PublisherSet({ outbox, writer, clock, logger: silentLogger, events });
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
    const scene = new Scene(options, { clock, database, outbox, publishers, events, truth, pollers });
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
    for (const relay of this.options.relays) await relay().quiet();
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

  /** Ends polling, lets everything be delivered, and holds it against the truth: lost 0, wrong 0. */
  async nothingLost(received: (device: string) => readonly ReceivedValue[], atLeast: number): Promise<void> {
    await this.stopPolling();
    await this.passUntil('the outbox is empty', () => this.depth().rows === 0);
    expect(this.depth()).toEqual({ rows: 0, oldest: null, bytes: 0, quarantined: 0 });
    for (const [index, { said, forgotten }] of this.truth().entries()) {
      const compare = (): ReturnType<typeof compareWithTruth> =>
        compareWithTruth(said, received(`house${index + 1}`), DEFAULT_KEYS);
      // A subscriber of a broker may hear a little later than the PUBACK comes.
      await until('all of it arrived', () => compare().lost.length === 0, { withinMs: 5000 }).catch(() => undefined);
      const { lost, wrong, expected } = compare();
      expect({ lost, wrong, forgotten }).toEqual({ lost: [], wrong: [], forgotten: 0 });
      expect(expected).toBeGreaterThanOrEqual(atLeast);
    }
  }
}

/** One gateway's server behind a relay. */
export class OneServer {
  readonly scene: Scene;
  readonly server: Server;
  readonly relay: MqttRelay;

  private constructor(scene: Scene, server: Server, relay: MqttRelay) {
    this.scene = scene;
    this.server = server;
    this.relay = relay;
  }

  static async begin(
    bench: Bench,
    { protocol, start }: Pick<ServerKind, 'protocol' | 'start'>,
    options: Partial<SceneOptions> = {},
  ): Promise<OneServer> {
    let server!: Server;
    let relay!: MqttRelay;
    const scene = await Scene.begin(bench, {
      async targets(clock) {
        server = await start(bench, clock);
        relay = await MqttRelay.before(bench, clock, () => server.port);
        const url = `mqtt://127.0.0.1:${relay.port}`;
        return [{ name: 'main', url, protocol, mode: 'gateway', caFile: null, token: TOKEN }];
      },
      relays: [() => relay],
      ...options,
    });
    return new OneServer(scene, server, relay);
  }

  get sessions(): number {
    return this.scene.sessionsOf(1);
  }

  rival(waitMs: number): Rival {
    return this.server.rival(this.scene.publishers.statuses().get(1)?.clientId ?? '', waitMs);
  }

  nothingLost(atLeast: number): Promise<void> {
    return this.scene.nothingLost((device) => this.server.received(device), atLeast);
  }
}
