/**
 * UDP to a meter (wrapper over UDP). A connected socket: only datagrams from the meter's address are heard, and the
 * system's "port unreachable" comes back as an error. A datagram is delivered as it is; what is lost stays lost.
 */
import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { BridgeError, type ErrorCode, fail } from '../core/errors.ts';
import type { Transport } from './transport.ts';

export interface UdpOptions {
  readonly host: string;
  readonly port: number;
}

const ERRORS: Readonly<Record<string, ErrorCode>> = {
  ECONNREFUSED: 'LINE_REFUSED',
  EHOSTUNREACH: 'LINE_UNREACHABLE',
  ENETUNREACH: 'LINE_UNREACHABLE',
  ENOTFOUND: 'LINE_UNREACHABLE',
  EAI_AGAIN: 'LINE_UNREACHABLE',
};

/** Throws LINE_UNREACHABLE or LINE_IO when opening; an unanswered meter shows only when it is written to. */
export function udpTransport({ host, port }: UdpOptions): Transport {
  const description = `udp ${host.includes(':') ? `[${host}]` : host}:${port}`;
  let current: Socket | null = null;

  const lineError = (error: NodeJS.ErrnoException): BridgeError =>
    new BridgeError(ERRORS[error.code ?? ''] ?? 'LINE_IO', `${description}: ${error.message}`, { cause: error });

  return {
    description,
    async open(events) {
      if (current !== null) fail('INTERNAL', `${description} is open already`, { layer: 'transport' });
      const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
      current = socket;
      try {
        await new Promise<void>((resolve, reject) => {
          socket.once('error', reject);
          // A name that does not resolve comes to the callback, which the types do not say.
          socket.connect(port, host, ((error?: Error) => {
            socket.off('error', reject);
            if (error instanceof Error) reject(error);
            else resolve();
          }) as () => void);
        });
      } catch (error) {
        if (current === socket) current = null;
        closeQuietly(socket);
        throw lineError(error as NodeJS.ErrnoException);
      }
      socket.on('message', (message) => {
        if (current === socket) events.data(new Uint8Array(message));
      });
      socket.on('error', (error) => {
        if (current !== socket) return;
        current = null;
        closeQuietly(socket);
        events.closed(lineError(error));
      });
    },
    async write(bytes) {
      const socket = current;
      if (socket === null) return fail('LINE_CLOSED', `${description} is not open`);
      await new Promise<void>((resolve, reject) => {
        socket.send(bytes, (error) => (error === null ? resolve() : reject(lineError(error))));
      });
    },
    async close() {
      const socket = current;
      current = null;
      if (socket !== null) closeQuietly(socket);
    },
  };
}

/** A socket that failed may be closed already, which the library takes amiss. */
function closeQuietly(socket: Socket): void {
  socket.removeAllListeners();
  socket.on('error', () => undefined);
  try {
    socket.close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SOCKET_DGRAM_NOT_RUNNING') throw error;
  }
}
