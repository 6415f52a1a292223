/**
 * Invocation counters (Green Book 9.2.3.3.7.3). Each key has its own: global unicast, global broadcast, dedicated (from 0
 * in every association). Received ones must rise; ours are never used twice.
 */
import { fail } from '../../core/errors.ts';

/** Which of the keys of a meter protects a message. */
export type KeySlot = 'unicast' | 'broadcast' | 'dedicated';

/** The last counter accepted of each key; null before the first. A value: accepting gives a new one. */
export type ReplayGuard = Readonly<Record<KeySlot, number | null>>;

export const FRESH_REPLAY_GUARD: ReplayGuard = { unicast: null, broadcast: null, dedicated: null };

/** What was opened, as far as the guard has to know it. */
export interface ReceivedCounter {
  readonly key: KeySlot;
  readonly invocationCounter: number;
  /** As `unprotectApdu` tells it. */
  readonly tagVerified: boolean | null;
}

/**
 * The guard after a message that was opened; throws REPLAYED when its counter did not rise. Call it after opening, so that
 * a message with a wrong tag changes nothing. Only a verified counter moves the guard: anybody can forge another, and one
 * forged message with a high counter would shut the meter out.
 */
export function afterReceiving(guard: ReplayGuard, received: ReceivedCounter): ReplayGuard {
  const { key, invocationCounter, tagVerified } = received;
  const last = guard[key];
  if (last !== null && invocationCounter <= last) {
    fail('REPLAYED', `invocation counter ${invocationCounter} of the ${key} key, ${last} was already received`, {
      facts: { received: invocationCounter, last },
    });
  }
  return tagVerified === true ? { ...guard, [key]: invocationCounter } : guard;
}
