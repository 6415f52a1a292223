/**
 * The states of a sign-on in mode E, and what leads from one to the next.
 *
 *   idle          not started.
 *   identifying   the request was sent, the identification is awaited.
 *   ended         ready for HDLC, or failed. What comes now belongs to HDLC.
 */
export type SignOnState = 'idle' | 'identifying' | 'ended';
export type SignOnInput = 'start' | 'octets' | 'identified' | 'retries used up';

/** null: a fault of the caller. */
export const SIGN_ON_TRANSITIONS: Readonly<Record<SignOnState, Readonly<Record<SignOnInput, SignOnState | null>>>> = {
  idle: { start: 'identifying', octets: null, identified: null, 'retries used up': null },
  identifying: { start: 'identifying', octets: 'identifying', identified: 'ended', 'retries used up': 'ended' },
  ended: { start: 'identifying', octets: 'ended', identified: null, 'retries used up': null },
};
