/** What a publisher is given, and what it tells of itself. */
import type { ErrorReport } from '../core/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { EventBus } from '../runtime/events.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Connection, Target } from '../store/fleet/types.ts';
import type { OutboxReader } from '../store/local/types.ts';
import type { BackoffPolicies } from './conduct/backoff.ts';
import type { OnConflict } from './conduct/conduct.ts';
import type { SettlementWriter } from './delivery/settlement.ts';
import type { ThingsBoardEvents } from './events.ts';

export interface PublisherOptions {
  readonly target: Target;
  readonly connection: Connection;
  readonly outbox: OutboxReader;
  readonly writer: SettlementWriter;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly events: Pick<EventBus<ThingsBoardEvents>, 'emit'>;
  /** One per process start and connection unless told otherwise. */
  readonly clientId?: string;
  /** Publishes in flight at most (default 50); the server may want fewer. */
  readonly window?: number;
  /** Device profile of devices behind the gateway (default `dlms-meter`). */
  readonly deviceType?: string;
  readonly connackTimeoutMs?: number;
  readonly ackTimeoutMs?: number;
  readonly keepaliveSeconds?: number;
  readonly backoff?: BackoffPolicies;
  /** Shared attributes that are followed, of a device behind the gateway or of `OWN_DEVICE`; none when absent. */
  sharedKeys?(connectionId: number, device: string): readonly string[];
  /** What to do while another client uses the token: deliver in turns (default), or wait. */
  readonly onConflict?: OnConflict;
  /** In [0, 1), for the jitter. */
  readonly random?: () => number;
}

export type PublisherState = 'connecting' | 'connected' | 'waiting' | 'stopped';

export interface PublisherStatistics {
  readonly state: PublisherState;
  readonly clientId: string;
  /** Publishes with their PUBACK since the start. */
  readonly messages: number;
  /** Rows delivered, and the readings in them. */
  readonly rows: number;
  readonly readings: number;
  /** Rows set aside. */
  readonly quarantined: number;
  /** Rows that wait in the outbox. */
  readonly pending: number;
  /** Sessions that stood, and how many of them another client took over. */
  readonly sessions: number;
  readonly conflicts: number;
  /** Another client uses the token, as far as is known. */
  readonly conflict: boolean;
  /** Milliseconds UTC; null while there is no session. */
  readonly connectedSince: number | null;
  /** When a certificate of the last session expires, the server's or ours: ISO 8601; null without TLS. */
  readonly certificateExpires: string | null;
  /** Why there is no session, or why the last one ended. */
  readonly lastError: ErrorReport | null;
}

export interface Publisher {
  /** Rows were committed for this connection. */
  notify(): void;
  /** Rows may have come back that were set aside: looks through the outbox from its beginning. */
  lookAgain(): void;
  /** What was told of a device (`renamed`, `deleted`) is stored: its rows, which have waited since, go on. */
  settled(device: string): void;
  /** Resolves when the outbox holds no row of this connection any more (true), or after `deadlineMs` (false). */
  drain(deadlineMs: number): Promise<boolean>;
  /** Ends the session and writes down what was acknowledged. Idempotent. */
  stop(): Promise<void>;
  statistics(): PublisherStatistics;
  /** Messages with their PUBACK since the start; needs no database, as `statistics` does. */
  messages(): number;
}
