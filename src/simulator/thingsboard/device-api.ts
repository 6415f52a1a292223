/** What the server does with a PUBLISH: the `v1/devices/me/` topics here, `v1/gateway/` in gateway-api.ts. */
import type { JsonValue } from '../../core/json.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Outcome } from './answers.ts';
import { type JsonNode, parseJsonTree, textMember } from './json-tree.ts';
import type { ToldLimits } from './limits.ts';
import type { ReceivedStore } from './received.ts';
import { type Entry, keyValues, storableKey, telemetryEntries } from './values.ts';

/** new: ThingsBoard from 4.2.1 on; old: before. */
export type Quirks = 'old' | 'new';

/** Why a gateway's sub-device cannot be created. */
export type DeviceRefusal = 'device-creation-failed' | 'device-limit';

/** What an API handler may see and do of the session and the server. */
export interface ApiContext {
  readonly device: string;
  readonly gateway: boolean;
  readonly quirks: Quirks;
  /** What `getSessionLimits` is answered with, null for nothing. */
  readonly told: ToldLimits;
  readonly clock: Clock;
  readonly store: ReceivedStore;
  readonly refusedDevices: ReadonlyMap<string, DeviceRefusal>;
  /** Sub-devices that this gateway session has been in contact with. */
  readonly subDevices: Set<string>;
  /** Takes tokens of the rate limit; false when it is reached. */
  takeMessages(count: number): boolean;
  /** Takes one telemetry message with its data points of a device; false when a limit is reached. */
  takeTelemetry(device: string, points: number): boolean;
  /** Publishes to the client if it subscribed to `filter`. */
  reply(filter: string, topic: string, document: JsonValue): void;
  /** false: the server fails at them, and they get no reply. */
  readonly answersAttributeRequests: boolean;
  /** Calls back later unless the session ends first. */
  later(ms: number, callback: () => void): void;
}

export interface Handled {
  readonly outcome: Outcome;
  /** PUBACKs for this one packet: servers before 4.2.1 send one per device of a gateway message. */
  readonly pubacks: number;
}

export const ACCEPTED: Handled = { outcome: 'accepted', pubacks: 1 };

export function refused(outcome: Outcome): Handled {
  return { outcome, pubacks: 1 };
}

/** How long a client RPC waits for a rule chain that never answers, milliseconds. */
const RPC_TIMEOUT_MS = 60_000;

const REQUEST = /^v1\/devices\/me\/(attributes|rpc)\/request\/([^/]+)$/;
const RPC_RESPONSE = /^v1\/devices\/me\/rpc\/response\/[^/]+$/;

export function handleDevicePublish(context: ApiContext, topic: string, payload: Uint8Array): Handled {
  const handler =
    topic === 'v1/devices/me/telemetry' ? telemetry : topic === 'v1/devices/me/attributes' ? attributes : undefined;
  const request = REQUEST.exec(topic);
  if (handler === undefined && request === null && topic !== 'v1/devices/me/claim' && !RPC_RESPONSE.test(topic)) {
    return refused('topic-unknown');
  }
  const document = parseJsonTree(textOf(payload));
  if (document === null) return refused('payload-invalid');
  if (handler !== undefined) return handler(context, document);
  if (request?.[1] === 'attributes') return attributesRequest(context, request[2] ?? '', document);
  if (request?.[1] === 'rpc') return clientRpc(context, request[2] ?? '', document);
  return ACCEPTED;
}

export function textOf(payload: Uint8Array): string {
  return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('utf8');
}

function telemetry(context: ApiContext, document: JsonNode): Handled {
  const entries = telemetryEntries(document, context.clock.now());
  if (!entries.ok) return refused(entries.fault === 'syntax' ? 'payload-invalid' : 'exception');
  // An empty list makes no message for the rule engine, so nothing ever acknowledges it.
  if (entries.value.length === 0) return refused('unanswered');
  if (!context.takeTelemetry(context.device, pointsIn(entries.value))) return refused('rate-limit');
  saveTelemetry(context.store, context.device, entries.value);
  return ACCEPTED;
}

export function pointsIn(entries: readonly Entry[]): number {
  return entries.reduce((sum, { values }) => sum + values.size, 0);
}

/** After the PUBACK the save fails as a whole when one key cannot be stored. */
export function saveTelemetry(store: ReceivedStore, device: string, entries: readonly Entry[]): void {
  store.messages += 1;
  if (entries.every(({ values }) => [...values.keys()].every(storableKey))) store.saveTelemetry(device, entries);
  else store.failedLater += 1;
}

function attributes(context: ApiContext, document: JsonNode): Handled {
  const values = keyValues(document);
  if (!values.ok) return refused('payload-invalid');
  context.store.messages += 1;
  context.store.saveAttributes(context.device, values.value);
  return ACCEPTED;
}

function attributesRequest(context: ApiContext, id: string, document: JsonNode): Handled {
  if (!context.answersAttributeRequests) return ACCEPTED;
  const { store, device } = context;
  const client = [...store.attributesOf(device)].map(([key, { value }]) => [key, value] as const);
  const named = (name: string, all: Iterable<readonly [string, JsonValue]>): JsonValue => {
    const wanted = textMember(document, name)?.split(',') ?? [];
    return Object.fromEntries([...all].filter(([key]) => wanted.includes(key)));
  };
  context.reply('v1/devices/me/attributes/response/+', `v1/devices/me/attributes/response/${id}`, {
    client: named('clientKeys', client),
    shared: named('sharedKeys', store.sharedOf(device) ?? []),
  });
  return ACCEPTED;
}

function clientRpc(context: ApiContext, id: string, document: JsonNode): Handled {
  const method = textMember(document, 'method');
  if (method === undefined) return refused('payload-invalid');
  const answer = (result: JsonValue): void =>
    context.reply('v1/devices/me/rpc/response/+', `v1/devices/me/rpc/response/${id}`, result);
  if (method === 'getSessionLimits' && context.told !== null) answer(context.told(context.gateway));
  else context.later(RPC_TIMEOUT_MS, () => answer({ error: 'timeout' }));
  return ACCEPTED;
}
