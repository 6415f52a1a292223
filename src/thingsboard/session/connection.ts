/**
 * One MQTT session: a mqtt.js client object that connects once, publishes, and is thrown away when anything ends it.
 *
 *   connecting --CONNACK 0--> standing --close, DISCONNECT, fault, PUBACK late--> closed
 *        \--refused, unreachable, late, aborted--> closed
 *
 * mqtt.js is the transport only. It never reconnects and never holds a message back: the outbox is the queue. Whatever
 * ends the session settles every pending publish, and the client is ended exactly once (a second `end` would be a no-op
 * that leaves the first one hanging).
 */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { IConnackPacket, MqttClient } from 'mqtt';
// The client alone: the whole package loads WebSockets, HTTP and SOCKS beside it, 2 MB that a daemon has no use for.
import mqttClient from 'mqtt/lib/client';
import mqttPacket from 'mqtt-packet';
import { BridgeError, fail } from '../../core/errors.ts';
import type { Clock, Timer } from '../../runtime/clock.ts';
import { credentialsOf } from '../../store/fleet/credentials.ts';
import type { Target } from '../../store/fleet/types.ts';
import { brokerAddress, brokerSocket, tlsOptions } from './broker-socket.ts';
import { certificateExpiry } from './certificate-expiry.ts';
import { mqttOptions } from './client-options.ts';
import type { Message } from './message.ts';
import { connackError, disconnectError } from './reason-codes.ts';
import { closedError, lostError, openError, publishError } from './session-errors.ts';

// Or a Buffer for each of the 65,536 message ids is made with the first packet and kept: 8 MB for nothing.
mqttPacket.writeToStream.cacheNumbers = false;

/** What the server said of its limits in the CONNACK (MQTT 5); mqtt.js does not keep to them by itself. */
export interface ServerLimits {
  /** Publishes that may be unacknowledged at a time. */
  readonly receiveMaximum: number;
  /** Octets of a whole packet. */
  readonly maximumPacketSize: number;
}

export interface MqttSession {
  readonly clientId: string;
  readonly limits: ServerLimits;
  /** Resolves with why the session ended; never rejects. */
  readonly closed: Promise<BridgeError>;
  /** Publishes without an answer: those of now, or those of the moment when it ended. */
  readonly inFlight: number;
  /** Reason code of the last PUBACK that was an error, null without one. */
  readonly refusedWith: number | null;
  /**
   * Publishes at QoS 1; resolves on the PUBACK. Rejects with MQTT_REFUSED (an error PUBACK: the session goes on),
   * MQTT_ACK_TIMEOUT (the session ends; `facts.alive` tells whether other messages were acknowledged meanwhile), or
   * with what ended the session.
   */
  publish(message: Message): Promise<void>;
  /** When the server's certificate or ours expires, whichever is first, milliseconds UTC; null without TLS. */
  readonly certificateExpires: number | null;
  /** Whether it has ended. */
  readonly ended: boolean;
  /**
   * Asks for messages on filters, in one packet; none of our own come back (MQTT 5). A server that refuses one sends none
   * of it; nothing else comes of that.
   */
  subscribe(...filters: readonly string[]): void;
  /** Calls back with every message that comes, payload as text. */
  onMessage(listener: (topic: string, payload: string) => void): void;
  /** Publishes at QoS 0: for questions, whose answer is their acknowledgement. */
  request(message: Message): void;
  /** Ends the session; pending publishes reject with the reason (default STOPPING). Idempotent. */
  close(reason?: BridgeError): void;
  /** Ends it with a DISCONNECT, if nothing is in flight; `close` otherwise. */
  leave(): void;
}

export interface SessionOptions {
  readonly target: Target;
  /** Access token; goes nowhere but into the CONNECT. */
  readonly token: string;
  readonly clientId: string;
  readonly clock: Clock;
  /** From the first octet to the CONNACK, milliseconds. */
  readonly connackTimeoutMs: number;
  /** From a PUBLISH to its PUBACK, milliseconds. */
  readonly ackTimeoutMs: number;
  readonly keepaliveSeconds: number;
  readonly signal: AbortSignal;
}

