/**
 * The connections of callers on one line: identified by where they come from, by what they push, or by asking; closed when
 * nobody knows them. All of it is bounded: those that are not known yet in number, time and octets, the others by the
 * number of meters.
 */
import { BridgeError } from '../core/errors.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Framing } from '../transport/link-address.ts';
import type { Transport } from '../transport/transport.ts';
import { askName, type CallerAddress } from './caller-name.ts';
import { InboundConnection } from './inbound-connection.ts';
import type { MeterOnLine } from './meter-slot.ts';
import { PushEar, type Senders } from './push-ear.ts';
import type { InboundCounts } from './worker-types.ts';

export interface CallersOptions {
  readonly framing: Framing;
  readonly senders: Senders & { bySource(address: string): MeterOnLine | null };
  /** How callers are asked for their name; none where none of the meters is known by it. */
  readonly addresses: () => readonly CallerAddress[];
  /** Whether the session of a meter takes what is sent to this client. */
  readonly isSessions: (meter: MeterOnLine, client: number) => boolean;
  readonly onIdentified: (connection: InboundConnection, meter: MeterOnLine) => void;
  readonly onEnded: (connection: InboundConnection) => void;
  readonly onStranger: (from: string, error: BridgeError) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Callers that are not known yet. */
const MOST_UNKNOWN = 256;
const MOST_UNKNOWN_OF_SOURCE = 32;
/** A meter that pushes does so at once; who was silent for so long is asked. */
const ASK_AFTER_MS = 3000;
const KNOWN_WITHIN_MS = 30_000;

export class Callers {
  private readonly options: CallersOptions;
  private readonly unknown = new Map<InboundConnection, Timer[]>();
  private readonly known = new Set<InboundConnection>();
  private readonly asked = new WeakSet<InboundConnection>();
  private accepted = 0;
  private strangers = 0;
  private refused = 0;
  private discarded = 0;

  constructor(options: CallersOptions) {
    this.options = options;
  }

  counts(): InboundCounts {
    const { accepted, strangers, refused, discarded, known, unknown } = this;
    return { open: known.size + unknown.size, identified: known.size, accepted, strangers, refused, discarded };
  }

  noteDiscarded(octets: number): void {
    this.discarded += octets;
  }

  noteStranger(from: string, error: BridgeError): void {
    this.strangers += 1;
    this.options.onStranger(from, error);
  }

  accept(transport: Transport, address: string): void {
    const { clock, framing, senders, log } = this.options;
    const sameSource = [...this.unknown.keys()].filter((one) => one.address === address).length;
    const meter = senders.bySource(address);
    if (meter === null && (this.unknown.size >= MOST_UNKNOWN || sameSource >= MOST_UNKNOWN_OF_SOURCE)) {
      this.refused += 1;
      void transport.close();
      return;
    }
    this.accepted += 1;
    const connection = new InboundConnection({
      transport,
      address,
      clock,
      onEnded: (ended) => {
        this.forget(ended);
        this.options.onEnded(ended);
      },
    });
    connection.ear = new PushEar({
      framing,
      from: connection.description,
      senders,
      clock,
      log,
      write: (bytes) => connection.write(bytes),
      isSessions: ({ client }) => connection.meter !== null && this.options.isSessions(connection.meter, client),
      onSender: (sender) => this.identified(connection, sender),
      onStranger: (error) => this.stranger(connection, error),
      onAnonymous: () => void this.ask(connection),
      onDiscarded: (octets) => this.noteDiscarded(octets),
    });
    const timers = [
      clock.setTimer(ASK_AFTER_MS, () => void this.ask(connection)),
      clock.setTimer(KNOWN_WITHIN_MS, () => this.tooLong(connection)),
    ];
    this.unknown.set(connection, timers);
    if (meter !== null) this.identified(connection, meter);
    void connection.begin();
  }

  endAll(): void {
    for (const connection of [...this.unknown.keys(), ...this.known]) connection.end();
  }

  private identified(connection: InboundConnection, meter: MeterOnLine): void {
    // A concentrator pushes for many over one connection: the first is whose connection it is.
    if (connection.meter !== null || connection.isEnded) return;
    this.forget(connection);
    this.known.add(connection);
    connection.meter = meter;
    this.options.log.debug({ meter: meter.name, from: connection.description }, 'dialled in');
    this.options.onIdentified(connection, meter);
    connection.ear?.own(meter);
  }

  private async ask(connection: InboundConnection): Promise<void> {
    const addresses = this.options.addresses();
    if (!this.unknown.has(connection) || this.asked.has(connection) || addresses.length === 0) return;
    this.asked.add(connection);
    const name = await askName(asTransport(connection), addresses, this.options);
    if (!this.unknown.has(connection)) return;
    if (name === null) {
      this.stranger(connection, new BridgeError('UNKNOWN_CALLER', 'a caller that does not tell its name'));
      return;
    }
    const meter = this.options.senders.byDeviceName(name);
    if (meter === null) {
      this.stranger(connection, new BridgeError('UNKNOWN_CALLER', `a caller of the name "${name.slice(0, 64)}"`));
      return;
    }
    connection.answers = true;
    this.identified(connection, meter);
  }

  private tooLong(connection: InboundConnection): void {
    if (!this.unknown.has(connection)) return;
    this.stranger(connection, new BridgeError('UNKNOWN_CALLER', 'a caller that did not say who it is'));
  }

  /** On a connection whose meter is known, somebody else's push is left out and the connection goes on. */
  private stranger(connection: InboundConnection, error: BridgeError): void {
    this.noteStranger(connection.address, error);
    if (connection.meter === null) connection.end();
  }

  private forget(connection: InboundConnection): void {
    for (const timer of this.unknown.get(connection) ?? []) timer.cancel();
    this.unknown.delete(connection);
    this.known.delete(connection);
  }
}

/** For one use; closing it lets the connection stand. */
function asTransport(connection: InboundConnection): Transport {
  return {
    description: connection.description,
    open: async (events) => connection.use(events),
    write: (bytes) => connection.write(bytes),
    close: async () => connection.use(null),
  };
}
