/**
 * The wrapper of the TCP-UDP/IP profile (Green Book 7.3.3): `version 0001 | source wPort | destination wPort | length |
 * APDU`, two octets each. A client SAP or server logical device is its wPort; an answer swaps the two. TCP may deliver
 * half a message or several at once.
 *
 * Over TCP nothing is repeated on a time-out: the octets either arrived or the connection breaks, and a repeated request
 * would be carried out twice.
 */
import { ByteReader, ByteWriter } from '../core/bytes.ts';
import { fail } from '../core/errors.ts';
import { Deframer, type DeframerItem, type Probe } from './deframer.ts';
import { Evidence } from './evidence.ts';
import { type ClientLink, isNotification, type LinkEvent, type LinkOutput } from './link.ts';
import type { MeterSettings } from './settings.ts';

export const WRAPPER_VERSION = 1;
const HEADER_LENGTH = 8;
const MAX_APDU_LENGTH = 0xffff;

export interface WrapperFrame {
  readonly version: 1;
  readonly sourceWPort: number;
  readonly destinationWPort: number;
  /** Octets of the APDU. */
  readonly length: number;
  readonly apdu: Uint8Array;
}

/** A message with its header. Throws LIMIT_EXCEEDED when sixteen bits cannot hold the length of the APDU. */
export function encodeWrapper(sourceWPort: number, destinationWPort: number, apdu: Uint8Array): Uint8Array {
  if (apdu.length > MAX_APDU_LENGTH) {
    fail('LIMIT_EXCEEDED', `a wrapper message holds ${MAX_APDU_LENGTH} octets, not ${apdu.length}`, {
      layer: 'wrapper',
    });
  }
  return new ByteWriter(HEADER_LENGTH + apdu.length)
    .u16(WRAPPER_VERSION)
    .u16(sourceWPort)
    .u16(destinationWPort)
    .u16(apdu.length)
    .bytes(apdu)
    .finish();
}

/** Decodes exactly one message. Throws MALFORMED, TRUNCATED or TRAILING_BYTES. */
export function decodeWrapper(bytes: Uint8Array): WrapperFrame {
  const reader = new ByteReader(bytes, 'wrapper');
  const version = reader.u16('version');
  if (version !== WRAPPER_VERSION) {
    reader.fail('MALFORMED', `wrapper version 0x${version.toString(16).padStart(4, '0')}, not 0001`);
  }
  const sourceWPort = reader.u16('source wPort');
  const destinationWPort = reader.u16('destination wPort');
  const length = reader.u16('length');
  const apdu = reader.take(length, 'APDU').slice();
  reader.expectEnd('wrapper message');
  return { version: WRAPPER_VERSION, sourceWPort, destinationWPort, length, apdu };
}

export type WrapperItem = DeframerItem<WrapperFrame>;

/** Finds wrapper messages in a stream. Resynchronises on 0001. */
export class WrapperDeframer extends Deframer<WrapperFrame> {
  constructor() {
    super(probeWrapper, HEADER_LENGTH + MAX_APDU_LENGTH);
  }
}

function probeWrapper(octets: Uint8Array, start: number, end: number): Probe<WrapperFrame> {
  if (!mayBegin(octets, start, end)) {
    let at = start + 1;
    while (at < end && !mayBegin(octets, at, end)) at += 1;
    return { kind: 'skip', length: at - start, reason: 'octets outside a wrapper message' };
  }
  if (end - start < HEADER_LENGTH) return { kind: 'need', octets: HEADER_LENGTH, idle: false };
  const u16 = (at: number): number => (octets[start + at]! << 8) | octets[start + at + 1]!;
  const length = u16(6);
  const whole = HEADER_LENGTH + length;
  if (end - start < whole) return { kind: 'need', octets: whole, idle: false };
  const apdu = new Uint8Array(octets.buffer, octets.byteOffset + start + HEADER_LENGTH, length);
  const frame: WrapperFrame = { version: 1, sourceWPort: u16(2), destinationWPort: u16(4), length, apdu };
  return { kind: 'frame', frame, length: whole };
}

