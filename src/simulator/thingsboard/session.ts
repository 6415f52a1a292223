/**
 * One client's connection to the double.
 *
 *   opened --CONNECT accepted--> standing --DISCONNECT, fault, takeover--> closed
 *      \--CONNECT refused, anything else first--> closed
 *
 * What the client sends that is no MQTT ends the session, never the server.
 */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import {
  generate,
  type IConnectPacket,
  type IPublishPacket,
  type ISubscribePacket,
  type IUnsubscribePacket,
  type Packet,
} from 'mqtt-packet';
import { type JsonValue, writeJson } from '../../core/json.ts';
import type { Clock, Timer } from '../../runtime/clock.ts';
import { ANSWERS, type Answer, answerAtQos0, CONNACK, DISCONNECT, type Refusal, SUBSCRIBABLE } from './answers.ts';
import type { DoubleToken } from './credentials.ts';
import {
  ACCEPTED,
  type ApiContext,
  type DeviceRefusal,
  type Handled,
  handleDevicePublish,
  type Quirks,
  refused,
} from './device-api.ts';
import { handleGatewayPublish, rateLimitOutcome } from './gateway-api.ts';
import { type Limits, RateLimiters, type ToldLimits } from './limits.ts';
import { type Incoming, PacketStream } from './packets.ts';
import { PROVISION_REQUEST, PROVISION_RESPONSE, PROVISIONING, PROVISIONING_MS } from './provisioning.ts';
import type { ReceivedStore } from './received.ts';
import type { ToldSession } from './tenant.ts';

/** What a session needs of its server. */
export interface SessionHost {
  readonly clock: Clock;
  readonly quirks: Quirks;
  readonly limits: Limits;
  readonly told: ToldLimits;
  readonly store: ReceivedStore;
  readonly refusedDevices: ReadonlyMap<string, DeviceRefusal>;
  /** `certificate`: fingerprint of the client's, null without one. */
  authenticate(connect: IConnectPacket, certificate: string | null): DoubleToken | Refusal;
  /** Answers a request for provisioning; null when it is none. */
  provision(payload: string): JsonValue | null;
  /** The session has its CONNACK; the eldest of the same device has to go. */
  standing(session: Session): void;
  /** It has subscribed to something. */
  subscribed(session: Session): void;
  closed(session: Session): void;
  /** Sends a PUBACK now, later or never, as a test wants it. */
  acknowledge(send: () => void): void;
  /** Text in a payload that closes the connection without an answer. */
  readonly chokesOn: string | null;
  readonly answersAttributeRequests: boolean;
}

/** A session that sends nothing for this long is ended, milliseconds. PINGREQ counts. */
const INACTIVITY_MS = 600_000;

export class Session implements ToldSession {
  /** What the CONNECT said; empty before it. */
  clientId = '';
  version: 4 | 5 = 4;
  /** Whose session this is, once it stands. */
  token: DoubleToken | null = null;
  private readonly socket: Socket;
  private readonly host: SessionHost;
  private readonly stream = new PacketStream();
  private readonly subscriptions = new Set<string>();
  private readonly subDevices = new Set<string>();
  private readonly timers = new Set<Timer>();
  private limiters = new RateLimiters({}, 0);
  private readonly deviceLimiters = new Map<string, RateLimiters>();
  private inactivity: Timer | null = null;
  private displaced = false;
  private ended = false;
  private nextMessageId = 1;

  constructor(socket: Socket, host: SessionHost) {
    this.socket = socket;
    this.host = host;
    socket.setNoDelay(true);
    socket.on('data', (bytes) => this.receive(bytes));
    // The close that follows says all there is to say: a client may vanish in any way it likes.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.finish());
  }

  private receive(bytes: Buffer): void {
    for (const incoming of this.stream.push(bytes)) {
      if (this.ended) return;
      this.take(incoming);
    }
  }

  private take(incoming: Incoming): void {
    if (incoming.kind !== 'packet') {
      this.end(DISCONNECT.malformed);
      return;
    }
    this.watchInactivity();
    if (this.token === null) this.beforeConnect(incoming.packet);
    else this.handle(incoming.packet);
  }

