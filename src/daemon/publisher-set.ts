/** One publisher for each connection of the fleet, following the configuration. */
import type { Clock } from '../runtime/clock.ts';
import type { EventBus } from '../runtime/events.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Fleet } from '../store/fleet/types.ts';
import type { OutboxReader, Writer } from '../store/local/types.ts';
import type { ThingsBoardEvents } from '../thingsboard/events.ts';
import { startPublisher } from '../thingsboard/publisher.ts';
import type { Publisher, PublisherStatistics } from '../thingsboard/publisher-types.ts';

export interface PublisherSetDependencies {
  readonly outbox: OutboxReader;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly events: EventBus<ThingsBoardEvents>;
  /** Shared attributes that are followed of a device. */
  sharedKeys(connectionId: number, device: string): readonly string[];
}

/** JSON of subject `connection:ID`. */
export type ConnectionStatus = PublisherStatistics;

export class PublisherSet {
  private readonly deps: PublisherSetDependencies;
  private readonly publishers = new Map<number, { readonly fingerprint: string; readonly publisher: Publisher }>();

  private messagesOfGone = 0;

  constructor(deps: PublisherSetDependencies) {
    this.deps = deps;
  }

  /** Makes what runs equal to what is configured. Retired connections keep their publisher until their rows are gone. */
  async apply({ targets, connections }: Fleet): Promise<void> {
    const wanted = new Map(
      connections.flatMap((connection) => {
        const target = targets.find(({ id }) => id === connection.targetId);
        return target === undefined ? [] : [[connection.id, { connection, target }] as const];
      }),
    );
    for (const [id, { fingerprint, publisher }] of this.publishers) {
      const still = wanted.get(id);
      if (still !== undefined && fingerprint === JSON.stringify([still.target, still.connection.token])) continue;
      this.publishers.delete(id);
      await publisher.stop();
      this.messagesOfGone += publisher.messages();
    }
    for (const [id, { connection, target }] of wanted) {
      if (this.publishers.has(id)) continue;
      const publisher = startPublisher({ ...this.deps, connection, target });
      this.publishers.set(id, { fingerprint: JSON.stringify([target, connection.token]), publisher });
    }
  }

  /** The configuration changed, which may have set rows free again. */
  lookAgain(): void {
    for (const { publisher } of this.publishers.values()) publisher.lookAgain();
  }

  /** What one of them told of a device is stored. */
  settled(connectionId: number, device: string): void {
    this.publishers.get(connectionId)?.publisher.settled(device);
  }

  notify(connectionIds: readonly number[]): void {
    for (const id of connectionIds) this.publishers.get(id)?.publisher.notify();
  }

  /** Whether every row was delivered within the time, milliseconds. */
  async drain(deadlineMs: number): Promise<boolean> {
    const all = await Promise.all([...this.publishers.values()].map(({ publisher }) => publisher.drain(deadlineMs)));
    return all.every(Boolean);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.publishers.values()].map(({ publisher }) => publisher.stop()));
  }

  /** Messages with their PUBACK since the start, those of connections that are gone among them. */
  messages(): number {
    return [...this.publishers.values()].reduce(
      (sum, { publisher }) => sum + publisher.messages(),
      this.messagesOfGone,
    );
  }

  statuses(): Map<number, ConnectionStatus> {
    return new Map([...this.publishers].map(([id, { publisher }]) => [id, publisher.statistics()]));
  }
}
