/**
 * What a tenant does at the server: shared attributes, another name, deletion. Each is told to the sessions it concerns:
 * attributes to the device, or to the gateway that is in contact with it; names to the gateway's own device, as one-way
 * RPCs that wait for it (the real one keeps them for a day).
 */
import { fail } from '../../core/errors.ts';
import { type JsonValue, writeJson } from '../../core/json.ts';
import type { DoubleToken } from './credentials.ts';
import type { ReceivedStore } from './received.ts';

/** A session as the tenant's deeds reach it. */
export interface ToldSession {
  readonly token: DoubleToken | null;
  /** A sub-device of a gateway is subscribed as soon as the session was in contact with it. */
  isInContactWith(device: string): boolean;
  isSubscribed(filter: string): boolean;
  /** Publishes to the client. */
  tell(topic: string, payload: string): void;
  /** The device is no more: the next message about its name is a first contact. */
  forget(device: string): void;
}

interface Notice {
  readonly method: 'gateway_device_renamed' | 'gateway_device_deleted';
  readonly params: JsonValue;
}

const RPC_REQUESTS = 'v1/devices/me/rpc/request/+';
const DEVICE_ATTRIBUTES = 'v1/devices/me/attributes';

export class Tenant {
  private readonly store: ReceivedStore;
  private readonly sessions: ReadonlySet<ToldSession>;
  private readonly tokens: readonly DoubleToken[];
  /** By gateway. */
  private readonly waiting = new Map<string, Notice[]>();
  private nextRequest = 1;

  constructor(store: ReceivedStore, sessions: ReadonlySet<ToldSession>, tokens: readonly DoubleToken[]) {
    this.store = store;
    this.sessions = sessions;
    this.tokens = tokens;
  }

  /** Throws NOT_FOUND. */
  setShared(device: string, values: Readonly<Record<string, JsonValue>>): void {
    const shared = this.sharedOf(device);
    for (const [key, value] of Object.entries(values)) shared.set(key, value);
    this.tellAttributes(device, values);
  }

  /** Throws NOT_FOUND. */
  deleteShared(device: string, keys: readonly string[]): void {
    const shared = this.sharedOf(device);
    for (const key of keys) shared.delete(key);
    this.tellAttributes(device, { deleted: keys });
  }

  /** A device behind a gateway gets another name, and keeps what it has. Throws NOT_FOUND, ALREADY_EXISTS. */
  rename(device: string, name: string): void {
    const gateway = this.gatewayOf(device);
    if (!this.store.rename(device, name)) fail('ALREADY_EXISTS', `there is a device "${name}" already`);
    this.notify(gateway, { method: 'gateway_device_renamed', params: { [device]: name } });
  }

  /** A device behind a gateway is gone; who sends something of that name makes it anew. Throws NOT_FOUND. */
  remove(device: string): void {
    const gateway = this.gatewayOf(device);
    this.store.remove(device);
    for (const session of this.sessions) session.forget(device);
    this.notify(gateway, { method: 'gateway_device_deleted', params: device });
  }

  /** A session has subscribed to something: what waits for it is told. */
  subscribed(session: ToldSession): void {
    const device = session.token?.device ?? '';
    const waiting = session.isSubscribed(RPC_REQUESTS) ? this.waiting.get(device) : undefined;
    if (waiting === undefined) return;
    this.waiting.delete(device);
    for (const notice of waiting) this.send(session, notice);
  }

  private sharedOf(device: string): Map<string, JsonValue> {
    // A device with credentials is there before it has ever connected.
    if (this.tokens.some((token) => token.device === device)) this.store.create(device, 'default', null);
    return this.store.sharedOf(device) ?? fail('NOT_FOUND', `there is no device "${device}"`);
  }

  private gatewayOf(device: string): string {
    return this.store.gatewayOf(device) ?? fail('NOT_FOUND', `there is no device "${device}" behind a gateway`);
  }

  private tellAttributes(device: string, data: JsonValue): void {
    for (const session of this.sessions) {
      if (session.token?.device === device && session.isSubscribed(DEVICE_ATTRIBUTES)) {
        session.tell(DEVICE_ATTRIBUTES, writeJson(data));
      }
      if (session.isInContactWith(device)) session.tell('v1/gateway/attributes', writeJson({ device, data }));
    }
  }

  private notify(gateway: string, notice: Notice): void {
    const session = [...this.sessions].find(({ token }) => token?.device === gateway);
    if (session?.isSubscribed(RPC_REQUESTS)) this.send(session, notice);
    else this.waiting.set(gateway, [...(this.waiting.get(gateway) ?? []), notice]);
  }

  private send(session: ToldSession, { method, params }: Notice): void {
    session.tell(`v1/devices/me/rpc/request/${this.nextRequest}`, writeJson({ method, params }));
    this.nextRequest += 1;
  }
}
