/**
 * How to behave towards the server after what happened: a pure state machine over the judgements of `classifier.ts`.
 *
 *   normal     sessions stand for ever and carry whatever waits.
 *   wary       the server closed a session and did not say why. A witness (a bare connection) stands beside the next
 *              session; after a close of just our session the next one says nothing for a while and then sends one
 *              message at a time: a rival closes also the silent one, a rate limit or a bad payload does not.
 *   turns      another client has our token. Each session is a turn: it delivers what waits and is closed in order
 *              before the rival comes back; between turns the rival is left alone. Now and then a turn lingers, and
 *              when nobody ends it the conflict is over.
 *   patient    the same, with turns turned off: sessions as in normal, with long waits between them.
 */

import type { SessionEnd } from '../session/session-end.ts';
import { isShortClose, type Judgement } from './classifier.ts';

export type OnConflict = 'turns' | 'wait';
export type Mode = 'normal' | 'wary' | 'turns' | 'patient';

export interface Conduct {
  readonly mode: Mode;
  /** wary: closes of just our session so far, and how long the next session is silent. */
  readonly closes: number;
  readonly silentMs: number;
  /** turns: how long one may last, and when the last one lingered (monotonic). */
  readonly turnMs: number;
  readonly lingeredAt: number;
}

/** What the next session is to be. */
export interface SessionPlan {
  /** Keep a bare connection beside it. */
  readonly witness: boolean;
  /** Send nothing for so long after the CONNACK. */
  readonly silentMs: number;
  /** Send one message at a time, so that it is known which one the server would not have. */
  readonly oneByOne: boolean;
  /** Close it in order once everything is delivered, or after so long; null: it stands for ever. */
  readonly turnMs: number | null;
}

export const NORMAL: Conduct = { mode: 'normal', closes: 0, silentMs: 0, turnMs: 0, lingeredAt: 0 };

/** How long the first silent session says nothing; a rival that comes back later is met by a longer one. */
const FIRST_SILENCE_MS = 3000;
const LONGEST_SILENCE_MS = 15_000;
/** A turn ends before the rivals that were seen come back: most clients wait a second. */
const LONGEST_TURN_MS = 800;
const SHORTEST_TURN_MS = 150;
/** Of the time after which a rival ended a turn. */
const TURN_SHARE = 0.7;
const LINGER_EVERY_MS = 30_000;
/** Between turns: when everything was delivered, and when rows are left. */
const WAIT_MS = [5000, 15_000] as const;
const WAIT_WITH_ROWS_MS = [1500, 4000] as const;

export function planOf(conduct: Conduct, now: number): SessionPlan {
  const { mode, closes, silentMs, turnMs } = conduct;
  switch (mode) {
    case 'normal':
    case 'patient':
      return { witness: false, silentMs: 0, oneByOne: false, turnMs: null };
    case 'wary':
      return { witness: true, silentMs, oneByOne: closes > 0, turnMs: null };
    case 'turns':
      return { witness: false, silentMs: 0, oneByOne: false, turnMs: lingers(conduct, now) ? null : turnMs };
  }
}

function lingers({ lingeredAt }: Conduct, now: number): boolean {
  return now - lingeredAt >= LINGER_EVERY_MS;
}

/** A session ended. */
export function afterEnd(conduct: Conduct, end: SessionEnd, { cause }: Judgement, policy: OnConflict): Conduct {
  if (conduct.mode === 'turns') return afterTurn(conduct, end);
  if (cause === 'conflict') return inConflict(end, policy);
  if (conduct.mode === 'patient') return conduct;
  if (isShortClose(end)) return warier(conduct, end);
  // The server said that it was a message: one at a time tells which, and silence would tell nothing.
  if (cause === 'payload-rejected') return { ...NORMAL, mode: 'wary', closes: conduct.closes + 1 };
  // A rival may stand behind it: the next end is to be seen by a witness.
  return cause === 'unexplained' && end.stoodMs > 0 ? { ...conduct, mode: 'wary' } : NORMAL;
}

function inConflict({ at, stoodMs }: SessionEnd, policy: OnConflict): Conduct {
  if (policy === 'wait') return { ...NORMAL, mode: 'patient' };
  return { ...NORMAL, mode: 'turns', turnMs: turnAfter(stoodMs), lingeredAt: at };
}

function warier({ closes, silentMs }: Conduct, { stoodMs }: SessionEnd): Conduct {
  const wanted = Math.max(FIRST_SILENCE_MS, silentMs * 2, stoodMs * 1.5);
  return { ...NORMAL, mode: 'wary', closes: closes + 1, silentMs: Math.min(wanted, LONGEST_SILENCE_MS) };
}

/** A turn that the rival ended was too long; one that we ended was not. Whatever else ended it says nothing of a rival. */
function afterTurn(conduct: Conduct, { at, stoodMs, error }: SessionEnd): Conduct {
  const endedByUs = error.code === 'STOPPING';
  const lingeredAt = lingers(conduct, at - stoodMs) && stoodMs > 0 ? at : conduct.lingeredAt;
  return { ...conduct, lingeredAt, turnMs: endedByUs || stoodMs === 0 ? conduct.turnMs : turnAfter(stoodMs) };
}

function turnAfter(stoodMs: number): number {
  return Math.min(LONGEST_TURN_MS, Math.max(SHORTEST_TURN_MS, Math.round(stoodMs * TURN_SHARE)));
}

/** A session has stood for a while: nobody fights for our token, and nothing it carries is disliked. */
export function afterStanding(): Conduct {
  return NORMAL;
}

/** How long to leave the rival alone before the next turn, milliseconds; `random` in [0, 1). */
export function waitAfterTurn(rowsLeft: boolean, random: () => number): number {
  const [shortest, longest] = rowsLeft ? WAIT_WITH_ROWS_MS : WAIT_MS;
  return shortest + Math.floor(random() * (longest - shortest));
}

/** Another client uses our token. */
export function isConflict({ mode }: Conduct): boolean {
  return mode === 'turns' || mode === 'patient';
}
