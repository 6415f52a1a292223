/**
 * Truth: what a virtual meter knows it said, and how what others received compares with it.
 *
 * A reading counts as said at the moment when its answer left the meter whole. An answer that a fault damaged on its
 * way may have been understood or not (HDLC repeats frames): it is kept, but nobody is blamed for not having it.
 */
import { decimalText, parseDecimal } from '../../core/decimal.ts';

/** One value of attribute 2 of a register as a meter said it. */
export interface Said {
  readonly obis: string;
  readonly classId: number;
  readonly attribute: number;
  /** Wall clock when the answer left, milliseconds UTC. */
  readonly at: number;
  /** Exact decimal text with the scaler applied, or text. */
  readonly value: string;
  /** False when a fault damaged the answer, or the connection was gone. */
  readonly intact: boolean;
}

/** Kept per meter; older sayings are forgotten and counted, so that a simulator may run for weeks. */
const DEFAULT_LIMIT = 200_000;

/** What one meter said, oldest first. */
export class MeterTruth {
  private readonly limit: number;
  private entries: Said[] = [];
  private dropped = 0;

  constructor(limit = DEFAULT_LIMIT) {
    this.limit = limit;
  }

  add(said: readonly Said[]): void {
    this.entries.push(...said);
    if (this.entries.length <= this.limit * 1.1) return;
    const excess = this.entries.length - this.limit;
    this.entries = this.entries.slice(excess);
    this.dropped += excess;
  }

  /** Copies, so that a comparison is not disturbed by what is said meanwhile. */
  list(): readonly Said[] {
    return [...this.entries];
  }

  get forgotten(): number {
    return this.dropped;
  }

  clear(): void {
    this.entries = [];
    this.dropped = 0;
  }
}

/** What one meter of a fleet said, as plain data that another process can be given. */
export interface MeterReport {
  readonly serialNumber: string;
  readonly said: readonly Said[];
  /** Sayings that are no longer kept. */
  readonly forgotten: number;
}

/** One telemetry value of one meter as it arrived at the other end. Numbers beyond 15 digits must come as text. */
export interface ReceivedValue {
  readonly key: string;
  /** Milliseconds UTC. */
  readonly ts: number;
  readonly value: string | number | bigint | boolean;
}

export interface CompareOptions {
  /** Sayings before this moment are not expected to have been received; milliseconds UTC. */
  readonly from?: number;
  /** Nor sayings after this one. */
  readonly to?: number;
  /** How much later than the saying a reading may be stamped. Default 10 s. */
  readonly lateMs?: number;
  /** How much earlier, for clocks that are not the same. Default 1 s. */
  readonly earlyMs?: number;
}

export interface LostReading extends Said {
  readonly key: string;
}

export interface Comparison {
  /** Sayings that should have been received, counted once per key that maps to their object. */
  readonly expected: number;
  /** Said whole, but not received. */
  readonly lost: readonly LostReading[];
  /** Received, but never said. */
  readonly wrong: readonly ReceivedValue[];
  /** Received more than once with the same key, time and value. */
  readonly duplicates: number;
}

/** Interface classes whose readings may be stamped with the meter's capture time: extended and demand register. */
const CAPTURED_CLASSES: readonly number[] = [4, 5];

/**
 * Compares what one meter said with what was received of it. `keys` maps telemetry key to OBIS code (dotted); received
 * values under other keys are not judged. Equal values are told apart by time; values that carry the meter's capture
 * time only have to be there once each.
 */
