/**
 * From the times that a meter writes to instants. A time with a deviation is one. A time without (8000) is local time, and
 * in the hour that the clock repeats in autumn there are two instants for it: the daylight saving bit tells them apart,
 * and where a meter does not keep that bit, the order of its rows.
 */
import { type CosemDateTime, utcOf } from '../axdr/date-time.ts';

/** The zone of a meter as its clock tells it: standard time, and by how much summer time is ahead of that. */
export interface MeterZone {
  /** Minutes from local time to UTC when daylight saving is not active. */
  readonly deviation: number;
  /** Minutes by which local time is ahead of that when daylight saving is active. */
  readonly daylightSaving: number;
}

/** A zone by its IANA name, `Europe/Madrid`: it also knows when summer time is, for meters whose times do not tell. */
export interface NamedZone {
  readonly timeZone: string;
}

export type Zone = MeterZone | NamedZone;

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** Milliseconds UTC of one time: by its own deviation, else by the zone; null when it names no instant. */
export function instantOf(clock: CosemDateTime, zone: Zone | null): number | null {
  if (clock.deviation !== null || zone === null) return utcOf(clock);
  if ('timeZone' in zone) return chosen(namedInstants(clock, zone), summerBit(clock));
  const ahead = summerBit(clock) === true ? zone.daylightSaving : 0;
  return utcOf(clock, { fallbackDeviation: zone.deviation - ahead });
}

/**
 * The instants of rows, each of its own in the repeated hour. `newestFirst`: the rows stand in reverse order of time.
 * A deviation that stays the same while the daylight saving bit changes tells nothing of summer time; then the bit alone
 * counts.
 */
export function instantsOf(
  clocks: readonly (CosemDateTime | null)[],
  zone: Zone | null,
  newestFirst: boolean,
): readonly (number | null)[] {
  const stuck = stuckDeviations(clocks);
  const bitIsKept = zone === null || !('timeZone' in zone) || keepsSummerBit(clocks, zone);
  const order = newestFirst ? [...clocks.keys()].reverse() : [...clocks.keys()];
  const instants: (number | null)[] = clocks.map(() => null);
  let previous = Number.NEGATIVE_INFINITY;
  for (const index of order) {
    const clock = clocks[index] ?? null;
    if (clock === null) continue;
    const isStuck = clock.deviation !== null && stuck.has(clock.deviation);
    const instant = isStuck ? unstuck(clock, zone) : inOrder(clock, zone, bitIsKept, previous);
    instants[index] = instant;
    previous = instant ?? previous;
  }
  return instants;
}

/** Without a bit that tells, a time that is there twice is the later one if the first has been. */
function inOrder(clock: CosemDateTime, zone: Zone | null, bitIsKept: boolean, previous: number): number | null {
  if (clock.deviation !== null || zone === null || !('timeZone' in zone)) return instantOf(clock, zone);
  const candidates = namedInstants(clock, zone);
  const bit = bitIsKept ? summerBit(clock) : null;
  if (bit !== null) return chosen(candidates, bit);
  return candidates.find((instant) => instant > previous) ?? candidates.at(-1) ?? null;
}

/** Standard time of a zone that is not known: the meter's deviation is taken for that of summer, as the repeated hour begins. */
const ONE_HOUR: Omit<MeterZone, 'deviation'> = { daylightSaving: 60 };

function unstuck(clock: CosemDateTime, zone: Zone | null): number | null {
  const told = clock.deviation ?? 0;
  const local = { ...clock, deviation: null };
  return instantOf(local, zone ?? { ...ONE_HOUR, deviation: told + ONE_HOUR.daylightSaving });
}

/** Deviations that stand beside a daylight saving bit that is set as well as beside one that is not. */
function stuckDeviations(clocks: readonly (CosemDateTime | null)[]): ReadonlySet<number> {
  const beside = (bit: boolean): readonly number[] =>
    clocks.flatMap((clock) => (clock !== null && summerBit(clock) === bit ? (clock.deviation ?? []) : []));
  const summer = new Set(beside(true));
  return new Set(beside(false).filter((deviation) => summer.has(deviation)));
}

/** null when the meter does not tell its clock status. */
function summerBit({ clockStatusBits }: CosemDateTime): boolean | null {
  return clockStatusBits?.daylightSavingActive ?? null;
}

/** Of two instants of one local time the first is in summer time. */
function chosen(instants: readonly number[], summer: boolean | null): number | null {
  return (summer === false ? instants.at(-1) : instants[0]) ?? null;
}

/** Whether no time that can only be in summer lacks the bit. */
function keepsSummerBit(clocks: readonly (CosemDateTime | null)[], zone: NamedZone): boolean {
  return clocks.every((clock) => {
    if (clock === null || clock.deviation !== null || summerBit(clock) !== false) return true;
    const [instant, second] = namedInstants(clock, zone);
    return instant === undefined || second !== undefined || !isSummer(instant, zone);
  });
}

/** Local time in a named zone is one instant; two in the repeated hour; in the hour left out in spring as if the clock had gone on. */
function namedInstants(clock: CosemDateTime, zone: NamedZone): readonly number[] {
  const local = utcOf({ ...clock, deviation: 0 });
  if (local === null) return [];
  const [before, after] = [minutesAhead(local - DAY_MS, zone), minutesAhead(local + DAY_MS, zone)];
  const instants = [...new Set([before, after])].map((ahead) => local - ahead * MINUTE_MS);
  const real = instants.filter((instant) => instant + minutesAhead(instant, zone) * MINUTE_MS === local);
  return real.length > 0 ? real.sort((a, b) => a - b) : [local - before * MINUTE_MS];
}

function isSummer(instant: number, zone: NamedZone): boolean {
  const { deviation, now } = zoneAround(instant, zone);
  return now < deviation;
}

/** Minutes by which local time is ahead of UTC. */
function minutesAhead(instant: number, { timeZone }: NamedZone): number {
  const parts = Object.fromEntries(
    formatOf(timeZone)
      .formatToParts(instant)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  const local = Date.UTC(year, month - 1, day, hour, minute, second);
  return Math.round((local - Math.floor(instant / 1000) * 1000) / MINUTE_MS);
}

/** The zone of a name as a clock would tell it at an instant; `now` is its deviation then. */
export function zoneAround(instant: number, zone: Zone): MeterZone & { readonly now: number } {
  if (!('timeZone' in zone)) return { ...zone, now: zone.deviation };
  const year = new Date(instant).getUTCFullYear();
  const ahead = [0, 6].map((month) => minutesAhead(Date.UTC(year, month, 1), zone));
  const [standard, summer] = [Math.min(...ahead), Math.max(...ahead)];
  return { deviation: -standard, daylightSaving: summer - standard, now: -minutesAhead(instant, zone) };
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** Costly to make. Throws RangeError for a zone that does not exist. */
function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const numeric = 'numeric';
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: numeric,
    month: numeric,
    day: numeric,
    hour: numeric,
    minute: numeric,
    second: numeric,
  });
  formats.set(timeZone, format);
  return format;
}
