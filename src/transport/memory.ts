/** Two transports with nothing but memory between them: what one writes, the other receives, in order, later. */
import { BridgeError, fail } from '../core/errors.ts';
import type { Transport, TransportEvents } from './transport.ts';

interface End {
  readonly transport: Transport;
  events: TransportEvents | null;
}

/** The two ends. What is written to an end that nobody opened is lost, as on a cable. Closing one closes the other. */
export function memoryPair(): readonly [Transport, Transport] {
  const a: End = { events: null, transport: endOf('a', () => [a, b]) };
  const b: End = { events: null, transport: endOf('b', () => [b, a]) };
  return [a.transport, b.transport];
}

function endOf(name: string, ends: () => readonly [own: End, other: End]): Transport {
  const description = `memory ${name}`;
  return {
    description,
    async open(events) {
      const [own] = ends();
      if (own.events !== null) fail('INTERNAL', `${description} is open already`, { layer: 'transport' });
      own.events = events;
    },
    async write(bytes) {
      const [own, other] = ends();
      if (own.events === null) fail('LINE_CLOSED', `${description} is not open`);
      const copy = bytes.slice();
      queueMicrotask(() => other.events?.data(copy));
    },
    async close() {
      const [own, other] = ends();
      own.events = null;
      const listener = other.events;
      other.events = null;
      queueMicrotask(() => listener?.closed(new BridgeError('LINE_CLOSED', 'the other end was closed')));
    },
  };
}
