/**
 * The server's answers as data: what a CONNECT or PUBLISH led to, and what the client gets to see of it in MQTT 5 and in
 * 3.1.1. Several failures are an ordinary PUBACK in 3.1.1, and some are no answer at all.
 */

/** Why a CONNECT is refused. */
export type Refusal =
  | 'bad-credentials'
  | 'unknown-client-id'
  | 'no-credentials'
  | 'unavailable'
  | 'rate-limit'
  /** An IP block: closed before any CONNACK. */
  | 'silent';

/** CONNACK codes per refusal. */
export const CONNACK: Readonly<Record<Exclude<Refusal, 'silent'>, { readonly v5: number; readonly v4: number }>> = {
  'bad-credentials': { v5: 0x86, v4: 0x05 },
  'unknown-client-id': { v5: 0x85, v4: 0x02 },
  'no-credentials': { v5: 0x87, v4: 0x05 },
  unavailable: { v5: 0x88, v4: 0x03 },
  'rate-limit': { v5: 0x9f, v4: 0x03 },
};

/** DISCONNECT reasons (MQTT 5 only; 3.1.1 sees the TCP close). */
export const DISCONNECT = {
  malformed: 0x81,
  protocolError: 0x82,
  deviceApi: 0x83,
  exception: 0x8b,
  takenOver: 0x8e,
  payloadInvalid: 0x99,
  sessionTimeout: 0xa0,
} as const;

export type Outcome =
  | 'accepted'
  /** Neither PUBACK nor close, ever. */
  | 'unanswered'
  | 'payload-invalid'
  | 'topic-unknown'
  | 'exception'
  | 'malformed-topic'
  | 'device-creation-failed'
  | 'device-limit'
  | 'rate-limit'
  | 'gateway-rate-limit';

export interface Answer {
  /** PUBACK reason code (3.1.1 has none: any code is a plain PUBACK); null for no PUBACK. */
  readonly puback: number | null;
  /** DISCONNECT reason, after which the connection is closed; null leaves it open. */
  readonly close: number | null;
}

const stays = (puback: number | null): Answer => ({ puback, close: null });
const closes = (close: number, puback: number | null = null): Answer => ({ puback, close });

/** Answers to a PUBLISH at QoS 1 or 2 (QoS 2 gets a PUBACK, never a PUBREC), servers from 4.2.1 on. */
export const ANSWERS: Readonly<Record<Outcome, { readonly v5: Answer; readonly v4: Answer }>> = {
  accepted: { v5: stays(0), v4: stays(0) },
  unanswered: { v5: stays(null), v4: stays(null) },
  'payload-invalid': { v5: stays(0x99), v4: closes(DISCONNECT.payloadInvalid) },
  'topic-unknown': { v5: stays(0x90), v4: stays(0) },
  exception: { v5: closes(DISCONNECT.exception), v4: closes(DISCONNECT.exception) },
  'malformed-topic': { v5: closes(DISCONNECT.malformed), v4: closes(DISCONNECT.malformed) },
  'device-creation-failed': { v5: stays(0x80), v4: stays(0) },
  'device-limit': { v5: stays(0x97), v4: stays(0) },
  'rate-limit': { v5: closes(DISCONNECT.deviceApi), v4: closes(DISCONNECT.deviceApi) },
  'gateway-rate-limit': { v5: closes(DISCONNECT.deviceApi, 0x97), v4: closes(DISCONNECT.deviceApi, 0) },
};

/** At QoS 0 there is nothing to answer with; an invalid payload then closes the session in both versions. */
export function answerAtQos0(outcome: Outcome): Answer {
  if (outcome === 'payload-invalid') return closes(DISCONNECT.payloadInvalid);
  return { puback: null, close: ANSWERS[outcome].v5.close };
}

/** The topics a SUBSCRIBE may name, to the letter; everything else is refused with 0x8F (5) or 0x80 (3.1.1). */
export const SUBSCRIBABLE: ReadonlySet<string> = new Set([
  'v1/devices/me/attributes',
  'v1/devices/me/attributes/response/+',
  'v1/devices/me/rpc/request/+',
  'v1/devices/me/rpc/response/+',
  'v1/gateway/attributes',
  'v1/gateway/attributes/response',
  'v1/gateway/rpc',
  'v2/fw/response/+/chunk/+',
  'v2/fw/error',
  'v2/sw/response/+/chunk/+',
  'v2/sw/error',
  '/provision/response',
]);
