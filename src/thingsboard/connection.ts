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
import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { rootCertificates } from 'node:tls';
import { connect, type IClientOptions, type IConnackPacket, type MqttClient } from 'mqtt';
import { BridgeError, fail } from '../core/errors.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Target } from '../store/fleet/types.ts';
import type { Message } from './payload.ts';
import { connackError, disconnectError, pubackError } from './reason-codes.ts';

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

/** Longest setTimeout: mqtt.js must not time anything out by itself. */
const NEVER_MS = 0x7fff_ffff;
const LEAVE_WITHIN_MS = 1000;
const NO_LIMITS: ServerLimits = { receiveMaximum: 65_535, maximumPacketSize: 268_435_460 };

/**
 * Opens a session. Throws MQTT_UNREACHABLE, MQTT_TLS, MQTT_CREDENTIALS, MQTT_PROTOCOL_REFUSED, MQTT_SERVER_UNAVAILABLE,
 * MQTT_CLOSED, or STOPPING when the signal aborts.
 */
export async function openSession(options: SessionOptions): Promise<MqttSession> {
  const clientOptions = await mqttOptions(options);
  if (options.signal.aborted) fail('STOPPING', 'stopped before connecting');
  const session = new Session(connect(clientOptions), options);
  return session.standing;
}

async function mqttOptions({
  target,
  token,
  clientId,
  clock,
  keepaliveSeconds,
}: SessionOptions): Promise<IClientOptions> {
  const { protocol, hostname, port } = new URL(target.url);
  const secure = protocol === 'mqtts:';
  return {
    protocol: secure ? 'mqtts' : 'mqtt',
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(port || (secure ? 8883 : 1883)),
    ...(secure ? await tlsOptions(target) : {}),
    protocolVersion: target.protocol === '5' ? 5 : 4,
    clientId,
    username: token,
    clean: true,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    connectTimeout: NEVER_MS,
    keepalive: keepaliveSeconds,
    timerVariant: intervals(clock),
    // Its debug log prints the username, which is the token.
    log: () => undefined,
  };
}

/** Whom to trust besides those that Node knows. Throws MQTT_TLS when the file cannot be read. */
export async function tlsOptions({ caFile }: Target): Promise<{ readonly ca?: string[] }> {
  return caFile === null ? {} : { ca: [...rootCertificates, await certificate(caFile)] };
}

async function certificate(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    return fail('MQTT_TLS', `cannot read the CA file ${path}: ${(error as NodeJS.ErrnoException).code}`, {
      cause: error,
    });
  }
}

/** mqtt.js' keep-alive interval over our clock. */
function intervals(clock: Clock): NonNullable<Exclude<IClientOptions['timerVariant'], string>> {
  const timers = new Map<number, Timer>();
  let last = 0;
  return {
    set(callback, ms) {
      last += 1;
      const id = last;
      const arm = (): void => {
        timers.set(
          id,
          clock.setTimer(ms ?? 0, () => {
            arm();
            callback();
          }),
        );
      };
      arm();
      return id;
    },
    clear(id) {
      timers.get(id)?.cancel();
      timers.delete(id);
    },
  };
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
  private readonly client: MqttClient;
  private readonly options: SessionOptions;
  private readonly pending = new Set<PendingPublish>();
  private readonly connackTimer: Timer;
  private readonly onAbort = (): void => this.close();
  private resolveClosed!: (reason: BridgeError) => void;
  private stands = false;
  private ended = false;
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
    (this.client.stream as Socket).setNoDelay(true);
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

function publishError(error: Error): BridgeError {
  const { code } = error as { code?: unknown };
  return typeof code === 'number'
    ? pubackError(code)
    : new BridgeError('MQTT_CLOSED', `the message was not sent: ${error.message}`, { cause: error });
}

function closedError(stood: boolean): BridgeError {
  return new BridgeError(
    'MQTT_CLOSED',
    stood ? 'the server closed the connection without a reason' : 'the server closed the connection before its CONNACK',
  );
}

function lostError(error: Error): BridgeError {
  return new BridgeError('MQTT_CLOSED', `the connection broke off: ${describe(error)}`, { cause: error });
}

/** OpenSSL's and Node's codes for a certificate or handshake that does not hold. */
const TLS_CODE = /CERT|^ERR_(?:TLS|SSL)|^UNABLE_TO|SELF_SIGNED|^EPROTO$|^HOSTNAME_MISMATCH$/;

function openError(error: Error): BridgeError {
  const { code } = error as { code?: unknown };
  const kind = typeof code === 'string' && TLS_CODE.test(code) ? 'MQTT_TLS' : 'MQTT_UNREACHABLE';
  return new BridgeError(kind, `connecting failed: ${describe(error)}`, { cause: error });
}

/** The message; Node's AggregateError of several addresses has none, so the code stands in. */
function describe(error: Error): string {
  const { code } = error as { code?: unknown };
  return error.message !== '' ? error.message : String(code ?? error.name);
}
