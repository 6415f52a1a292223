/**
 * When a meter's point groups are due: a pure function of wall-clock time. Dues are aligned to the wall clock
 * (an interval of 15 min falls on the quarter hours) and moved by a phase of the meter's own, so that a thousand
 * meters do not all ask in the same millisecond. All groups of a meter share one phase: where their dues coincide
 * they are read in one cycle.
 */

/** The widest spread: a quarter-hourly reading is taken within the first minute of its quarter. */
const WIDEST_SPREAD_MS = 60_000;

/** The meter's phase in milliseconds, from 0 to its smallest interval (at most a minute), the same after every start. */
export function phaseOf(meterId: number, smallestIntervalMs: number): number {
  // Multiplying by the golden ratio spreads consecutive ids evenly (Knuth, TAOCP 6.4).
  const fraction = (meterId * 0.618_033_988_749_895) % 1;
  return Math.floor(fraction * Math.min(smallestIntervalMs, WIDEST_SPREAD_MS));
}

/** The first due strictly after `now`. All in milliseconds; `now` and the result on the wall clock. */
export function nextDue(intervalMs: number, phaseMs: number, now: number): number {
  return Math.floor((now - phaseMs) / intervalMs + 1) * intervalMs + phaseMs;
}

export interface DueGroup {
  readonly groupId: number;
  readonly intervalMs: number;
}

/** The groups of a meter that are due at `at`, a moment that `nextDue` gave for one of them. */
export function groupsDueAt<G extends DueGroup>(groups: readonly G[], phaseMs: number, at: number): G[] {
  return groups.filter(({ intervalMs }) => (at - phaseMs) % intervalMs === 0);
}

/** The next moment at which any group of the meter is due. */
export function nextDueOfAny(groups: readonly DueGroup[], phaseMs: number, now: number): number {
  return Math.min(...groups.map(({ intervalMs }) => nextDue(intervalMs, phaseMs, now)));
}
