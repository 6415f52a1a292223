/** What delivering over one session takes, and what it keeps of rows and messages on their way. */
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { TargetMode } from '../../store/fleet/types.ts';
import type { OutboxReader, OutboxRow } from '../../store/local/types.ts';
import type { InboundListener } from '../inbound/inbound.ts';
import type { LimitsQuestion } from '../limits/limits-question.ts';
import type { Throttle } from '../limits/throttle.ts';
import type { MqttSession } from '../session/connection.ts';
import type { Message } from '../session/message.ts';
import type { AttributeTimes } from './attribute-times.ts';
import type { Holds } from './holds.ts';
import type { Settlement } from './settlement.ts';

export interface DeliveryOptions {
  readonly session: MqttSession;
  readonly outbox: OutboxReader;
  readonly connectionId: number;
  readonly mode: TargetMode;
  /** Device profile that devices behind the gateway are announced with. */
  readonly deviceType: string;
  /** Publishes in flight at most; the server may want fewer. */
  readonly window: number;
  /** Whether to begin with one message at a time, of one row. */
  readonly oneByOne: boolean;
  /** Rows to be left out until it goes one by one no more. */
  readonly leftOut: ReadonlySet<number>;
  /** Asks for the server's limits first; null: those that are known hold, and nothing else is asked for the time being. */
  readonly question: LimitsQuestion | null;
  /** Hears what the server tells: from the beginning if anything is asked, else when it goes one by one no more. */
  readonly inbound: InboundListener;
  /** Devices of which something was told that is not stored yet: their rows wait. */
  readonly unsettled: ReadonlySet<string>;
  readonly throttle: Throttle;
  readonly clock: Clock;
  readonly settlement: Settlement;
  readonly holds: Holds;
  /** Kept from session to session. */
  readonly attributeTimes: AttributeTimes;
  readonly logger: Logger;
  /** A message has its PUBACK. */
  onAcknowledged(): void;
}

/** A row that is on its way. */
export interface Underway {
  readonly row: OutboxRow;
  /** Messages that are not answered yet. */
  left: number;
  /** Why the row cannot be delivered: for good (quarantine) or for now. */
  hopeless: string | null;
  postponed: boolean;
}

export interface Outgoing {
  readonly message: Message;
  readonly device: string;
  /** Whose readings are in it; none: the announcement of a device, or a question about it. */
  readonly underways: readonly Underway[];
  /** Sent without waiting for anything: an answer comes as a message of its own, if it comes. */
  readonly isQuestion?: boolean;
}
