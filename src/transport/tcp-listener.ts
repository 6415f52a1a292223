/** Accepts TCP connections: for meters that dial in, and for virtual meters. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { fail } from '../core/errors.ts';
import { plainAddress } from './dial-in.ts';
import { acceptedTransport } from './tcp.ts';
import type { Transport } from './transport.ts';

export interface TcpListenerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Called for every connection, with the IP address it comes from; nothing is read before its transport is opened. */
  onConnection(transport: Transport, from: string): void;
  /** A connection could not be taken, for want of files; listening goes on. */
  onRefused?(error: Error): void;
}

export interface TcpListener {
  readonly port: number;
  /** Stops listening and breaks every connection that stands. Idempotent. */
  close(): Promise<void>;
}

/** Resolves when connections are accepted. Throws INVALID_VALUE when the port is taken or not allowed. */
export async function listenTcp({ host, port, onConnection, onRefused }: TcpListenerOptions): Promise<TcpListener> {
  const sockets = new Set<Socket>();
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    onConnection(acceptedTransport(socket), plainAddress(socket.remoteAddress ?? ''));
  });
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    fail('INVALID_VALUE', `cannot listen on ${host}:${port}: ${(error as Error).message}`, {
      layer: 'transport',
      cause: error,
      hint: 'choose another port, or stop the program that uses it',
    });
  }
  // Unheard it would end the process.
  server.on('error', (error) => onRefused?.(error));
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = server.listening ? once(server, 'close') : null;
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
