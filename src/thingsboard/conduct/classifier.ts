/**
 * Why a session ended: a pure judgement over the history of its kind. ThingsBoard tells the reason in MQTT 5 only; in
 * 3.1.1, and from brokers that never tell, a rival with our token looks like a rate limit, a payload that the server
 * would not parse, a restart or a bad network: a closed connection, which paho calls rc=7.
 *
 * What tells a rival apart without a reason code: the server closes just our session (a bare connection to it goes on),
 * soon after it took us, again and again, also when we had sent nothing that it could have disliked.
 */
import type { SessionEnd } from '../session/session-end.ts';

export type EndCause =
  /** We closed it. */
  | 'stopped'
  /** Another client uses our access token. */
  | 'conflict'
  | 'credentials'
  /** The server speaks no MQTT, or another version of it; or something between garbles it. */
  | 'protocol'
  | 'rate-limit'
  /** A message that the server would not have. */
  | 'payload-rejected'
  /** Nothing came for as long as we were prepared to wait. */
  | 'own-time-out'
  /** Nobody listens there, or the server says that it is not ready. */
  | 'server-down'
  /** It closed everything. */
  | 'server-restart'
  | 'network'
  /** The server closed just our session and did not say why; not enough to call it a conflict. */
  | 'unexplained';

export interface Judgement {
  readonly cause: EndCause;
  /** What it is judged by, for the log. */
  readonly evidence: string;
}

/** A session that stood longer was not thrown out by a rival that reconnects every few seconds. */
export const SHORT_LIVED_MS = 20_000;
/** Closes further back than this have nothing to do with the last one, milliseconds. */
const EPISODE_MS = 120_000;
/** Closes of just our session that make a conflict, and how many of them with nothing in flight. */
const CLOSES_OF_A_CONFLICT = 2;
const SILENT_CLOSES_OF_A_CONFLICT = 1;

interface Case {
  readonly cause: EndCause;
  is(last: SessionEnd, history: readonly SessionEnd[]): boolean;
  evidence(last: SessionEnd, history: readonly SessionEnd[]): string;
}

const RATE_LIMIT_REASONS: readonly number[] = [0x96, 0x97];
const RATE_LIMIT_OR_QUEUE = 0x83;
/** ThingsBoard's PUBACK at a gateway's limit; it closes after it. */
const QUOTA_EXCEEDED = 0x97;
const TOO_MANY_CONNECTS = 0x9f;
const PAYLOAD_REASONS: readonly number[] = [0x81, 0x95, 0x99];
const UNEXPECTED_OR_SHUTTING_DOWN = 0x8b;
const CREDENTIALS_CHANGED = 0x98;