  private beforeConnect(packet: Packet): void {
    if (packet.cmd !== 'connect') {
      this.end(null);
      return;
    }
    this.version = packet.protocolVersion === 5 ? 5 : 4;
    this.clientId = packet.clientId;
    const verdict = this.host.authenticate(packet, this.certificate());
    if (typeof verdict === 'string') {
      this.refuse(verdict);
      return;
    }
    this.token = verdict;
    const { limits, clock } = this.host;
    this.limiters = new RateLimiters(verdict.gateway ? limits.gatewayRates : limits.rates, clock.monotonic());
    const isDevice = verdict !== PROVISIONING;
    if (isDevice) this.host.store.create(verdict.device, 'default', null);
    else this.later(PROVISIONING_MS, () => this.end(null));
    // Never to be trusted by a client: there is no session behind it, the server just turns the flag round.
    const sessionPresent = packet.clean === false;
    this.send({ cmd: 'connack', sessionPresent, returnCode: 0, reasonCode: 0 });
    if (isDevice) this.host.standing(this);
  }

  private certificate(): string | null {
    return this.socket instanceof TLSSocket ? (this.socket.getPeerCertificate().fingerprint256 ?? null) : null;
  }

  private refuse(refusal: Refusal): void {
    if (refusal === 'silent') {
      this.end(null);
      return;
    }
    const { v4, v5 } = CONNACK[refusal];
    this.send({ cmd: 'connack', sessionPresent: false, returnCode: v4, reasonCode: v5 });
    this.end(v5);
  }

  private handle(packet: Packet): void {
    switch (packet.cmd) {
      case 'publish':
        this.publish(packet);
        return;
      case 'subscribe':
        this.subscribe(packet);
        return;
      case 'unsubscribe':
        this.unsubscribe(packet);
        return;
      case 'pingreq':
        this.send({ cmd: 'pingresp' });
        return;
      case 'disconnect':
        this.end(null);
        return;
      case 'puback':
        return;
      default:
        this.end(DISCONNECT.protocolError);
    }
  }

  private publish(packet: IPublishPacket): void {
    const { chokesOn } = this.host;
    if (chokesOn !== null && packet.payload.toString().includes(chokesOn)) {
      this.end(null);
      return;
    }
    const { outcome, pubacks } = this.process(packet);
    const answer: Answer =
      packet.qos === 0 ? answerAtQos0(outcome) : this.version === 5 ? ANSWERS[outcome].v5 : ANSWERS[outcome].v4;
    const { puback, close } = answer;
    const { messageId } = packet;
    // Between its displacement and the close, publishes are accepted and never acknowledged.
    if (puback !== null && messageId !== undefined && !this.displaced) {
      for (let sent = 0; sent < pubacks; sent += 1) {
        const send = (): void => this.send({ cmd: 'puback', messageId, reasonCode: puback });
        if (close === null) this.host.acknowledge(send);
        else send();
      }
    }
    if (close !== null) this.end(close);
  }

