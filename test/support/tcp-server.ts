/** A TCP server on a free loopback port, gone at the test's end with all its connections. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { Bench } from './cli.ts';

export interface TcpServer {
  readonly port: number;
  /** Breaks every connection that stands. */
  breakAll(): void;
}

export async function tcpServer(bench: Bench, onConnection: (socket: Socket) => void): Promise<TcpServer> {
  const sockets = new Set<Socket>();
  const breakAll = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    onConnection(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  bench.atEnd(async () => {
    const closed = once(server, 'close');
    server.close();
    breakAll();
    await closed;
  });
  return { port: (server.address() as AddressInfo).port, breakAll };
}
