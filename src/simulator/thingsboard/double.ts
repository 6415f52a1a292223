/**
 * A ThingsBoard to test against: an MQTT 3.1.1 and 5 server that answers like the real one (facts/thingsboard.md, CE
 * 4.3), keeps what it received, and misbehaves when a test tells it to.
 */
import { once } from 'node:events';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { IConnectPacket } from 'mqtt-packet';
import { fail } from '../../core/errors.ts';
import type { JsonValue } from '../../core/json.ts';
import { type Clock, systemClock } from '../../runtime/clock.ts';
import { DISCONNECT, type Refusal } from './answers.ts';
import { controlListener } from './control.ts';
import { authenticated, type DoubleToken } from './credentials.ts';
import type { DeviceRefusal, Quirks } from './device-api.ts';
import { type Limits, limitsOf, type ToldLimits } from './limits.ts';
import { type ProvisionKeys, provision } from './provisioning.ts';
import { type Received, ReceivedStore } from './received.ts';
import { Session, type SessionHost } from './session.ts';
import { Tenant } from './tenant.ts';

export interface DoubleOptions {
  readonly tokens: readonly DoubleToken[];
  /** MQTT port; 0 (default) picks a free one. */
  readonly port?: number;
  /** 127.0.0.1 unless told otherwise. */
  readonly host?: string;
  /** Port of GET /received and of what a tenant does (control.ts); 0 picks a free one, null (default) for none. */
  readonly httpPort?: number | null;
  /** new (default): ThingsBoard from 4.2.1 on; old: before. */
  readonly quirks?: Quirks;
  /** `"capacity:seconds,..."` of messages, null (default) for unlimited. Throws INVALID_VALUE. */
  readonly rate?: string | null;
  /** The other limits of the tenant profile, and whether they are told (ThingsBoard >= 3.8). */
  readonly limits?: Partial<Limits>;
  readonly clock?: Clock;
  /** Key and secret of a device profile that devices may be made with; null (default): there is none. */
  readonly provision?: ProvisionKeys | null;
  /** PEM: speaks TLS, and wants a client certificate without needing one. */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** From a newcomer's CONNACK to the close of the eldest session, milliseconds (default 20). */
  readonly takeoverDelayMs?: number;
}

export interface SessionInfo {
  readonly device: string;
  readonly clientId: string;
  readonly version: 4 | 5;
}

export interface ThingsBoardDouble {
  readonly host: string;
  readonly port: number;
  readonly httpPort: number | null;
  received(): Received;
  /** Sessions that stand, eldest first. */
  sessions(): readonly SessionInfo[];
  /** CONNECTs taken so far, refused ones among them. */
  connects(): number;
  /** Refuses every CONNECT from now on; null accepts again. */
  refuseConnections(refusal: Refusal | null): void;
  /** These sub-devices cannot be created from now on; null takes it back. */
  refuseDevices(names: readonly string[], refusal: DeviceRefusal | null): void;
  /** Publishes whose payload has this text close the connection without an answer, as unparsable ones do; null: none. */
  choke(text: string | null): void;
  /** What the tenant does at the server: shared attributes, names, deletion. */
  readonly tenant: Tenant;
  /** Requests for attributes run into a server error from now on: no reply; false: they are answered. */
  failAttributeRequests(fails: boolean): void;
  /** Accepts connections and octets, answers nothing. */
  freeze(): void;
  thaw(): void;
  /** Resets every connection. */
  dropAll(): void;
  /** Holds every PUBACK back from now on. */
  withholdAcks(): void;
  /** Sends what was held back, and holds nothing back any more. */
  releaseAcks(order?: 'as-received' | 'reversed'): void;
  withheldAcks(): number;
  /** Vanishes as if killed; what was received stays. */
  kill(): Promise<void>;
  /** Comes back on the same port. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const DEFAULT_TAKEOVER_DELAY_MS = 20;

/** Starts the double; resolves when it listens. Throws INVALID_VALUE for a bad rate limit or a port in use. */
export async function startThingsBoardDouble(options: DoubleOptions): Promise<ThingsBoardDouble> {
  const double = new Double(options);
  await double.start();
  return double;
}

class Double implements ThingsBoardDouble, SessionHost {
  readonly host: string;
  readonly clock: Clock;
  readonly quirks: Quirks;
  readonly limits: Limits;
  readonly told: ToldLimits;
  readonly store = new ReceivedStore();
  readonly refusedDevices = new Map<string, DeviceRefusal>();
  readonly tenant: Tenant;
  port: number;
  httpPort: number | null;
  private readonly tls: { readonly key: string; readonly cert: string } | null;
  private readonly tokens: DoubleToken[];
  private readonly provisionKeys: ProvisionKeys | null;
  private readonly takeoverDelayMs: number;
  private readonly connections = new Set<Session>();
  private server: Server | null = null;
  private httpServer: HttpServer | null = null;
  private withheld: (() => void)[] | null = null;
  private refusal: Refusal | null = null;
  private frozen = false;
  chokesOn: string | null = null;
  answersAttributeRequests = true;
  private connectCount = 0;

