/**
 * The way to a meter that dials in: whichever of its connections stands. Closing it lets the connection stand, since only
 * the meter could open it again; whoever opens it next first waits until nothing late can come.
 */
import { BridgeError, fail } from '../core/errors.ts';
import { type Clock, sleep } from '../runtime/clock.ts';
import type { Transport, TransportEvents } from '../transport/transport.ts';
import type { InboundConnection } from './inbound-connection.ts';

/** A meter that calls again while its last connections still seem to stand. */
const MOST_CONNECTIONS = 4;
/** After this silence no answer to what was asked before comes any more. */
const QUIET_MS = 2000;
/** Used so often in a row without an octet: the connection is taken for dead. */
const SILENT_USES = 3;

export class InboundTransport implements Transport {
  readonly description: string;
  private readonly clock: Clock;
  /** The newest last. */
  private connections: InboundConnection[] = [];
  private used: InboundConnection | null = null;
  private events: TransportEvents | null = null;
  private closedAt = Number.NEGATIVE_INFINITY;
  private heard = false;
  /** Something was sent that nothing has come for. */
  private unanswered = false;
  private silentUses = 0;

  constructor(description: string, clock: Clock) {
    this.description = description;
    this.clock = clock;
  }

  get isReachable(): boolean {
    return this.connections.length > 0;
  }

  get count(): number {
    return this.connections.length;
  }

  add(connection: InboundConnection): void {
    this.connections.push(connection);
    if (this.connections.length > MOST_CONNECTIONS) this.connections[0]?.end();
  }

  /** One that has ended. */
  remove(connection: InboundConnection): void {
    this.connections = this.connections.filter((one) => one !== connection);
    if (this.used !== connection) return;
    this.used = null;
    const { events } = this;
    this.events = null;
    events?.closed(new BridgeError('LINE_CLOSED', `${connection.description}: the connection has ended`));
  }

  /** Ends every connection. */
  endAll(): void {
    for (const connection of [...this.connections]) connection.end();
  }

  /** Ends those that were silent for so long. */
  endSilent(ms: number): void {
    const now = this.clock.monotonic();
    for (const connection of [...this.connections]) if (now - connection.lastHeardAt >= ms) connection.end();
  }

  async open(events: TransportEvents): Promise<void> {
    const quiet = this.closedAt + QUIET_MS - this.clock.monotonic();
    if (quiet > 0) await sleep(this.clock, quiet);
    // One over which the meter answered, or was asked for its name; else the newest.
    const connection = this.connections.findLast(({ answers }) => answers) ?? this.connections.at(-1);
    if (connection === undefined) return fail('NOT_DIALLED_IN', `${this.description} has not dialled in`);
    this.used = connection;
    this.events = events;
    this.heard = false;
    connection.use({
      data: (bytes) => {
        this.heard = true;
        this.unanswered = false;
        this.silentUses = 0;
        connection.answers = true;
        events.data(bytes);
      },
      closed: (reason) => {
        this.used = null;
        this.events = null;
        events.closed(reason);
      },
    });
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.used === null) return fail('LINE_CLOSED', `${this.description} is not open`);
    this.unanswered = true;
    await this.used.write(bytes);
  }

  async close(): Promise<void> {
    const { used } = this;
    this.used = null;
    this.events = null;
    if (used === null) return;
    used.use(null);
    if (this.unanswered) this.closedAt = this.clock.monotonic();
    this.unanswered = false;
    if (this.heard) return;
    used.answers = false;
    this.silentUses += 1;
    if (this.silentUses < SILENT_USES) return;
    this.silentUses = 0;
    used.end();
  }
}
