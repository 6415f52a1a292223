/**
 * Rows over one session: takes them from the lanes, turns them into messages, keeps a window of them in flight, and
 * settles a row when all of its messages are answered. A row that could not be delivered stays in the outbox.
 *
 *   in the outbox --taken--> on its way --all PUBACKed--> delivered
 *                                \--a payload refused for good--> quarantined
 *                                \--refused for now, session ended--> in the outbox, as it was
 */
import { asBridgeError, type BridgeError } from '../core/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { TargetMode } from '../store/fleet/types.ts';
import { type OutboxReader, type OutboxRow, OWN_DEVICE } from '../store/local/types.ts';
import type { AttributeTimes } from './attribute-times.ts';
import type { MqttSession } from './connection.ts';
import type { Holds } from './holds.ts';
import { Lanes } from './lanes.ts';
import { connectMessage, MAX_REMAINING_LENGTH, type Message, rowPayload } from './payload.ts';
import type { Settlement } from './settlement.ts';

/** Fixed header of a packet: type and up to four octets of remaining length. */
const FIXED_HEADER = 5;

export interface DeliveryOptions {
  readonly session: MqttSession;
  readonly outbox: OutboxReader;
  readonly connectionId: number;
  readonly mode: TargetMode;
  /** Device profile that devices behind the gateway are announced with. */
  readonly deviceType: string;
  /** Publishes in flight at most; the server may want fewer. */
  readonly window: number;
  /** Whether to begin with one message at a time. */
  readonly oneByOne: boolean;
  readonly settlement: Settlement;
  readonly holds: Holds;
  /** Kept from session to session. */
  readonly attributeTimes: AttributeTimes;
  readonly logger: Logger;
  /** A message has its PUBACK. */
  onAcknowledged(): void;
}

/** A row that is on its way. */
interface Underway {
  readonly row: OutboxRow;
  /** Messages that are not answered yet. */
  left: number;
  /** Why the row cannot be delivered: for good (quarantine) or for now. */
  hopeless: string | null;
  postponed: boolean;
}

interface Outgoing {
  readonly message: Message;
  readonly device: string;
  /** null: the announcement of a device. */
  readonly underway: Underway | null;
}

export class Delivery {
  private readonly options: DeliveryOptions;
  private readonly lanes: Lanes;
  private window: number;
  private readonly maxRemainingLength: number;
  private readonly underway = new Map<number, Underway>();
  /** Messages of rows taken that wait for a place in the window. */
  private readonly queue: Outgoing[] = [];
  private readonly announced = new Set<string>();
  private inFlight = 0;
  private state: 'silent' | 'open' | 'winding-down' | 'ended' = 'silent';
  private lastAlone: OutboxRow | null = null;
  private readonly onIdle = new Set<() => void>();

  constructor(options: DeliveryOptions) {
    const { session, outbox, connectionId, settlement, holds } = options;
    this.options = options;
    this.window = options.oneByOne ? 1 : this.widest();
    this.maxRemainingLength = Math.min(MAX_REMAINING_LENGTH, session.limits.maximumPacketSize - FIXED_HEADER);
    this.lanes = new Lanes(outbox, connectionId, {
      isTaken: (rowId) => this.underway.has(rowId) || settlement.has(rowId),
      isHeld: (device) => holds.isHeld(device),
    });
  }

  private widest(): number {
    return Math.min(this.options.window, this.options.session.limits.receiveMaximum);
  }

  /** The row that was alone on its way when the session ended, where messages go one by one. */
  get endedAlone(): OutboxRow | null {
    return this.lastAlone;
  }

  /** Sends from now on; before it nothing is sent. */
  begin(): void {
    if (this.state === 'silent') this.state = 'open';
    this.pump();
  }

  /** One by one no more. */
  widen(): void {
    this.window = this.widest();
    this.pump();
  }

  /** Takes no further row; resolves when nothing is in flight any more, or the session has ended. */
  async windDown(): Promise<void> {
    if (this.state === 'ended') return;
    this.state = 'winding-down';
    if (this.inFlight === 0) return;
    await new Promise<void>((resolve) => this.onIdle.add(resolve));
  }

  /** Nothing is on its way. */
  get idle(): boolean {
    return this.inFlight === 0 && this.queue.length === 0;
  }

  /** Rows were committed. */
  refresh(): void {
    this.lanes.refresh();
    this.pump();
  }