const message = ({ error }: SessionEnd): string => error.message;
const disconnectReason = ({ error }: SessionEnd): unknown => error.facts.disconnectReason;
const refusedBecause = ({ error }: SessionEnd): unknown => error.facts.connackCode;
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** The first that holds is it. */
const CASES: readonly Case[] = [
  { cause: 'stopped', is: ({ error }) => error.code === 'STOPPING', evidence: message },
  { cause: 'conflict', is: ({ error }) => error.code === 'MQTT_CONFLICT', evidence: message },
  {
    cause: 'credentials',
    is: (last) => last.error.code === 'MQTT_CREDENTIALS' || disconnectReason(last) === CREDENTIALS_CHANGED,
    evidence: message,
  },
  {
    cause: 'protocol',
    is: ({ error }) => error.code === 'MQTT_PROTOCOL_REFUSED' || error.code === 'MQTT_MALFORMED',
    evidence: message,
  },
  {
    cause: 'rate-limit',
    is: (last) =>
      RATE_LIMIT_REASONS.includes(Number(disconnectReason(last))) ||
      disconnectReason(last) === RATE_LIMIT_OR_QUEUE ||
      (last.error.code === 'MQTT_CLOSED' && last.refusedWith === QUOTA_EXCEEDED) ||
      refusedBecause(last) === TOO_MANY_CONNECTS,
    evidence: message,
  },
  {
    cause: 'payload-rejected',
    is: (last) =>
      PAYLOAD_REASONS.includes(Number(disconnectReason(last))) ||
      (disconnectReason(last) === UNEXPECTED_OR_SHUTTING_DOWN && last.inFlight > 0),
    evidence: message,
  },
  {
    cause: 'server-restart',
    is: (last) => disconnectReason(last) === UNEXPECTED_OR_SHUTTING_DOWN,
    evidence: message,
  },
  { cause: 'own-time-out', is: ({ error }) => error.code === 'MQTT_ACK_TIMEOUT', evidence: message },
  {
    cause: 'server-down',
    is: ({ stoodMs, error }) => stoodMs === 0 && error.code === 'MQTT_SERVER_UNAVAILABLE',
    evidence: message,
  },
  { cause: 'server-down', is: ({ error }) => systemCode(error) === 'ECONNREFUSED', evidence: message },
  // Before a CONNACK nothing is known of rivals: they do not keep anybody from connecting.
  { cause: 'network', is: ({ stoodMs }) => stoodMs === 0, evidence: message },
  { cause: 'unexplained', is: (last) => disconnectReason(last) !== undefined, evidence: message },
  {
    cause: 'conflict',
    is: (_, history) => isConflict(history),
    evidence: (_, history) =>
      `the server closed just this session ${shortCloses(history).length} times, ${seconds(longest(history))} after it took us at the latest, also with nothing in flight, while another connection to it went on (rc=7)`,
  },
  {
    cause: 'unexplained',
    is: ({ witness }) => witness === 'alive',
    evidence: ({ stoodMs, inFlight }) =>
      `the server closed just this session after ${seconds(stoodMs)} with ${inFlight} messages in flight and gave no reason (rc=7)`,
  },
  {
    cause: 'server-restart',
    is: ({ witness, error }) => witness === 'dead' && systemCode(error) === null,
    evidence: () => 'the server closed another connection at the same time',
  },
  { cause: 'network', is: ({ witness }) => witness === 'dead', evidence: message },
  {
    cause: 'unexplained',
    is: () => true,
    evidence: ({ stoodMs, error }) => `${error.message} after ${seconds(stoodMs)} (rc=7)`,
  },
];

/**
 * Why the last of these sessions ended; `history` oldest first, at least one, all of one connection. Throws nothing.
 */
export function judge(history: readonly SessionEnd[]): Judgement {
  const last = history.at(-1);
  const found = last === undefined ? undefined : CASES.find((one) => one.is(last, history));
  if (last === undefined || found === undefined) return { cause: 'unexplained', evidence: 'nothing has ended' };
  return { cause: found.cause, evidence: found.evidence(last, history) };
}

function isConflict(history: readonly SessionEnd[]): boolean {
  const closes = shortCloses(history);
  return (
    closes.length >= CLOSES_OF_A_CONFLICT &&
    closes.filter(isSilent).length >= SILENT_CLOSES_OF_A_CONFLICT &&
    closes.at(-1) === history.at(-1)
  );
}

/** An orderly close while nothing was in flight that the server could have disliked. */
function isSilent({ inFlight, error }: SessionEnd): boolean {
  return inFlight === 0 && systemCode(error) === null;
}

/** The latest unbroken run of closes of just our session, soon after it was taken. */
function shortCloses(history: readonly SessionEnd[]): readonly SessionEnd[] {
  const last = history.at(-1);
  const run: SessionEnd[] = [];
  for (const end of history.toReversed()) {
    if (last === undefined || last.at - end.at > EPISODE_MS || !isShortClose(end)) break;
    run.unshift(end);
  }
  return run;
}

/** The server took us, closed just this session soon, and said nothing. */
export function isShortClose({ stoodMs, error, witness, refusedWith }: SessionEnd): boolean {
  return (
    witness === 'alive' &&
    stoodMs > 0 &&
    stoodMs <= SHORT_LIVED_MS &&
    error.code === 'MQTT_CLOSED' &&
    error.facts.disconnectReason === undefined &&
    refusedWith === null
  );
}

function longest(history: readonly SessionEnd[]): number {
  return Math.max(...shortCloses(history).map(({ stoodMs }) => stoodMs));
}

function systemCode({ cause }: SessionEnd['error']): string | null {
  const code = (cause as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : null;
}