/** A client ID that no other process start has. */
export function newClientId(): string {
  return `dlms-multi-meter-${randomBytes(6).toString('hex')}`;
}

/** The one that credentials name; else the one that is given. */
export function clientIdOf({ token, clientId }: { readonly token: string; readonly clientId: string }): string {
  const credentials = credentialsOf(token);
  return credentials.kind === 'basic' ? (credentials.clientId ?? clientId) : clientId;
}

const LEAVE_WITHIN_MS = 1000;
const NO_LIMITS: ServerLimits = { receiveMaximum: 65_535, maximumPacketSize: 268_435_460 };

/**
 * Opens a session. Throws MQTT_UNREACHABLE, MQTT_TLS, MQTT_CREDENTIALS, MQTT_PROTOCOL_REFUSED, MQTT_SERVER_UNAVAILABLE,
 * MQTT_MALFORMED, MQTT_CLOSED, or STOPPING when the signal aborts.
 */
export async function openSession(options: SessionOptions): Promise<MqttSession> {
  const named = { ...options, clientId: clientIdOf(options) };
  const address = brokerAddress(options.target.url);
  const tls = address.secure ? await tlsOptions(options.target, options.token) : {};
  if (options.signal.aborted) fail('STOPPING', 'stopped before connecting');
  const client = new mqttClient.default(() => brokerSocket(address, tls), mqttOptions(named));
  return new Session(client, named).standing;
}

interface PendingPublish {
  readonly reject: (error: BridgeError) => void;
  readonly timer: Timer;
}

class Session implements MqttSession {
  readonly clientId: string;
  readonly closed: Promise<BridgeError>;
  /** This session once it stands. */
  readonly standing: Promise<MqttSession>;
  limits = NO_LIMITS;
  refusedWith: number | null = null;
  certificateExpires: number | null = null;
  private readonly client: MqttClient;
  private readonly options: SessionOptions;
  private readonly pending = new Set<PendingPublish>();
  private readonly listeners: ((topic: string, payload: string) => void)[] = [];
  private readonly connackTimer: Timer;
  private readonly onAbort = (): void => this.close();
  private resolveClosed!: (reason: BridgeError) => void;
  private stands = false;
  ended = false;
  /** The best explanation so far of a close that may follow. */
  private cause: BridgeError | null = null;
  /** PUBACKs so far, to tell a message that is ignored from a link that is dead. */
  private acknowledged = 0;
  private inFlightAtEnd = 0;

  constructor(client: MqttClient, options: SessionOptions) {
    this.client = client;
    this.options = options;
    this.clientId = options.clientId;
    this.closed = new Promise((resolve) => {
      this.resolveClosed = resolve;
    });
    this.standing = new Promise((resolve, reject) => {
      client.on('connect', (packet) => {
        this.stand(packet);
        resolve(this);
      });
      void this.closed.then(reject);
    });
    client.on('message', (topic, payload) => {
      if (!this.ended) for (const listener of this.listeners) listener(topic, payload.toString());
    });
    client.on('disconnect', ({ reasonCode }) => this.finish(disconnectError(reasonCode ?? 0)));
    client.on('error', (error) => this.fault(error));
    client.on('close', () => this.finish(this.cause ?? closedError(this.stands)));
    this.connackTimer = options.clock.setTimer(options.connackTimeoutMs, () =>
      this.finish(new BridgeError('MQTT_UNREACHABLE', `no CONNACK within ${options.connackTimeoutMs} ms`)),
    );
    options.signal.addEventListener('abort', this.onAbort, { once: true });
  }

  get inFlight(): number {
    return this.ended ? this.inFlightAtEnd : this.pending.size;
  }

  private stand({ properties }: IConnackPacket): void {
    this.stands = true;
    this.connackTimer.cancel();
    const { stream } = this.client;
    (stream as Socket).setNoDelay(true);
    this.certificateExpires = certificateExpiry(stream, this.options.token);
    this.limits = {
      receiveMaximum: properties?.receiveMaximum ?? NO_LIMITS.receiveMaximum,
      maximumPacketSize: properties?.maximumPacketSize ?? NO_LIMITS.maximumPacketSize,
    };
  }

