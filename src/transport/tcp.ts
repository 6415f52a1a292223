/** A TCP connection to a meter, gateway or serial device server; and a connection that somebody else made to us. */
import { connect, type Socket } from 'node:net';
import { BridgeError, type ErrorCode, fail } from '../core/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Transport, TransportEvents } from './transport.ts';

export interface TcpOptions {
  readonly host: string;
  readonly port: number;
  readonly clock: Clock;
  /** How long `open` may take, milliseconds; the system's own time-out is minutes. */
  readonly openTimeoutMs?: number;
}

const DEFAULT_OPEN_TIMEOUT_MS = 10_000;
/** Idle time before the system asks whether the other side is still there: mobile networks forget silently. */
const KEEP_ALIVE_MS = 30_000;

/** What a system error means while connecting. */
const OPEN_ERRORS: Readonly<Record<string, ErrorCode>> = {
  ECONNREFUSED: 'LINE_REFUSED',
  EHOSTUNREACH: 'LINE_UNREACHABLE',
  ENETUNREACH: 'LINE_UNREACHABLE',
  EHOSTDOWN: 'LINE_UNREACHABLE',
  ENETDOWN: 'LINE_UNREACHABLE',
  EADDRNOTAVAIL: 'LINE_UNREACHABLE',
  ENOTFOUND: 'LINE_UNREACHABLE',
  EAI_AGAIN: 'LINE_UNREACHABLE',
  ETIMEDOUT: 'LINE_OPEN_TIMEOUT',
  ECONNRESET: 'LINE_CLOSED',
};

/** And on a connection that stood. */
const STANDING_ERRORS: Readonly<Record<string, ErrorCode>> = {
  ECONNRESET: 'LINE_CLOSED',
  EPIPE: 'LINE_CLOSED',
  ETIMEDOUT: 'LINE_CLOSED',
  ECONNABORTED: 'LINE_CLOSED',
};

/** Pumps between a socket that is connected and its listener; the same for both directions of connecting. */
class SocketPump {
  private readonly socket: Socket;
  private readonly description: string;
  private events: TransportEvents | null;
  private failure: BridgeError | null = null;

  constructor(socket: Socket, description: string, events: TransportEvents) {
    this.socket = socket;
    this.description = description;
    this.events = events;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.on('data', (chunk) => this.events?.data(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)));
    socket.on('error', (error) => {
      this.failure = lineError(error, STANDING_ERRORS, `${description}: ${error.message}`);
    });
    socket.on('close', () => this.closed());
    socket.resume();
    // What happened before anybody listened.
    if (socket.destroyed) queueMicrotask(() => this.closed());
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.events === null || !this.socket.writable) {
      throw this.failure ?? new BridgeError('LINE_CLOSED', `${this.description} is closed`);
    }
    await new Promise<void>((resolve, reject) => {
      this.socket.write(bytes, (error) => {
        if (error) reject(lineError(error, STANDING_ERRORS, `${this.description}: ${error.message}`));
        else resolve();
      });
    });
  }

  /** Nothing is reported from now on. */
  async close(): Promise<void> {
    this.events = null;
    if (this.socket.destroyed) return;
    await new Promise<void>((resolve) => {
      this.socket.once('close', () => resolve());
      // What the system has still goes out; what it did not even take by now would keep us waiting for a dead peer.
      if (this.socket.writableLength > 0) this.socket.destroy();
      else this.socket.destroySoon();
    });
  }

  private closed(): void {
    const listener = this.events;
    this.events = null;
    listener?.closed(
      this.failure ?? new BridgeError('LINE_CLOSED', `${this.description}: the other side closed the connection`),
    );
  }
}

/** A client connection. Throws LINE_REFUSED, LINE_UNREACHABLE, LINE_OPEN_TIMEOUT, LINE_CLOSED or LINE_IO when opening. */
export function tcpTransport(options: TcpOptions): Transport {
  const { host, port, clock, openTimeoutMs = DEFAULT_OPEN_TIMEOUT_MS } = options;
  const description = `tcp ${host.includes(':') ? `[${host}]` : host}:${port}`;
  let opening: Socket | null = null;
  let pump: SocketPump | null = null;

  const connected = (): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const socket = connect({ host, port });
      opening = socket;
      // The listeners stay: an error between this event and the next listener must not end the process.
      const give = (error: BridgeError): void => {
        timer.cancel();
        reject(error);
        socket.destroy();
      };
      const timer = clock.setTimer(openTimeoutMs, () =>
        give(new BridgeError('LINE_OPEN_TIMEOUT', `${description} did not answer within ${openTimeoutMs} ms`)),
      );
      socket.once('error', (error) => give(lineError(error, OPEN_ERRORS, `${description}: ${reasonOf(error)}`)));
      socket.once('close', () => give(new BridgeError('LINE_CLOSED', `${description} was closed while opening`)));
      socket.once('connect', () => {
        timer.cancel();
        resolve(socket);
      });
    });

  return {
    description,
    async open(events) {
      if (opening !== null || pump !== null) fail('INTERNAL', `${description} is open already`, { layer: 'transport' });
      try {
        const socket = await connected();
        pump = new SocketPump(socket, description, {
          data: (bytes) => events.data(bytes),
          closed(reason) {
            pump = null;
            events.closed(reason);
          },
        });
      } finally {
        opening = null;
      }
    },
    async write(bytes) {
      if (pump === null) fail('LINE_CLOSED', `${description} is not open`);
      await pump.write(bytes);
    },
    async close() {
      opening?.destroy();
      const standing = pump;
      pump = null;
      await standing?.close();
    },
  };
}

/** A connection that was accepted, paused: `open` it once, to listen to it. */
export function acceptedTransport(socket: Socket): Transport {
  const description = `tcp from ${socket.remoteAddress ?? 'nobody'}:${socket.remotePort ?? 0}`;
  // Until it is opened nothing is read, and an error must not end the process.
  let early: BridgeError | null = null;
  const onEarlyError = (error: Error): void => {
    early = lineError(error, STANDING_ERRORS, `${description}: ${error.message}`);
  };
  socket.on('error', onEarlyError);
  let pump: SocketPump | null = null;
  return {
    description,
    async open(events) {
      if (pump !== null) fail('INTERNAL', `${description} is open already`, { layer: 'transport' });
      if (socket.destroyed) throw early ?? new BridgeError('LINE_CLOSED', `${description} is closed`);
      socket.removeListener('error', onEarlyError);
      pump = new SocketPump(socket, description, events);
    },
    async write(bytes) {
      if (pump === null) fail('LINE_CLOSED', `${description} is not open`);
      await pump.write(bytes);
    },
    async close() {
      if (pump !== null) await pump.close();
      else socket.destroy();
    },
  };
}

/** A system error as ours; what the table does not know is LINE_IO. */
function lineError(error: Error, codes: Readonly<Record<string, ErrorCode>>, message: string): BridgeError {
  const system = systemCodeOf(error);
  return new BridgeError(codes[system] ?? 'LINE_IO', message, { cause: error, facts: { system } });
}

/** A host name with several addresses fails with one error for each: the first speaks for all. */
function systemCodeOf(error: Error): string {
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return systemCodeOf(error.errors[0]);
  return (error as NodeJS.ErrnoException).code ?? '';
}

function reasonOf(error: Error): string {
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return reasonOf(error.errors[0]);
  return error.message;
}
