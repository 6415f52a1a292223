/**
 * One connection that somebody made to us. Its octets go to its ear for pushes, and to whoever uses it as a client; while
 * nobody knows who it is, it may send little and stay shortly.
 */
import type { BridgeError } from '../core/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Transport, TransportEvents } from '../transport/transport.ts';
import type { MeterOnLine } from './meter-slot.ts';
import type { PushEar } from './push-ear.ts';

/** Octets that are taken from who is not known yet. */
const MOST_BEFORE_IDENTIFIED = 64 * 1024;

export interface InboundConnectionOptions {
  readonly transport: Transport;
  /** IP address. */
  readonly address: string;
  readonly clock: Clock;
  /** Once, whoever ended it. */
  readonly onEnded: (connection: InboundConnection) => void;
}

export class InboundConnection {
  readonly address: string;
  /** Whose it is. */
  meter: MeterOnLine | null = null;
  /** The meter answered over it as a server. */
  answers = false;
  lastHeardAt: number;
  ear: PushEar | null = null;
  private readonly options: InboundConnectionOptions;
  private user: TransportEvents | null = null;
  private received = 0;
  private ended = false;

  constructor(options: InboundConnectionOptions) {
    this.options = options;
    this.address = options.address;
    this.lastHeardAt = options.clock.monotonic();
  }

  get isEnded(): boolean {
    return this.ended;
  }

  get description(): string {
    return this.options.transport.description;
  }

  /** Begins to read. Never throws: a connection that is gone already has ended. */
  async begin(): Promise<void> {
    try {
      await this.options.transport.open({
        data: (bytes) => this.heard(bytes),
        closed: (reason) => this.over(reason),
      });
    } catch {
      this.over(null);
    }
  }

  /** From now on its octets are for this user as well; null: for nobody but the ear. */
  use(user: TransportEvents | null): void {
    this.user = user;
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.options.transport.write(bytes);
  }

  /** Closes it. Idempotent. */
  end(): void {
    this.over(null);
  }

  private heard(bytes: Uint8Array): void {
    this.lastHeardAt = this.options.clock.monotonic();
    this.received += bytes.length;
    if (this.meter === null && this.received > MOST_BEFORE_IDENTIFIED) {
      this.end();
      return;
    }
    this.user?.data(bytes);
    this.ear?.receive(bytes);
  }

  private over(reason: BridgeError | null): void {
    if (this.ended) return;
    this.ended = true;
    const { user } = this;
    this.user = null;
    void this.options.transport.close();
    if (reason !== null) user?.closed(reason);
    this.options.onEnded(this);
  }
}
