/**
 * A relay in front of an MQTT server that tells packets apart: PUBACKs may be held back, lost, doubled or turned round,
 * every packet may take its time, connections may break or go dead without a word.
 */
import { connect, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { Clock } from '../../src/runtime/clock.ts';
import type { Bench } from './cli.ts';
import { tcpServer } from './tcp-server.ts';

/** What becomes of a PUBLISH: the connection may break with it on its way, or with its PUBACK. */
export type Passage = 'pass' | 'break-before' | 'break-behind';
/** What becomes of a PUBACK. */
export type Fate = 'pass' | 'hold' | 'lose' | 'double';

/** Packet types (MQTT 2.1.2) that want an answer, and the answers. */
const TYPE = { connect: 1, publish: 3, puback: 4, subscribe: 8, pingreq: 12 } as const;
const ASK: ReadonlySet<number> = new Set([TYPE.connect, TYPE.subscribe, TYPE.pingreq]);
const ANSWER: ReadonlySet<number> = new Set([2, TYPE.puback, 9, 13]);

/** A server that has said nothing for so long, real milliseconds, while it owes an answer is not waited for. */
const PATIENCE_MS = 50;

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  /** Carries nothing any more; neither end is told. */
  dead: boolean;
  /** Packets that the server has to answer. */
  owed: number;
}

export class MqttRelay {
  port = 0;
  /** Asked for each PUBLISH; `count`: the how-manieth, from 1. */
  passage: (count: number) => Passage = () => 'pass';
  /** Asked for each PUBACK likewise. */
  fate: (count: number) => Fate = () => 'pass';
  /** How long each packet takes, either way, milliseconds. */
  delayMs = 0;
  /** PUBLISHes that reached the server, in their order, and when they did (monotonic). */
  readonly published: { readonly at: number; readonly packet: string }[] = [];
  private readonly clock: Clock;
  private readonly links = new Set<Link>();
  private held: (() => void)[] = [];
  private publishes = 0;
  private pubacks = 0;
  private isOpen = true;
  private lastHeard = 0;

  private constructor(clock: Clock) {
    this.clock = clock;
  }

  static async before(bench: Bench, clock: Clock, serverPort: number): Promise<MqttRelay> {
    const relay = new MqttRelay(clock);
    const { port } = await tcpServer(bench, (client) => relay.accept(client, serverPort));
    relay.port = port;
    return relay;
  }

  /** Breaks what stands and takes no new connection. */
  shut(): void {
    this.isOpen = false;
    this.break();
  }

  open(): void {
    this.isOpen = true;
  }

  /** Breaks what stands. */
  break(): void {
    for (const { client } of this.links) client.destroy();
  }

  /** What stands carries nothing any more, as if the other end had gone without a FIN; new connections do. */
  goDead(): void {
    for (const link of this.links) link.dead = true;
  }

  /** Lets PUBACKs that were held back go. */
  release(order: 'as-received' | 'reversed' = 'as-received'): void {
    const { held } = this;
    this.held = [];
    for (const send of order === 'reversed' ? held.reverse() : held) send();
  }

  /** Resolves when the server has answered all that reached it, or does not seem to. */
  async quiet(): Promise<void> {
    const isBusy = (): boolean => [...this.links].some(({ owed, dead }) => owed > 0 && !dead);
    while (isBusy() && performance.now() - this.lastHeard < PATIENCE_MS) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  private accept(client: Socket, port: number): void {
    if (!this.isOpen) {
      client.destroy();
      return;
    }
    client.setNoDelay(true);
    const server = connect({ port, host: '127.0.0.1', noDelay: true });
    const link: Link = { client, server, dead: false, owed: 0 };
    this.links.add(link);
    onPackets(client, (packet) => this.travel(link, () => this.toServer(link, packet)));
    onPackets(server, (packet) => {
      this.lastHeard = performance.now();
      if (ANSWER.has(typeOf(packet))) link.owed -= 1;
      this.travel(link, () => this.toClient(link, packet));
    });
    server.on('error', () => server.destroy());
    server.on('close', () => this.travel(link, () => client.destroy()));
    client.on('close', () => {
      server.destroy();
      this.links.delete(link);
    });
  }

  private travel(link: Link, arrive: () => void): void {
    const go = (): void => {
      if (!link.dead) arrive();
    };
    if (this.delayMs === 0) go();
    else this.clock.setTimer(this.delayMs, go);
  }

  private toServer(link: Link, packet: Buffer): void {
    const type = typeOf(packet);
    if (type === TYPE.publish && !this.passes(link, packet)) return;
    const wantsAnswer = ASK.has(type) || (type === TYPE.publish && ((packet[0] ?? 0) & 0x06) !== 0);
    if (wantsAnswer) {
      if (link.owed === 0) this.lastHeard = performance.now();
      link.owed += 1;
    }
    link.server.write(packet);
  }

  private passes(link: Link, packet: Buffer): boolean {
    this.publishes += 1;
    const passage = this.passage(this.publishes);
    if (passage === 'break-before') link.client.destroy();
    else this.published.push({ at: this.clock.monotonic(), packet: packet.toString('latin1') });
    // The server has it, and nobody hears so any more.
    if (passage === 'break-behind') link.server.write(packet, () => link.client.destroy());
    return passage === 'pass';
  }

  private toClient(link: Link, packet: Buffer): void {
    const send = (): void => {
      if (!link.dead) link.client.write(packet);
    };
    if (typeOf(packet) !== TYPE.puback) {
      send();
      return;
    }
    this.pubacks += 1;
    const fate = this.fate(this.pubacks);
    if (fate === 'hold') this.held.push(send);
    if (fate === 'pass' || fate === 'double') send();
    if (fate === 'double') send();
  }
}

function typeOf(packet: Buffer): number {
  return (packet[0] ?? 0) >> 4;
}

/** Calls back with each whole packet. */
function onPackets(socket: Socket, take: (packet: Buffer) => void): void {
  let octets: Buffer = Buffer.alloc(0);
  socket.on('data', (bytes) => {
    octets = Buffer.concat([octets, bytes]);
    for (let length = packetLength(octets); length <= octets.length; length = packetLength(octets)) {
      take(octets.subarray(0, length));
      octets = octets.subarray(length);
    }
  });
}

/** Of the first packet, header and all; Infinity while that is not known. */
function packetLength(octets: Buffer): number {
  let length = 0;
  for (let at = 1; at <= 4; at += 1) {
    const octet = octets[at];
    if (octet === undefined) break;
    length += (octet & 0x7f) * 128 ** (at - 1);
    if ((octet & 0x80) === 0) return at + 1 + length;
  }
  return Number.POSITIVE_INFINITY;
}
