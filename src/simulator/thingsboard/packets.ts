/**
 * Octets from a client -> whole MQTT packets, bounded. The real server's frame decoder refuses a packet whose remaining
 * length is above 65536 as soon as it sees the length; mqtt-packet alone would buffer up to 256 MB for it.
 */
import { type Packet, parser } from 'mqtt-packet';

/** Highest remaining length (MQTT 2.2.3) that ThingsBoard takes: topic, identifier, properties and payload together. */
export const MAX_REMAINING_LENGTH = 65_536;

export type Incoming =
  | { readonly kind: 'packet'; readonly packet: Packet }
  /** The stream cannot be followed any further. */
  | { readonly kind: 'oversize'; readonly length: number }
  | { readonly kind: 'malformed'; readonly reason: string };

const MALFORMED_LENGTH = 'remaining length has more than four octets';

/** Takes octets in any portions. After `oversize` or `malformed` it takes no more. */
export class PacketStream {
  private buffered: Buffer = Buffer.alloc(0);
  private broken = false;
  private parsed: Packet | null = null;
  private fault: string | null = null;
  private readonly parser = parser();

  constructor() {
    this.parser.on('packet', (packet) => {
      this.parsed = packet;
    });
    this.parser.on('error', (error: unknown) => {
      this.fault ??= error instanceof Error ? error.message : String(error);
    });
  }

  push(bytes: Uint8Array): Incoming[] {
    const out: Incoming[] = [];
    if (this.broken) return out;
    this.buffered = this.buffered.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.buffered, bytes]);
    for (;;) {
      const next = this.next();
      if (next === null) return out;
      out.push(next);
      if (next.kind !== 'packet') {
        this.broken = true;
        this.buffered = Buffer.alloc(0);
        return out;
      }
    }
  }

  private next(): Incoming | null {
    const header = remainingLength(this.buffered);
    if (header === 'incomplete') return null;
    if (header === 'malformed') return { kind: 'malformed', reason: MALFORMED_LENGTH };
    if (header.length > MAX_REMAINING_LENGTH) return { kind: 'oversize', length: header.length };
    const end = header.start + header.length;
    if (this.buffered.length < end) return null;
    const octets = this.buffered.subarray(0, end);
    this.buffered = this.buffered.subarray(end);
    return this.parse(octets);
  }

  /** mqtt-packet is given exactly one packet, so that nothing it reads can belong to the next. */
  private parse(octets: Buffer): Incoming {
    this.parsed = null;
    try {
      this.parser.parse(octets);
    } catch (error) {
      return { kind: 'malformed', reason: error instanceof Error ? error.message : String(error) };
    }
    if (this.fault !== null) return { kind: 'malformed', reason: this.fault };
    return this.parsed === null
      ? { kind: 'malformed', reason: 'the packet is shorter than its content' }
      : { kind: 'packet', packet: this.parsed };
  }
}

/** Where the variable header starts and how long the rest is. */
function remainingLength(
  octets: Buffer,
): 'incomplete' | 'malformed' | { readonly start: number; readonly length: number } {
  let length = 0;
  for (let index = 1; index <= 4; index += 1) {
    const octet = octets[index];
    if (octet === undefined) return 'incomplete';
    length += (octet & 0x7f) * 128 ** (index - 1);
    if ((octet & 0x80) === 0) return { start: index + 1, length };
  }
  return 'malformed';
}
