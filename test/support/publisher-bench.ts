/** A publisher between an outbox in memory and a ThingsBoard double, on a virtual clock, with everything it says kept. */
import { afterEach, beforeEach, expect } from 'vitest';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { EventBus } from '../../src/runtime/events.ts';
import { createLogger } from '../../src/runtime/logger.ts';
import {
  type DoubleOptions,
  startThingsBoardDouble,
  type ThingsBoardDouble,
} from '../../src/simulator/thingsboard/double.ts';
import type { MqttProtocol, TargetMode } from '../../src/store/fleet/types.ts';
import type { ThingsBoardEvents } from '../../src/thingsboard/events.ts';
import { startPublisher } from '../../src/thingsboard/publisher.ts';
import type { Publisher, PublisherOptions } from '../../src/thingsboard/publisher-types.ts';
import { FakeOutbox, numberReading } from './fake-outbox.ts';
import { until } from './until.ts';

export const TOKEN = 'secret-token';

export const ONE_ROW_PER_PACKET = { maxPayloadSize: 100 };

/** One test's worth; made anew for each by `publisherBench`. */
export class PublisherBench {
  readonly outbox = new FakeOutbox();
  readonly clock = new VirtualClock();
  double!: ThingsBoardDouble;
  publisher!: Publisher;
  private readonly lines: string[] = [];
  private readonly told: [keyof ThingsBoardEvents, object][] = [];
  private lastTs = 0;

  /**
   * In device mode the token is the meter's own: what it sends is stored under its name. Unless told otherwise the server
   * wants packets so small that each row of `addRows` fills one.
   */
  async startDouble(mode: TargetMode, options: Partial<DoubleOptions> = {}): Promise<void> {
    const token = { token: TOKEN, device: mode === 'device' ? 'house1' : 'gateway', gateway: mode === 'gateway' };
    this.double = await startThingsBoardDouble({ tokens: [token], limits: ONE_ROW_PER_PACKET, ...options });
  }

  start(protocol: MqttProtocol, mode: TargetMode, options: Partial<PublisherOptions> = {}): void {
    const events = new EventBus<ThingsBoardEvents>((error) => {
      throw error;
    });
    for (const name of [
      'connected',
      'disconnected',
      'published',
      'quarantined',
      'conflict',
      'conflict-over',
      'renamed',
      'deleted',
      'shared',
    ] as const) {
      events.on(name, (payload) => this.told.push([name, payload]));
    }
    const url = `mqtt://127.0.0.1:${this.double.port}`;
    this.publisher = startPublisher({
      target: { id: 1, name: 'tb', url, protocol, mode, caFile: null },
      connection: { id: 1, targetId: 1, meterId: null, token: TOKEN, retired: false },
      outbox: this.outbox,
      writer: this.outbox,
      clock: this.clock,
      logger: createLogger({
        level: 'debug',
        destination: { write: (line) => void this.lines.push(line) },
        journal: false,
      }),
      events,
      clientId: 'dlms-multi-meter-test',
      random: () => 0.999,
      ...options,
    });
  }

  connected(): Promise<void> {
    return until('connected', () => this.publisher.statistics().state === 'connected');
  }

  emptied(): Promise<void> {
    return until('the outbox is empty', () => this.outbox.rows.size === 0);
  }

  /** Rows of one reading each; their times count from 1. */
  addRows(count: number, device = 'house1'): void {
    for (let number = 0; number < count; number += 1) {
      this.lastTs += 1;
      this.outbox.add([numberReading('energy', this.lastTs, `${this.lastTs}.5`)], { device });
    }
  }

  storedTimes(device = 'house1', key = 'energy'): number[] {
    return (this.double.received().devices.get(device)?.telemetry.get(key) ?? []).map(({ ts }) => ts);
  }

  /** Messages logged at a pino level (30 info, 40 warn, 50 error). */
  messagesLogged(level: number): string[] {
    return this.lines.map((line) => JSON.parse(line)).flatMap((line) => (line.level === level ? [line.msg] : []));
  }

  eventsOf<Name extends keyof ThingsBoardEvents>(name: Name): ThingsBoardEvents[Name][] {
    return this.told.filter(([other]) => other === name).map(([, payload]) => payload as ThingsBoardEvents[Name]);
  }

  async dispose(): Promise<void> {
    await this.publisher.stop();
    await this.double.stop();
    // Whatever happened: the token is nowhere.
    expect(JSON.stringify([this.lines, this.told])).not.toContain(TOKEN);
  }
}

/** To be called at the top of a test file: the bench of the test that runs. */
export function publisherBench(): () => PublisherBench {
  let current: PublisherBench;
  beforeEach(() => {
    current = new PublisherBench();
  });
  afterEach(() => current.dispose());
  return () => current;
}

export const range = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, at) => first + at);
