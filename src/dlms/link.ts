/**
 * The data link between an application association and a stream of octets, sans I/O: HDLC or wrapper.
 * Whoever owns the transport feeds octets and time-outs in, and carries out what comes back.
 */
import type { BridgeError } from '../core/errors.ts';

/** Octets that belong to no frame, and why. Emitted so that nothing vanishes silently. */
export interface Discarded {
  /** Offset in the stream since the link was made. */
  readonly offset: number;
  readonly length: number;
  readonly reason: string;
}

export type LinkEvent =
  /** The link stands (UA received); at once for the wrapper. */
  | { readonly kind: 'connected' }
  /** A whole APDU, segments joined, LLC removed. `unsolicited`: in a UI frame, a notification, or to nobody's request. */
  | { readonly kind: 'apdu'; readonly apdu: Uint8Array; readonly unsolicited: boolean }
  /** The meter answered the keep-alive. */
  | { readonly kind: 'alive' }
  /** UA or DM after DISC. */
  | { readonly kind: 'disconnected' }
  /** The link is unusable; connect anew. */
  | { readonly kind: 'failed'; readonly error: BridgeError }
  | { readonly kind: 'discarded'; readonly discarded: Discarded };

export interface LinkOutput {
  /** Frames to write, in order. */
  readonly send: readonly Uint8Array[];
  readonly events: readonly LinkEvent[];
}

/** The client's end of a link. Every method returns what to write and what happened. */
export interface ClientLink {
  /** Sends SNRM (HDLC); the wrapper is connected at once. */
  connect(): LinkOutput;
  /** Sends one APDU and awaits what it is answered with; segments it as the negotiated lengths demand. Several go in order. */
  send(apdu: Uint8Array): LinkOutput;
  /** Awaits one more APDU without sending one: what came was not all. */
  listen(): LinkOutput;
  /** Keeps the meter's inactivity time-out from ending the link (HDLC: RR); the wrapper has none and is alive at once. */
  keepAlive(): LinkOutput;
  /** Sends one APDU that is not answered, beside what is under way. */
  notify(apdu: Uint8Array): LinkOutput;
  /** Whether the peer has all that was sent, as far as this link can tell: repeating it would bring nothing. */
  readonly isSettled: boolean;
  /** Octets from the transport, in any portions. */
  receive(bytes: Uint8Array): LinkOutput;
  /** Nothing came within the response time-out: repeats what was unanswered, or fails with METER_TIMEOUT after its retries. */
  timeout(): LinkOutput;
  /** Sends DISC (HDLC); the wrapper is disconnected at once. */
  disconnect(): LinkOutput;
}

export const NOTHING: LinkOutput = { send: [], events: [] };

/**
 * Tags of APDUs that a server sends on its own: information report, data and event notification, and their glo- and
 * ded-ciphered forms.
 */
const NOTIFICATION_TAGS: ReadonlySet<number> = new Set([0x18, 0x0f, 0xc2, 0x38, 0x58, 0xca, 0xd2]);

/** Whether an APDU answers nothing, by its tag. Under general ciphering nobody can tell without the key. */
export function isNotification(apdu: Uint8Array): boolean {
  return NOTIFICATION_TAGS.has(apdu[0] ?? -1);
}
