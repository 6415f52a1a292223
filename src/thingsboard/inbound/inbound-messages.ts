/** What comes from the server, as data: names of devices, shared attributes. Pure, and trusting nothing. */
import { OWN_DEVICE } from '../../store/local/types.ts';
import {
  ATTRIBUTE_RESPONSE,
  DEVICE_ATTRIBUTES,
  GATEWAY_ATTRIBUTE_RESPONSE,
  GATEWAY_ATTRIBUTES,
  SERVER_RPC,
} from '../session/topics.ts';

/** Of a device behind the gateway, or `OWN_DEVICE`. */
export interface SharedAttributes {
  readonly device: string;
  readonly values: JsonObject;
  readonly deleted: readonly string[];
}

export type Inbound =
  | { readonly kind: 'renamed'; readonly from: string; readonly to: string }
  | { readonly kind: 'deleted'; readonly device: string }
  | ({ readonly kind: 'shared' } & SharedAttributes)
  /** A server RPC that is not for us. */
  | { readonly kind: 'asked'; readonly method: string }
  | { readonly kind: 'malformed'; readonly reason: string };

/** ThingsBoard takes and sends no larger packet. */
const LARGEST_PAYLOAD = 65_536;

/** What a message means; empty for a topic that is not known here. */
export function inboundOf(topic: string, payload: string): readonly Inbound[] {
  const read = READERS.find(({ at }) => (at.endsWith('/') ? topic.startsWith(at) : topic === at))?.read;
  if (read === undefined) return [];
  const document = objectIn(payload);
  return typeof document === 'string' ? [malformed(document)] : read(document);
}

/** By topic, or by what it begins with. */
const READERS: readonly { readonly at: string; read(document: JsonObject): readonly Inbound[] }[] = [
  { at: SERVER_RPC, read: rpcOf },
  { at: DEVICE_ATTRIBUTES, read: (document) => [sharedOf(OWN_DEVICE, document)] },
  { at: ATTRIBUTE_RESPONSE, read: ({ shared }) => [sharedOf(OWN_DEVICE, shared ?? {})] },
  { at: GATEWAY_ATTRIBUTES, read: ({ device, data }) => [ofSubDevice(device, data)] },
  // Without values for a device that has none of what was asked for.
  { at: GATEWAY_ATTRIBUTE_RESPONSE, read: ({ device, values }) => [ofSubDevice(device, values ?? {})] },
];

function ofSubDevice(device: unknown, values: unknown): Inbound {
  if (typeof device !== 'string' || device === OWN_DEVICE) return malformed('attributes of a device without a name');
  return sharedOf(device, values);
}

/** `{key: value}`, or `{"deleted": [key]}`. */
function sharedOf(device: string, values: unknown): Inbound {
  if (!isObject(values)) return malformed('attributes that are no JSON object');
  const { deleted } = values;
  return Array.isArray(deleted) && Object.keys(values).length === 1
    ? { kind: 'shared', device, values: {}, deleted: deleted.filter((key) => typeof key === 'string') }
    : { kind: 'shared', device, values, deleted: [] };
}

function malformed(reason: string): Inbound {
  return { kind: 'malformed', reason };
}

function rpcOf({ method, params }: JsonObject): readonly Inbound[] {
  if (method === 'gateway_device_deleted') {
    return typeof params === 'string' && params !== ''
      ? [{ kind: 'deleted', device: params }]
      : [malformed('a deleted device without a name')];
  }
  if (method === 'gateway_device_renamed') return renamings(params);
  return [{ kind: 'asked', method: typeof method === 'string' ? method.slice(0, 100) : '' }];
}

function renamings(params: unknown): readonly Inbound[] {
  const entries = isObject(params) ? Object.entries(params) : [];
  if (entries.length === 0) return [malformed('a renamed device without names')];
  return entries.map(([from, to]) =>
    typeof to === 'string' && to !== '' && from !== ''
      ? { kind: 'renamed', from, to }
      : malformed('a renamed device whose new name is no text'),
  );
}

type JsonObject = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object, or why there is none. */
function objectIn(payload: string): JsonObject | string {
  if (payload.length > LARGEST_PAYLOAD) return 'a message that is too large';
  try {
    const value: unknown = JSON.parse(payload);
    return isObject(value) ? value : 'a message that is no JSON object';
  } catch {
    return 'a message that is no JSON';
  }
}
