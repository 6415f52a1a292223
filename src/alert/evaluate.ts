/**
 * One alert of one subject, as a pure state machine:
 *
 *   quiet --holds--> pending --held for raiseAfterMs--> active --does not hold for clearAfterMs--> quiet
 *                      \--does not hold--> quiet                  \--holds again--> active
 */
import type { AlertRule, Limit } from './rules.ts';

export interface AlertState {
  readonly active: boolean;
  /** Monotonic time since which the condition is other than the state; null while it is the same. */
  readonly changingSince: number | null;
}

export const QUIET: AlertState = { active: false, changingSince: null };
/** As it comes from the database after a restart. */
export const ACTIVE: AlertState = { active: true, changingSince: null };

/** A truth for rules over states, a number for limits; null: not known, nothing changes. */
export type Observed = boolean | number | null;

export interface Evaluation {
  readonly state: AlertState;
  readonly change: 'raised' | 'cleared' | null;
}

/** `now` monotonic, milliseconds. */
export function evaluate(rule: AlertRule, previous: AlertState, observed: Observed, now: number): Evaluation {
  const holds = conditionOf(rule.limit, previous.active, observed);
  if (holds === null) return { state: previous, change: null };
  const { active } = previous;
  if (holds === active) {
    return { state: previous.changingSince === null ? previous : { active, changingSince: null }, change: null };
  }
  const changingSince = previous.changingSince ?? now;
  const wait = active ? rule.clearAfterMs : rule.raiseAfterMs;
  if (now - changingSince < wait) return { state: { active, changingSince }, change: null };
  return { state: { active: !active, changingSince: null }, change: active ? 'cleared' : 'raised' };
}

function conditionOf(limit: Limit, active: boolean, observed: Observed): boolean | null {
  if (observed === null) return null;
  if (limit.kind === 'state') return observed === true;
  const value = Number(observed);
  if (limit.kind === 'above') return active ? value >= limit.clear : value > limit.raise;
  return active ? value <= limit.clear : value < limit.raise;
}
