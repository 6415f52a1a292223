/** Takes UDP datagrams from anybody: meters that push. Each is given as it came; nothing is kept of who sent it. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import { BridgeError, fail } from '../core/errors.ts';
import { plainAddress } from './dial-in.ts';

export interface UdpSender {
  /** For people: `udp from 10.0.0.7:4059`. */
  readonly description: string;
  /** IP address. */
  readonly address: string;
  /** A datagram back. Throws LINE_IO. */
  answer(bytes: Uint8Array): Promise<void>;
}

export interface UdpListenerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  onDatagram(bytes: Uint8Array, sender: UdpSender): void;
  /** Once, when the socket fails; nothing is heard afterwards. */
  onFailed(error: BridgeError): void;
}

export interface UdpListener {
  readonly port: number;
  /** Idempotent. */
  close(): Promise<void>;
}

/** Resolves when datagrams are heard. Throws INVALID_VALUE when the port is taken or not allowed. */
export async function listenUdp({ host, port, onDatagram, onFailed }: UdpListenerOptions): Promise<UdpListener> {
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
  let open = true;
  const close = async (): Promise<void> => {
    if (!open) return;
    open = false;
    const closed = once(socket, 'close');
    socket.close();
    await closed;
  };
  try {
    const listening = once(socket, 'listening');
    socket.bind(port, host);
    await listening;
  } catch (error) {
    await close();
    fail('INVALID_VALUE', `cannot listen on udp ${host}:${port}: ${(error as Error).message}`, {
      layer: 'transport',
      cause: error,
      hint: 'choose another port, or stop the program that uses it',
    });
  }
  socket.on('error', (cause) => {
    onFailed(new BridgeError('LINE_IO', `udp ${host}:${port}: ${cause.message}`, { cause }));
    void close();
  });
  socket.on('message', (message, { address, port: from }) => {
    const description = `udp from ${address}:${from}`;
    onDatagram(new Uint8Array(message), {
      description,
      address: plainAddress(address),
      answer: (bytes) =>
        new Promise((resolve, reject) => {
          const given = (cause: Error | null): void =>
            cause === null
              ? resolve()
              : reject(new BridgeError('LINE_IO', `${description}: ${cause.message}`, { cause }));
          if (open) socket.send(bytes, from, address, given);
          else given(new Error('nobody listens any more'));
        }),
    });
  });
  return { port: socket.address().port, close };
}
