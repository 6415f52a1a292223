/** The `v1/gateway/` topics: several devices behind one session, created when they are first heard of. */
import type { JsonValue } from '../../core/json.ts';
import type { Outcome } from './answers.ts';
import { ACCEPTED, type ApiContext, type Handled, pointsIn, refused, saveTelemetry, textOf } from './device-api.ts';
import { type JsonNode, parseJsonTree, textMember } from './json-tree.ts';
import { type Entry, keyValues, type StoredValue, telemetryEntries } from './values.ts';

type Handler = (context: ApiContext, document: JsonNode) => Handled;

/** A first contact with a sub-device costs this many messages more (device creation and session). */
const FIRST_CONTACT_COST = 2;
const DEFAULT_TYPE = 'default';

const HANDLERS: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ['v1/gateway/connect', connect],
  ['v1/gateway/disconnect', disconnect],
  ['v1/gateway/telemetry', telemetry],
  ['v1/gateway/attributes', attributes],
  ['v1/gateway/attributes/request', attributesRequest],
  ['v1/gateway/rpc', () => ACCEPTED],
  ['v1/gateway/claim', () => ACCEPTED],
]);

export function handleGatewayPublish(context: ApiContext, topic: string, payload: Uint8Array): Handled {
  // The handler of gateway messages does not exist for other devices: the message vanishes.
  if (!context.gateway) return refused('unanswered');
  const handler = HANDLERS.get(topic);
  if (handler === undefined) return refused('topic-unknown');
  const document = parseJsonTree(textOf(payload));
  return document?.kind === 'object' ? handler(context, document) : refused('payload-invalid');
}

/** Makes sure the device exists and belongs to this session; null, or why it cannot be. */
function contact(context: ApiContext, device: string, type: string): Outcome | null {
  const refusal = context.refusedDevices.get(device);
  if (refusal !== undefined && !context.store.has(device)) return context.quirks === 'old' ? 'unanswered' : refusal;
  if (!context.subDevices.has(device) && !context.takeMessages(FIRST_CONTACT_COST)) return rateLimitOutcome(context);
  context.store.create(device, type, context.device);
  context.subDevices.add(device);
  return null;
}

/** How a gateway learns that its rate limit is reached. */
export function rateLimitOutcome(context: ApiContext): Outcome {
  return context.quirks === 'old' ? 'rate-limit' : 'gateway-rate-limit';
}

function connect(context: ApiContext, document: JsonNode): Handled {
  const device = textMember(document, 'device') ?? '';
  if (device.trim() === '') return refused('payload-invalid');
  const refusal = contact(context, device, textMember(document, 'type') ?? DEFAULT_TYPE);
  return refusal === null ? ACCEPTED : refused(refusal);
}

function disconnect(context: ApiContext, document: JsonNode): Handled {
  context.subDevices.delete(textMember(document, 'device') ?? '');
  return ACCEPTED;
}

/** Each device's part is handled on its own; the first failure decides the answer. */
function eachDevice<T>(
  context: ApiContext,
  document: JsonNode,
  convert: (node: JsonNode) => { outcome: Outcome } | { value: T },
  save: (device: string, value: T) => Outcome | null,
): Handled {
  let failure: Outcome | null = null;
  let done = 0;
  for (const [device, node] of document.kind === 'object' ? document.members : []) {
    const converted = device.trim() === '' ? { outcome: 'payload-invalid' as const } : convert(node);
    const outcome = 'outcome' in converted ? converted.outcome : contact(context, device, DEFAULT_TYPE);
    const failed = outcome !== null || 'outcome' in converted ? outcome : save(device, converted.value);
    if (failed === null) done += 1;
    else failure ??= failed;
  }
  if (context.quirks === 'new') return failure === null && done > 0 ? ACCEPTED : refused(failure ?? 'unanswered');
  if (failure !== null && failure !== 'unanswered') return refused(failure);
  return done > 0 ? { outcome: 'accepted', pubacks: done } : refused('unanswered');
}

function telemetry(context: ApiContext, document: JsonNode): Handled {
  return eachDevice<readonly Entry[]>(
    context,
    document,
    (node) => {
      if (node.kind !== 'array') return { outcome: 'payload-invalid' };
      const entries = telemetryEntries(node, context.clock.now());
      if (!entries.ok) return { outcome: entries.fault === 'syntax' ? 'payload-invalid' : 'exception' };
      return entries.value.length === 0 ? { outcome: 'unanswered' } : { value: entries.value };
    },
    (device, entries) => {
      if (!context.takeTelemetry(device, pointsIn(entries))) return rateLimitOutcome(context);
      saveTelemetry(context.store, device, entries);
      return null;
    },
  );
}

function attributes(context: ApiContext, document: JsonNode): Handled {
  return eachDevice<ReadonlyMap<string, StoredValue>>(
    context,
    document,
    (node) => {
      const values = keyValues(node);
      return values.ok ? { value: values.value } : { outcome: 'payload-invalid' };
    },
    (device, values) => {
      context.store.messages += 1;
      context.store.saveAttributes(device, values);
      return null;
    },
  );
}

/** `{"id","device","client":bool,"key":"k"}` is answered with `value`, `"keys":[...]` with `values`. */
function attributesRequest(context: ApiContext, document: JsonNode): Handled {
  const device = textMember(document, 'device') ?? '';
  const id = Number(textMember(document, 'id'));
  if (document.kind !== 'object' || device === '' || !Number.isInteger(id)) return refused('payload-invalid');
  const refusal = contact(context, device, DEFAULT_TYPE);
  if (refusal !== null) return refused(refusal);
  if (!context.answersAttributeRequests) return ACCEPTED;
  const client = document.members.get('client');
  const fromClient = client?.kind === 'boolean' && client.value;
  const { store } = context;
  const stored = new Map(
    fromClient
      ? [...store.attributesOf(device)].map(([name, { value }]) => [name, value] as const)
      : (store.sharedOf(device) ?? []),
  );
  const key = textMember(document, 'key');
  const keys = document.members.get('keys');
  const reply = (rest: { readonly [name: string]: JsonValue }): void =>
    context.reply('v1/gateway/attributes/response', 'v1/gateway/attributes/response', { id, device, ...rest });
  if (key !== undefined) {
    const value = stored.get(key);
    reply(value === undefined ? {} : { value });
  } else if (keys?.kind === 'array') {
    const wanted = keys.items.map((item) => (item.kind === 'string' ? item.text : ''));
    const found = [...stored].filter(([name]) => wanted.includes(name));
    reply({ values: Object.fromEntries(found) });
  } else {
    return refused('payload-invalid');
  }
  return ACCEPTED;
}
