/** What hears the meters of a listening line: a TCP port, a UDP port, a serial port. */
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { LineSettings } from '../transport/line-settings.ts';
import { type ListenLink, transportOf } from '../transport/link-address.ts';
import { listenTcp } from '../transport/tcp-listener.ts';
import { listenUdp } from '../transport/udp-listener.ts';
import type { Callers } from './callers.ts';
import type { MeterOnLine } from './meter-slot.ts';
import { PushEar, type Senders } from './push-ear.ts';

export interface ListenerOptions {
  readonly address: ListenLink;
  readonly settings: LineSettings;
  readonly callers: Callers;
  readonly senders: Senders & { bySource(address: string): MeterOnLine | null };
  readonly clock: Clock;
  readonly log: Logger;
  /** Nothing is heard any more. */
  readonly onLost: () => void;
}

export interface Listening {
  close(): Promise<void>;
}

/** The sender of datagrams that was silent longest is forgotten beyond so many. */
const MOST_SENDERS = 1000;

/** Throws INVALID_VALUE for a port that is taken, LINE_* and SERIAL_PORT_*. */
export function openListener(options: ListenerOptions): Promise<Listening> {
  switch (options.address.kind) {
    case 'listen+tcp':
      return onTcp(options, options.address);
    case 'listen+udp':
      return onUdp(options, options.address);
    case 'listen+serial':
      return onSerial(options);
  }
}

type Place = { readonly host: string; readonly port: number };

function onTcp({ callers, log }: ListenerOptions, { host, port }: Place): Promise<Listening> {
  return listenTcp({
    host,
    port,
    onConnection: (transport, from) => callers.accept(transport, from),
    onRefused: ({ message }) => log.warn({ host, port, err: message }, 'a call was not taken'),
  });
}

/** Each datagram is a message of its own, but for blocks of one sender, which come in several. */
async function onUdp(options: ListenerOptions, { host, port }: Place): Promise<Listening> {
  const ears = new Map<string, PushEar>();
  return listenUdp({
    host,
    port,
    onDatagram(bytes, { description, address, answer }) {
      const ear = ears.get(description) ?? earOf(options, description, address, answer);
      ears.delete(description);
      ears.set(description, ear);
      ear.own(options.senders.bySource(address));
      ear.receiveWhole(bytes);
      const [oldest] = ears.keys();
      if (ears.size > MOST_SENDERS && oldest !== undefined) ears.delete(oldest);
    },
    onFailed: options.onLost,
  });
}

async function onSerial(options: ListenerOptions): Promise<Listening> {
  const transport = transportOf(options.address, options.clock, options.settings);
  const ear = earOf(options, transport.description, transport.description, (bytes) => transport.write(bytes));
  await transport.open({ data: (bytes) => ear.receive(bytes), closed: options.onLost });
  return transport;
}

function earOf(
  { address, callers, senders, clock, log }: ListenerOptions,
  from: string,
  source: string,
  write: (bytes: Uint8Array) => Promise<void>,
): PushEar {
  return new PushEar({
    framing: address.framing,
    from,
    senders,
    clock,
    log,
    write,
    isSessions: () => false,
    onSender: () => undefined,
    onStranger: (error) => callers.noteStranger(source, error),
    onDiscarded: (octets) => callers.noteDiscarded(octets),
  });
}
