/** Virtual meters that begin to talk: they dial in, push, or both. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { systemClock } from '../../src/runtime/clock.ts';
import {
  type CallOptions,
  startVirtualMeters,
  type VirtualMeters,
  type VirtualMetersOptions,
} from '../../src/simulator/meter/fleet.ts';
import { framingOf, parseLink, transportOf } from '../../src/transport/link-address.ts';
import type { Bench } from './cli.ts';

export async function callers(
  bench: Bench,
  link: string,
  calls: Omit<CallOptions, 'connect'>,
  options: Partial<VirtualMetersOptions> = {},
): Promise<VirtualMeters> {
  const address = parseLink(link);
  const virtual = await startVirtualMeters({
    count: 1,
    port: 0,
    auth: 'none',
    clock: systemClock,
    ...options,
    framing: framingOf(address),
    calls: { ...calls, connect: () => transportOf(address, systemClock) },
  });
  bench.atEnd(() => virtual.stop());
  return virtual;
}

/** A port of a listener: below those that outgoing connections take, of which callers that are refused use many up. */
export async function listenerPort(): Promise<number> {
  for (;;) {
    const port = 12_000 + Math.floor(Math.random() * 18_000);
    const server = createServer();
    server.listen(port, '127.0.0.1');
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    server.close();
    if (isFree) return port;
  }
}
