/** One open transport, shared in turn by the meters of a line: opens on demand and routes what arrives to who attached last. */
import { BridgeError, fail } from '../core/errors.ts';
import type { Wire, WireReceiver } from '../meter/channel.ts';
import type { SignOnStyle, Transport, TransportEvents } from '../transport/transport.ts';

export class LinePort implements Wire {
  private readonly transport: Transport;
  private readonly onClosed: (reason: BridgeError) => void;
  /** Of all openings. */
  octetsReceived = 0;
  private receiver: WireReceiver | null = null;
  private state: 'closed' | 'open' = 'closed';

  /** `onClosed` hears when an open line breaks: every association over it is gone. */
  constructor(transport: Transport, onClosed: (reason: BridgeError) => void) {
    this.transport = transport;
    this.onClosed = onClosed;
  }

  get isOpen(): boolean {
    return this.state === 'open';
  }

  get description(): string {
    return this.transport.description;
  }

  /** Throws LINE_* or SERIAL_PORT_*. */
  async ensureOpen(style: SignOnStyle): Promise<void> {
    if (this.state === 'open') return;
    const events: TransportEvents = {
      data: (bytes) => {
        this.octetsReceived += bytes.length;
        this.receiver?.data(bytes);
      },
      closed: (reason) => this.broken(reason),
    };
    await this.transport.open(events, style);
    this.state = 'open';
  }

  attach(receiver: WireReceiver): void {
    this.receiver = receiver;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.state !== 'open') fail('LINE_CLOSED', `${this.transport.description} is closed`);
    await this.transport.write(bytes);
  }

  /** Whoever still waits for an answer hears LINE_CLOSED. */
  async close(): Promise<void> {
    const { receiver } = this;
    this.state = 'closed';
    this.receiver = null;
    await this.transport.close();
    receiver?.closed(new BridgeError('LINE_CLOSED', `${this.transport.description} was closed on our side`));
  }

  private broken(reason: BridgeError): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    const { receiver } = this;
    this.receiver = null;
    this.onClosed(reason);
    receiver?.closed(reason);
  }
}
