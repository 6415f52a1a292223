/** A bare MQTT client on a socket: sends any octets or packets, keeps every packet that came. */
import { connect, type Socket } from 'node:net';
import { generate, type IConnectPacket, type Packet, parser } from 'mqtt-packet';
import { until } from './until.ts';

export class RawMqtt {
  readonly version: 4 | 5;
  readonly packets: Packet[] = [];
  /** Everything that came, undecoded. */
  octets: Buffer = Buffer.alloc(0);
  closed = false;
  private readonly socket: Socket;

  private constructor(socket: Socket, version: 4 | 5) {
    this.socket = socket;
    this.version = version;
    socket.setNoDelay(true);
    const incoming = parser({ protocolVersion: version });
    incoming.on('packet', (packet) => this.packets.push(packet));
    // mqtt-packet finds reason codes "invalid" that ThingsBoard does send in a DISCONNECT: `octets` has those.
    incoming.on('error', () => undefined);
    socket.on('data', (bytes) => {
      this.octets = Buffer.concat([this.octets, bytes]);
      incoming.parse(bytes);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.closed = true;
    });
  }

  static async open(port: number, version: 4 | 5): Promise<RawMqtt> {
    const socket = connect(port, '127.0.0.1');
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new RawMqtt(socket, version);
  }

  /** Opens a connection and sends a CONNECT; the CONNACK is among the packets. */
  static async connect(port: number, version: 4 | 5, fields: Partial<IConnectPacket> = {}): Promise<RawMqtt> {
    const client = await RawMqtt.open(port, version);
    client.send({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: version,
      clientId: 'raw',
      clean: true,
      keepalive: 0,
      ...fields,
    });
    await until('a CONNACK or a close', () => client.closed || client.packets.length > 0);
    return client;
  }

  send(packet: Packet): void {
    this.socket.write(generate(packet, { protocolVersion: this.version }));
  }

  sendOctets(octets: Uint8Array): void {
    this.socket.write(octets);
  }

  publish(topic: string, payload: string, messageId: number, qos: 0 | 1 | 2 = 1): void {
    this.send({ cmd: 'publish', topic, payload, qos, dup: false, retain: false, messageId });
  }

  /** All packets of one kind. */
  of<Cmd extends Packet['cmd']>(cmd: Cmd): Extract<Packet, { cmd: Cmd }>[] {
    return this.packets.filter((packet): packet is Extract<Packet, { cmd: Cmd }> => packet.cmd === cmd);
  }

  /** Waits until everything sent before was handled: PINGREQ is answered in order. */
  async settled(): Promise<void> {
    const before = this.of('pingresp').length;
    this.send({ cmd: 'pingreq' });
    await until('a PINGRESP or a close', () => this.closed || this.of('pingresp').length > before);
  }

  async untilClosed(): Promise<void> {
    await until('the server closes', () => this.closed);
  }

  /** Reason codes of the DISCONNECTs that came (MQTT 5). */
  get disconnects(): (number | undefined)[] {
    return this.of('disconnect').map(({ reasonCode }) => reasonCode);
  }

  get pubacks(): { readonly messageId: number | undefined; readonly reasonCode: number | undefined }[] {
    return this.of('puback').map(({ messageId, reasonCode }) => ({ messageId, reasonCode }));
  }

  close(): void {
    this.socket.destroy();
  }
}