  constructor(options: DoubleOptions) {
    this.host = options.host ?? '127.0.0.1';
    this.port = options.port ?? 0;
    this.httpPort = options.httpPort ?? null;
    this.clock = options.clock ?? systemClock;
    this.quirks = options.quirks ?? 'new';
    const { limits, told } = limitsOf(options.rate ?? null, options.limits ?? {});
    this.limits = limits;
    this.told = told;
    this.tls = options.tls ?? null;
    this.tokens = [...options.tokens];
    this.provisionKeys = options.provision ?? null;
    this.tenant = new Tenant(this.store, this.connections, this.tokens);
    this.takeoverDelayMs = options.takeoverDelayMs ?? DEFAULT_TAKEOVER_DELAY_MS;
  }

  async start(): Promise<void> {
    await this.restart();
    if (this.httpPort !== null) await this.startHttp(this.httpPort);
  }

  async restart(): Promise<void> {
    if (this.server !== null) return;
    const accept = (socket: Socket): void => this.accept(socket);
    const { tls } = this;
    // Any certificate is let in: whether it is a device's is a matter of its fingerprint, as with the real one.
    const server =
      tls === null
        ? createServer(accept)
        : createTlsServer({ ...tls, requestCert: true, rejectUnauthorized: false }, accept);
    server.on('tlsClientError', () => undefined);
    this.port = await listen(server, this.port, this.host);
    this.server = server;
  }

  private async startHttp(port: number): Promise<void> {
    const server = createHttpServer(controlListener(() => this.received(), this.tenant));
    this.httpPort = await listen(server, port, this.host);
    this.httpServer = server;
  }

  private accept(socket: Socket): void {
    const session = new Session(socket, this);
    this.connections.add(session);
    if (this.frozen) session.freeze();
  }

  authenticate(connect: IConnectPacket, certificate: string | null): DoubleToken | Refusal {
    this.connectCount += 1;
    return this.refusal ?? authenticated(this.tokens, connect, certificate);
  }

  provision(payload: string): JsonValue | null {
    return provision(this.provisionKeys, this.tokens, payload);
  }

  /** actors.session.max_concurrent_sessions_per_device is 1: the newcomer stays. */
  standing(newcomer: Session): void {
    for (const session of this.connections) {
      if (session === newcomer || session.token?.device !== newcomer.token?.device) continue;
      session.displace();
      this.clock.setTimer(this.takeoverDelayMs, () => session.end(DISCONNECT.takenOver));
    }
  }

  subscribed(session: Session): void {
    this.tenant.subscribed(session);
  }

  closed(session: Session): void {
    this.connections.delete(session);
  }

  acknowledge(send: () => void): void {
    if (this.withheld === null) send();
    else this.withheld.push(send);
  }

  received(): Received {
    return this.store.snapshot();
  }

  sessions(): readonly SessionInfo[] {
    return [...this.connections].flatMap(({ token, clientId, version }) =>
      token === null ? [] : [{ device: token.device, clientId, version }],
    );
  }

  connects(): number {
    return this.connectCount;
  }

  refuseConnections(refusal: Refusal | null): void {
    this.refusal = refusal;
  }

  choke(text: string | null): void {
    this.chokesOn = text;
  }

  refuseDevices(names: readonly string[], refusal: DeviceRefusal | null): void {
    for (const name of names) {
      if (refusal === null) this.refusedDevices.delete(name);
      else this.refusedDevices.set(name, refusal);
    }
  }

  failAttributeRequests(fails: boolean): void {
    this.answersAttributeRequests = !fails;
  }

  freeze(): void {
    this.frozen = true;
    for (const session of this.connections) session.freeze();
  }

  thaw(): void {
    this.frozen = false;
    for (const session of this.connections) session.thaw();
  }

  dropAll(): void {
    for (const session of [...this.connections]) session.drop();
  }

  withholdAcks(): void {
    this.withheld ??= [];
  }

  releaseAcks(order: 'as-received' | 'reversed' = 'as-received'): void {
    const held = this.withheld ?? [];
    this.withheld = null;
    for (const send of order === 'reversed' ? held.reverse() : held) send();
  }

  withheldAcks(): number {
    return this.withheld?.length ?? 0;
  }

  async kill(): Promise<void> {
    const { server } = this;
    this.server = null;
    if (server === null) return;
    const closed = once(server, 'close');
    server.close();
    this.dropAll();
    await closed;
  }

  async stop(): Promise<void> {
    await this.kill();
    const { httpServer } = this;
    this.httpServer = null;
    if (httpServer === null) return;
    const closed = once(httpServer, 'close');
    httpServer.close();
    httpServer.closeAllConnections();
    await closed;
  }
}

/** Listens and returns the port. Throws INVALID_VALUE when the port cannot be had. */
async function listen(server: Server | HttpServer, port: number, host: string): Promise<number> {
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    fail('INVALID_VALUE', `cannot listen on ${host}:${port}: ${(error as Error).message}`, {
      layer: 'simulator',
      cause: error,
    });
  }
  return (server.address() as AddressInfo).port;
}