  /**
   * An `error` of mqtt.js. A refusing CONNACK has a numeric code, but when ThingsBoard's DISCONNECT with the same code
   * comes in the same segment, the parser's complaint about that code arrives first: so the end waits for this turn of
   * the event loop, and the best explanation wins.
   */
  private fault(error: Error): void {
    const { code } = error as { code?: unknown };
    const protocol = this.options.target.protocol;
    if (typeof code === 'number' && !this.stands) this.cause = connackError(code, protocol);
    else this.cause ??= this.stands ? lostError(error) : openError(error);
    queueMicrotask(() => this.finish(this.cause ?? closedError(this.stands)));
  }

  publish({ topic, payload }: Message): Promise<void> {
    if (this.ended || !this.client.connected) {
      return Promise.reject(new BridgeError('MQTT_CLOSED', 'there is no connection to publish on'));
    }
    return new Promise((resolve, reject) => {
      const before = this.acknowledged;
      const pending: PendingPublish = {
        reject,
        timer: this.options.clock.setTimer(this.options.ackTimeoutMs, () => this.ackLate(pending, topic, before)),
      };
      this.pending.add(pending);
      this.client.publish(topic, payload, { qos: 1 }, (error) => {
        // Settled before: the client is being ended and fails what it still holds.
        if (!this.pending.delete(pending)) return;
        pending.timer.cancel();
        if (error) {
          const refusal = publishError(error);
          if (typeof refusal.facts.pubackCode === 'number') this.refusedWith = refusal.facts.pubackCode;
          reject(refusal);
          return;
        }
        this.acknowledged += 1;
        resolve();
      });
    });
  }

  subscribe(...filters: readonly string[]): void {
    if (this.ended || !this.client.connected) return;
    // A refusal is an answer too: then nothing comes, which is all that the caller has to live with.
    this.client.subscribe([...filters], { qos: 1, nl: true }, () => undefined);
  }

  onMessage(listener: (topic: string, payload: string) => void): void {
    this.listeners.push(listener);
  }

  request({ topic, payload }: Message): void {
    if (this.ended || !this.client.connected) return;
    // It fails only with the session, which says so itself.
    this.client.publish(topic, payload, { qos: 0 }, () => undefined);
  }

  private ackLate(pending: PendingPublish, topic: string, before: number): void {
    const alive = this.acknowledged > before;
    const message = `no PUBACK for a message on ${topic} within ${this.options.ackTimeoutMs} ms`;
    const error = new BridgeError('MQTT_ACK_TIMEOUT', message, {
      facts: { alive },
      ...(topic.startsWith('v1/gateway/')
        ? { hint: 'the message is sent again; is the device marked as a gateway, and may it create devices?' }
        : {}),
    });
    this.pending.delete(pending);
    pending.reject(error);
    this.finish(error);
  }

  close(reason = new BridgeError('STOPPING', 'the connection is closed by this program')): void {
    this.finish(reason);
  }

  leave(): void {
    if (this.pending.size > 0) this.close();
    else this.finish(new BridgeError('STOPPING', 'the connection is closed by this program'), true);
  }

  private finish(reason: BridgeError, inOrder = false): void {
    if (this.ended) return;
    this.ended = true;
    this.inFlightAtEnd = this.pending.size;
    this.connackTimer.cancel();
    this.options.signal.removeEventListener('abort', this.onAbort);
    for (const { timer, reject } of this.pending) {
      timer.cancel();
      reject(reason);
    }
    this.pending.clear();
    if (inOrder) this.endInOrder();
    else this.client.end(true);
    this.resolveClosed(reason);
  }

  /** DISCONNECT and the end of the stream; a server that does not end its side is left after a while. */
  private endInOrder(): void {
    const { stream } = this.client;
    const hurry = this.options.clock.setTimer(LEAVE_WITHIN_MS, () => stream.destroy());
    stream.once('close', () => hurry.cancel());
    this.client.end(false);
  }
}
