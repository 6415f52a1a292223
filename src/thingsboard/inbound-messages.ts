/** What comes from the server, as data: names of devices. Pure, and trusting nothing. */
import { SERVER_RPC } from './topics.ts';

export type Inbound =
  | { readonly kind: 'renamed'; readonly from: string; readonly to: string }
  | { readonly kind: 'deleted'; readonly device: string }
  /** A server RPC that is not for us. */
  | { readonly kind: 'asked'; readonly method: string }
  | { readonly kind: 'malformed'; readonly reason: string };

/** ThingsBoard takes and sends no larger packet. */
const LARGEST_PAYLOAD = 65_536;

/** What a message means; empty for a topic that is not known here. */
export function inboundOf(topic: string, payload: string): readonly Inbound[] {
  if (!topic.startsWith(SERVER_RPC)) return [];
  const document = objectIn(payload);
  if (typeof document === 'string') return [{ kind: 'malformed', reason: document }];
  return rpcOf(document);
}

function rpcOf({ method, params }: JsonObject): readonly Inbound[] {
  if (method === 'gateway_device_deleted') {
    return typeof params === 'string' && params !== ''
      ? [{ kind: 'deleted', device: params }]
      : [{ kind: 'malformed', reason: 'a deleted device without a name' }];
  }
  if (method === 'gateway_device_renamed') return renamings(params);
  return [{ kind: 'asked', method: typeof method === 'string' ? method.slice(0, 100) : '' }];
}

function renamings(params: unknown): readonly Inbound[] {
  const entries = isObject(params) ? Object.entries(params) : [];
  if (entries.length === 0) return [{ kind: 'malformed', reason: 'a renamed device without names' }];
  return entries.map(([from, to]) =>
    typeof to === 'string' && to !== '' && from !== ''
      ? { kind: 'renamed', from, to }
      : { kind: 'malformed', reason: 'a renamed device whose new name is no text' },
  );
}

type JsonObject = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object, or why there is none. */
function objectIn(payload: string): JsonObject | string {
  if (payload.length > LARGEST_PAYLOAD) return `a message of ${payload.length} characters`;
  try {
    const value: unknown = JSON.parse(payload);
    return isObject(value) ? value : 'a message that is no JSON object';
  } catch {
    return 'a message that is no JSON';
  }
}