export function compareWithTruth(
  said: readonly Said[],
  received: readonly ReceivedValue[],
  keys: Readonly<Record<string, string>>,
  options: CompareOptions = {},
): Comparison {
  const { from = -Infinity, to = Infinity, lateMs = 10_000, earlyMs = 1000 } = options;
  const { unique, duplicates } = withoutDuplicates(received.filter(({ key }) => key in keys));
  const lost: LostReading[] = [];
  const wrong: ReceivedValue[] = [];
  let expected = 0;
  for (const [key, obis] of Object.entries(keys)) {
    const ours = said.filter((entry) => entry.obis === obis);
    const mine = unique.filter((value) => value.key === key);
    const mustArrive = (entry: Said): boolean => entry.intact && entry.at >= from && entry.at <= to;
    const captured = ours.some(({ classId }) => CAPTURED_CLASSES.includes(classId));
    expected += ours.filter(mustArrive).length;
    const { missing, surplus } = captured
      ? matchBySet(ours, mine, mustArrive)
      : matchByTime(ours, mine, mustArrive, { lateMs, earlyMs });
    lost.push(...missing.map((entry) => ({ ...entry, key })));
    wrong.push(...surplus);
  }
  return { expected, lost, wrong, duplicates };
}

interface Match {
  readonly missing: readonly Said[];
  readonly surplus: readonly ReceivedValue[];
}

function matchBySet(
  said: readonly Said[],
  received: readonly ReceivedValue[],
  mustArrive: (entry: Said) => boolean,
): Match {
  const heard = new Set(received.map(({ value }) => canonical(value)));
  const spoken = new Set(said.map(({ value }) => canonical(value)));
  return {
    missing: said.filter((entry) => mustArrive(entry) && !heard.has(canonical(entry.value))),
    surplus: received.filter(({ value }) => !spoken.has(canonical(value))),
  };
}

function matchByTime(
  said: readonly Said[],
  received: readonly ReceivedValue[],
  mustArrive: (entry: Said) => boolean,
  window: { readonly lateMs: number; readonly earlyMs: number },
): Match {
  const spoken = groupBy(said, ({ value }) => canonical(value));
  const heard = groupBy(received, ({ value }) => canonical(value));
  const missing: Said[] = [];
  const surplus: ReceivedValue[] = [];
  for (const value of new Set([...spoken.keys(), ...heard.keys()])) {
    const sayings = spoken.get(value) ?? [];
    const hearings = [...(heard.get(value) ?? [])].sort((a, b) => a.ts - b.ts);
    const first = pair(sayings.filter(mustArrive), hearings, window);
    // What need not arrive explains only what is left over, or it would take the place of what must.
    const rest = pair(
      sayings.filter((entry) => !mustArrive(entry)),
      first.surplus,
      window,
    );
    missing.push(...first.missing);
    surplus.push(...rest.surplus);
  }
  return { missing, surplus };
}

/** Pairs sayings and hearings of one value, both in order of time: the earliest that fits is the right one. */
function pair(
  sayings: readonly Said[],
  hearings: readonly ReceivedValue[],
  { lateMs, earlyMs }: { readonly lateMs: number; readonly earlyMs: number },
): Match {
  const missing: Said[] = [];
  const surplus: ReceivedValue[] = [];
  let next = 0;
  for (const entry of [...sayings].sort((a, b) => a.at - b.at)) {
    let candidate = hearings[next];
    while (candidate !== undefined && candidate.ts < entry.at - earlyMs) {
      surplus.push(candidate);
      next += 1;
      candidate = hearings[next];
    }
    if (candidate !== undefined && candidate.ts <= entry.at + lateMs) next += 1;
    else missing.push(entry);
  }
  surplus.push(...hearings.slice(next));
  return { missing, surplus };
}

function withoutDuplicates(received: readonly ReceivedValue[]): {
  readonly unique: readonly ReceivedValue[];
  readonly duplicates: number;
} {
  const unique = new Map<string, ReceivedValue>();
  for (const value of received) unique.set(`${value.ts}|${canonical(value.value)}|${value.key}`, value);
  return { unique: [...unique.values()], duplicates: received.length - unique.size };
}

/** One text for one value: `230.50` and 230.5 are the same reading. */
function canonical(value: ReceivedValue['value']): string {
  const text = String(value);
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,2})?$/i.test(text) ? decimalText(parseDecimal(text)) : text;
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
