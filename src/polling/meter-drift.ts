/** How far a meter's clock is off, and when it may be set, as functions of what was read. */
import { type Decimal, decimal } from '../core/decimal.ts';
import type { Data } from '../dlms/axdr/data.ts';
import { dateTimeOf } from '../dlms/axdr/date-time.ts';
import { instantOf } from '../dlms/cosem/meter-time.ts';
import type { MeterSession } from '../meter/session.ts';

/** The middle of the second that a clock shows which shows no hundredths. */
const HALF_SECOND_MS = 500;
const HUNDREDTH_MS = 10;

/**
 * By how many milliseconds the meter's clock is ahead (positive) of ours. `answeredAt`: our clock at the answer; half of
 * the round trip is taken off. null when the meter tells no instant.
 */
export function driftOf(
  data: Data,
  { quirks, timeZone }: Pick<MeterSession, 'quirks' | 'timeZone'>,
  answeredAt: number,
  roundTripMs: number,
): number | null {
  const shown = dateTimeOf(data, quirks);
  const at = shown === null ? null : instantOf(shown, timeZone === null ? null : { timeZone });
  if (shown === null || at === null) return null;
  // utcOf counts the hundredths; where there are none it gives the beginning of the second.
  const meterTime = at + (shown.hundredths === null ? HALF_SECOND_MS : HUNDREDTH_MS / 2);
  return Math.round(meterTime - (answeredAt - roundTripMs / 2));
}

/** As seconds with one decimal. */
export function driftSeconds(driftMs: number): Decimal {
  return decimal(Math.round(driftMs / 100), -1);
}

export interface ClockLimits {
  /** Beyond this the clock is off, milliseconds. */
  readonly limitMs: number;
  /** Up to this it is set; 0: never. */
  readonly setWithinMs: number;
}

/** Between two corrections, milliseconds. */
export const SET_AGAIN_MS = 86_400_000;
/** Where no profile of the meter is known: the period that nearly all have. */
const USUAL_PERIOD_MS = 900_000;

/**
 * Whether the clock may be set now: it is off by more than the limit and by no more than the maximum, it was not set within
 * a day, and no capture lies between its time and ours: that would be captured twice, or never.
 */
export function mayBeSet(
  driftMs: number,
  { limitMs, setWithinMs }: ClockLimits,
  now: number,
  lastSetAt: number | null,
  capturePeriodsMs: readonly number[],
): boolean {
  const off = Math.abs(driftMs);
  if (off <= limitMs || off > setWithinMs) return false;
  // A host clock that stepped back must not keep it from being set for ever.
  if (lastSetAt !== null && Math.abs(now - lastSetAt) < SET_AGAIN_MS) return false;
  const periods = capturePeriodsMs.length === 0 ? [USUAL_PERIOD_MS] : capturePeriodsMs;
  return periods.every((period) => Math.floor(now / period) === Math.floor((now + driftMs) / period));
}
