/** What happened to a meter: power failures that follow from its seed, and what clients did to it. */
import { INSTALLED } from './household.ts';
import { EVENT, type MeterEvent } from './meter-state.ts';
import { integerBetween, seededRandom, seedOf } from './random.ts';

const QUARTER_MS = 900_000;
/** One power failure in so many quarters of an hour: about a month. */
const QUARTERS_PER_FAILURE = 30 * 96;

/** Bits of a profile's status, as IDIS has them. */
const STATUS = { clockAdjusted: 0x20, powerDown: 0x80 } as const;
const STATUS_BITS: ReadonlyMap<number, number> = new Map([
  [EVENT.clockAdjustedFrom, STATUS.clockAdjusted],
  [EVENT.clockAdjustedTo, STATUS.clockAdjusted],
  [EVENT.powerDown, STATUS.powerDown],
  [EVENT.powerUp, STATUS.powerDown],
]);

/** All events of a meter until a moment, oldest first. */
export function eventsUntil(at: number, seed: number, logged: readonly MeterEvent[]): readonly MeterEvent[] {
  const all = [...powerFailures(seed, at), ...logged].filter((event) => event.at <= at);
  return all.sort((a, b) => a.at - b.at);
}

/** The power returns within the same quarter of an hour, so that no capture is missed. */
function powerFailures(seed: number, until: number): readonly MeterEvent[] {
  const periodMs = QUARTERS_PER_FAILURE * QUARTER_MS;
  const count = Math.max(0, Math.ceil((until - INSTALLED) / periodMs));
  return Array.from({ length: count }, (_, index) => {
    const random = seededRandom(seedOf(seed, index));
    const quarter = index * QUARTERS_PER_FAILURE + integerBetween(random, 0, QUARTERS_PER_FAILURE - 1);
    const down = INSTALLED + quarter * QUARTER_MS + integerBetween(random, 30, 400) * 1000;
    const up = down + integerBetween(random, 5, 450) * 1000;
    return [
      { at: down, code: EVENT.powerDown },
      { at: up, code: EVENT.powerUp },
    ];
  }).flat();
}

/** The status of what was captured at `to`: what happened after `from`. */
export function statusOf(events: readonly MeterEvent[], from: number, to: number): number {
  let status = 0;
  // From the end: mostly it is the latest that is asked for, and nothing happened.
  for (let index = firstAfter(events, to) - 1; index >= 0; index -= 1) {
    const event = events[index];
    if (event === undefined || event.at <= from) break;
    status |= STATUS_BITS.get(event.code) ?? 0;
  }
  return status;
}

/** Index of the first event later than a moment; events are in order. */
function firstAfter(events: readonly MeterEvent[], at: number): number {
  let [low, high] = [0, events.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((events[middle]?.at ?? Infinity) <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}