/** Whether the version stands there, as far as octets are known. */
function mayBegin(octets: Uint8Array, at: number, end: number): boolean {
  return octets[at] === 0 && (at + 1 >= end || octets[at + 1] === WRAPPER_VERSION);
}

/** The client's end. There is no link to make: connected and disconnected at once. */
export class WrapperClientLink implements ClientLink {
  private readonly client: number;
  private readonly server: number;
  private readonly deframer = new WrapperDeframer();
  private connected = false;
  private awaiting = false;
  private evidence = new Evidence('wrapper');

  constructor(settings: Pick<MeterSettings, 'client' | 'server'>) {
    this.client = settings.client;
    this.server = settings.server;
  }

  connect(): LinkOutput {
    const events = discardedOf(this.deframer.flush());
    this.connected = true;
    this.awaiting = false;
    return { send: [], events: [...events, { kind: 'connected' }] };
  }

  /** Nothing repeats what gets lost on the way: that is for those above to notice. */
  readonly isSettled = true;

  send(apdu: Uint8Array): LinkOutput {
    this.listen();
    this.evidence = new Evidence('wrapper');
    return this.notify(apdu);
  }

  listen(): LinkOutput {
    if (!this.connected) fail('LINK_LOST', 'the wrapper link is not connected', { layer: 'wrapper' });
    this.awaiting = true;
    return { send: [], events: [] };
  }

  keepAlive(): LinkOutput {
    return { send: [], events: [{ kind: 'alive' }] };
  }

  notify(apdu: Uint8Array): LinkOutput {
    return { send: [encodeWrapper(this.client, this.server, apdu)], events: [] };
  }

  receive(bytes: Uint8Array): LinkOutput {
    this.evidence.heard(bytes);
    return { send: [], events: this.deframer.push(bytes).map((item) => this.take(item)) };
  }

  timeout(): LinkOutput {
    const events = this.deframer.flush().map((item) => this.take(item));
    if (this.awaiting) {
      this.awaiting = false;
      this.connected = false;
      events.push({ kind: 'failed', error: this.evidence.error('the answer') });
    }
    return { send: [], events };
  }

  disconnect(): LinkOutput {
    this.connected = false;
    this.awaiting = false;
    return { send: [], events: [{ kind: 'disconnected' }] };
  }

  private take(item: WrapperItem): LinkEvent {
    if (item.kind === 'discarded') {
      this.evidence.discarded(item.discarded.reason);
      return item;
    }
    this.evidence.frame();
    const { sourceWPort, destinationWPort, apdu } = item.frame;
    const discard = (reason: string): LinkEvent => ({
      kind: 'discarded',
      discarded: { offset: item.offset, length: HEADER_LENGTH + apdu.length, reason },
    });
    if (sourceWPort !== this.server || destinationWPort !== this.client) {
      const answered = `server ${sourceWPort} to client ${destinationWPort}`;
      this.evidence.otherAddress(`server ${this.server} as client ${this.client}`, answered);
      return discard(`other address: ${answered}`);
    }
    if (!this.connected) return discard('the link is not connected');
    if (apdu.length === 0) return discard('a message without an APDU');
    const unsolicited = !this.awaiting || isNotification(apdu);
    if (!unsolicited) this.awaiting = false;
    return { kind: 'apdu', apdu, unsolicited };
  }
}

/** What is thrown away with the old connection. */
function discardedOf(items: readonly WrapperItem[]): LinkEvent[] {
  return items.map((item) =>
    item.kind === 'discarded'
      ? item
      : {
          kind: 'discarded',
          discarded: {
            offset: item.offset,
            length: HEADER_LENGTH + item.frame.length,
            reason: 'from before connecting',
          },
        },
  );
}