  /** Looks at everything that is pending once more: a hold is over, or rows came back from quarantine. */
  restart(): void {
    this.lanes.restart();
    this.pump();
  }

  /** The session ended: what was on its way stays in the outbox. */
  end(): void {
    if (this.state === 'ended') return;
    this.state = 'ended';
    const [only] = this.underway.values();
    if (this.window === 1 && this.inFlight === 1) this.lastAlone = only?.row ?? null;
    this.queue.length = 0;
    this.underway.clear();
    this.tellIdle();
  }

  private tellIdle(): void {
    for (const tell of this.onIdle) tell();
    this.onIdle.clear();
  }

  /** Fills the window. An outbox that cannot be read ends the session, which is tried again later. */
  pump(): void {
    try {
      while (this.state === 'open' && this.inFlight < this.window) {
        const outgoing = this.queue.shift() ?? this.nextRow();
        if (outgoing === null) return;
        if (outgoing !== 'settled') void this.send(outgoing);
      }
    } catch (error) {
      this.options.session.close(asBridgeError(error));
    }
  }

  /** Takes the next row: its first message, 'settled' when it has none, null when there is no row. */
  private nextRow(): Outgoing | 'settled' | null {
    const row = this.lanes.next();
    if (row === null) return null;
    this.take(row);
    return this.queue.shift() ?? 'settled';
  }

  private take(taken: OutboxRow): void {
    const { mode, settlement, logger, attributeTimes } = this.options;
    const row = attributeTimes.current(taken);
    const { messages, unpublishable } = rowPayload(row, mode, this.maxRemainingLength);
    const hopeless = unpublishable.map(({ key, reason }) => `"${key.slice(0, 40)}": ${reason}`).join('; ') || null;
    if (hopeless !== null)
      logger.warn({ row: row.id, device: row.device }, `Readings that cannot be published: ${hopeless}`);
    const underway: Underway = { row, left: messages.length, hopeless, postponed: false };
    if (messages.length === 0) {
      if (hopeless === null) settlement.deliver(row);
      else settlement.quarantine(row, hopeless);
      return;
    }
    this.underway.set(row.id, underway);
    if (mode === 'gateway' && row.device !== OWN_DEVICE) this.announce(row.device);
    for (const message of messages) this.queue.push({ message, device: row.device, underway });
  }

  /** Once per device and session, ahead of its first telemetry; the server keeps the order of what one session sends. */
  private announce(device: string): void {
    if (this.announced.has(device)) return;
    this.announced.add(device);
    this.queue.push({ message: connectMessage(device, this.options.deviceType), device, underway: null });
  }

  private async send(outgoing: Outgoing): Promise<void> {
    this.inFlight += 1;
    try {
      await this.options.session.publish(outgoing.message);
      this.options.onAcknowledged();
      this.answered(outgoing, null);
    } catch (error) {
      this.answered(outgoing, asBridgeError(error));
    } finally {
      this.inFlight -= 1;
      if (this.inFlight === 0) this.tellIdle();
      this.pump();
    }
  }

  private answered({ device, underway }: Outgoing, error: BridgeError | null): void {
    if (this.state === 'ended') return;
    const { holds } = this.options;
    if (error !== null && error.code !== 'MQTT_REFUSED') {
      // The first failure of a session tells of its end. A message that alone was ignored makes its device wait, so
      // that the next session is not spent on it.
      if (error.code === 'MQTT_ACK_TIMEOUT' && error.facts.alive === true) holds.hold(device);
      this.end();
      return;
    }
    if (error !== null) this.refused(device, underway, error);
    if (underway === null) return;
    if (error === null) holds.clear(device);
    underway.left -= 1;
    if (underway.left === 0) this.settle(underway);
  }

  private refused(device: string, underway: Underway | null, error: BridgeError): void {
    const { holds, logger } = this.options;
    logger.warn({ device, row: underway?.row.id, ...error.facts }, `ThingsBoard refused a message: ${error.message}`);
    if (!error.retryable && underway !== null) {
      underway.hopeless ??= error.message;
      return;
    }
    this.announced.delete(device);
    holds.hold(device);
    if (underway !== null) underway.postponed = true;
  }

  private settle({ row, hopeless, postponed }: Underway): void {
    const { settlement } = this.options;
    this.underway.delete(row.id);
    if (postponed) this.lanes.restart();
    else if (hopeless !== null) settlement.quarantine(row, hopeless);
    else settlement.deliver(row);
  }
}