  private process(packet: IPublishPacket): Handled {
    const { topic } = packet;
    if (/[+#]/.test(topic)) return refused('malformed-topic');
    const context = this.context();
    if (this.token === PROVISIONING) return this.provision(packet);
    const forGateway = topic.startsWith('v1/gateway/');
    if (!context.takeMessages(1)) return refused(forGateway ? rateLimitOutcome(context) : 'rate-limit');
    const payload = typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload;
    return forGateway ? handleGatewayPublish(context, topic, payload) : handleDevicePublish(context, topic, payload);
  }

  private provision({ topic, payload }: IPublishPacket): Handled {
    if (topic !== PROVISION_REQUEST) return refused('topic-unknown');
    const answer = this.host.provision(payload.toString());
    if (answer === null) return refused('payload-invalid');
    this.reply(PROVISION_RESPONSE, PROVISION_RESPONSE, writeJson(answer));
    return ACCEPTED;
  }

  private context(): ApiContext {
    const { clock, quirks, told, store, refusedDevices, answersAttributeRequests } = this.host;
    return {
      clock,
      quirks,
      told,
      store,
      refusedDevices,
      device: this.token?.device ?? '',
      gateway: this.token?.gateway ?? false,
      subDevices: this.subDevices,
      takeMessages: (count) => this.limiters.take('messages', count, clock.monotonic()),
      takeTelemetry: (device, points) => this.takeTelemetry(device, points),
      reply: (filter, topic, document) => this.reply(filter, topic, writeJson(document)),
      answersAttributeRequests,
      later: (ms, callback) => this.later(ms, callback),
    };
  }

  /** The session's limits of telemetry; of a gateway's message also those of the device that it is about. */
  private takeTelemetry(device: string, points: number): boolean {
    const now = this.host.clock.monotonic();
    const isOfSubDevice = this.token?.gateway === true && device !== this.token.device;
    const own = this.deviceLimiters.get(device) ?? new RateLimiters(this.host.limits.rates, now);
    if (isOfSubDevice) this.deviceLimiters.set(device, own);
    return (isOfSubDevice ? [this.limiters, own] : [this.limiters]).every(
      (limiters) =>
        (limiters === this.limiters || limiters.take('messages', 1, now)) &&
        limiters.take('telemetryMessages', 1, now) &&
        limiters.take('telemetryDataPoints', points, now),
    );
  }

  private reply(filter: string, topic: string, payload: string): void {
    if (this.subscriptions.has(filter)) this.tell(topic, payload);
  }

  isSubscribed(filter: string): boolean {
    return this.subscriptions.has(filter);
  }

  isInContactWith(device: string): boolean {
    return this.subDevices.has(device);
  }

  forget(device: string): void {
    this.subDevices.delete(device);
  }

  tell(topic: string, payload: string): void {
    const messageId = this.nextMessageId;
    this.nextMessageId = (messageId % 0xffff) + 1;
    this.send({ cmd: 'publish', topic, payload, qos: 1, dup: false, retain: false, messageId });
  }

  private later(ms: number, callback: () => void): void {
    const timer = this.host.clock.setTimer(ms, () => {
      this.timers.delete(timer);
      callback();
    });
    this.timers.add(timer);
  }

  private subscribe({ messageId, subscriptions }: ISubscribePacket): void {
    const granted = subscriptions.map(({ topic, qos }) => {
      if (!SUBSCRIBABLE.has(topic)) return this.version === 5 ? 0x8f : 0x80;
      this.subscriptions.add(topic);
      return Math.min(qos, 1);
    });
    this.send({ cmd: 'suback', granted, ...(messageId === undefined ? {} : { messageId }) });
    this.host.subscribed(this);
  }

  private unsubscribe({ messageId, unsubscriptions }: IUnsubscribePacket): void {
    const granted = unsubscriptions.map((topic) => (this.subscriptions.delete(topic) ? 0 : 0x11));
    this.send({ cmd: 'unsuback', granted, ...(messageId === undefined ? {} : { messageId }) });
  }

  private watchInactivity(): void {
    this.inactivity?.cancel();
    this.inactivity = this.host.clock.setTimer(INACTIVITY_MS, () => this.end(DISCONNECT.deviceApi));
  }

  private send(packet: Packet): void {
    if (this.ended) return;
    this.socket.write(generate(packet, { protocolVersion: this.version }));
  }

  /** Another session of this device stands: from now on nothing is acknowledged any more. */
  displace(): void {
    this.displaced = true;
  }

  /** In MQTT 5 a DISCONNECT with the reason first, in 3.1.1 just the close. */
  end(reason: number | null): void {
    if (this.ended) return;
    if (reason !== null && this.version === 5) this.send({ cmd: 'disconnect', reasonCode: reason });
    this.finish();
    this.socket.end(() => this.socket.destroy());
  }

  /** The connection breaks off without a word. */
  drop(): void {
    // TLS sockets know no reset.
    if (this.socket instanceof TLSSocket) this.socket.destroy();
    else this.socket.resetAndDestroy();
  }

  freeze(): void {
    this.socket.pause();
  }

  thaw(): void {
    this.socket.resume();
  }

  private finish(): void {
    if (this.ended) return;
    this.ended = true;
    this.inactivity?.cancel();
    for (const timer of this.timers) timer.cancel();
    this.host.closed(this);
  }
}
