/** The other client of the incident: connects with our token, is thrown out, and comes back after a while, for ever. */
import { connect, type Socket } from 'node:net';
import { generate, parser } from 'mqtt-packet';
import type { Clock, Timer } from '../../runtime/clock.ts';

export interface RivalOptions {
  readonly port: number;
  readonly token: string;
  readonly clock: Clock;
  /** How long it waits before it comes back: paho and MQTT.js wait a second. */
  readonly waitMs: () => number;
  readonly clientId?: string;
}

export class Rival {
  /** How often it was let in. */
  sessions = 0;
  private readonly options: RivalOptions;
  private socket: Socket | null = null;
  private timer: Timer | null = null;
  private stopped = false;

  constructor(options: RivalOptions) {
    this.options = options;
    this.connect();
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
    this.socket?.destroy();
  }

  private connect(): void {
    const { port, token, clientId = 'rival' } = this.options;
    const socket = connect(port, '127.0.0.1');
    this.socket = socket;
    const incoming = parser({ protocolVersion: 4 });
    incoming.on('packet', ({ cmd }) => {
      if (cmd === 'connack') this.sessions += 1;
    });
    socket.on('data', (octets) => incoming.parse(octets));
    socket.on('connect', () =>
      socket.write(
        generate({
          cmd: 'connect',
          protocolId: 'MQTT',
          protocolVersion: 4,
          clientId,
          clean: true,
          keepalive: 0,
          username: token,
        }),
      ),
    );
    socket.on('error', () => undefined);
    socket.on('close', () => this.comeBack());
  }

  private comeBack(): void {
    if (this.stopped) return;
    this.timer = this.options.clock.setTimer(this.options.waitMs(), () => this.connect());
  }
}
