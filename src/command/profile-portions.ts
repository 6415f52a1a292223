/** How a long range of a profile is cut, so that each job holds the meter's line for a bounded time. Pure. */
import type { ProfileSelection } from '../meter/profile-access.ts';

export type ProfileRange = Extract<ProfileSelection, { readonly kind: 'range' }>;

/** Two days of quarter hours: some seconds at 9600 baud. */
export const PORTION_ROWS = 192;

/** How many portions a range of rows captured every `periodSeconds` makes. */
export function portionCount({ from, to }: ProfileRange, periodSeconds: number): number {
  return Math.max(1, Math.ceil((to - from) / (PORTION_ROWS * periodSeconds * 1000)));
}

/**
 * The range between the oldest and the newest row that the meter has. What is before the oldest holds nothing; after the
 * newest a row may have come meanwhile, so the last portion goes on to where the range ends.
 */
export function portionsOf(
  range: ProfileRange,
  periodSeconds: number,
  extent: { readonly oldest: number; readonly newest: number },
): readonly ProfileRange[] {
  const stepMs = PORTION_ROWS * periodSeconds * 1000;
  const last = Math.min(range.to, extent.newest);
  const portions: ProfileRange[] = [];
  let from = Math.max(range.from, extent.oldest);
  // Rows are captured on whole seconds: a bound one millisecond before the next portion leaves none out.
  for (; from + stepMs <= last; from += stepMs) portions.push({ kind: 'range', from, to: from + stepMs - 1 });
  if (from <= range.to) portions.push({ kind: 'range', from, to: range.to });
  return portions;
}
