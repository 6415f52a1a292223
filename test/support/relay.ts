/** A relay in front of a server: may change what the server says, and may be shut. */
import { connect } from 'node:net';
import type { Bench } from './cli.ts';
import { tcpServer } from './tcp-server.ts';

export interface Relay {
  readonly port: number;
  /** Breaks what stands and takes no new connection. */
  shut(): void;
  open(): void;
}

export async function relayTo(
  bench: Bench,
  serverPort: number,
  change: (octets: Buffer) => Buffer = (octets) => octets,
): Promise<Relay> {
  let isOpen = true;
  const { port, breakAll } = await tcpServer(bench, (client) => {
    if (!isOpen) {
      client.destroy();
      return;
    }
    const server = connect(serverPort, '127.0.0.1');
    client.on('data', (octets) => server.write(octets));
    server.on('data', (octets) => client.write(change(octets)));
    server.on('error', () => client.destroy());
    server.on('close', () => client.destroy());
    client.on('close', () => server.destroy());
  });
  return {
    port,
    shut() {
      isOpen = false;
      breakAll();
    },
    open() {
      isOpen = true;
    },
  };
}
