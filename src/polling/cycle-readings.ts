/** What a cycle read, as readings and failures. */
import { asBridgeError } from '../core/errors.ts';
import { isDateTimeAttribute } from '../dlms/cosem/date-time-attributes.ts';
import type { Knowledge } from '../meter/knowledge.ts';
import type { PointReference } from '../meter/points.ts';
import type { MeterSession } from '../meter/session.ts';
import type { PointOptions } from '../reading/point-options.ts';
import type { Reading } from '../reading/reading.ts';
import { readingOf } from '../reading/reading-of.ts';
import type { Clock } from '../runtime/clock.ts';
import type { HostTime } from '../runtime/host-time.ts';
import type { Identification, Identified } from './identification.ts';
import type { PointFailure, PointLedger } from './point-ledger.ts';
import type { ValueWatch, WatchedRead } from './watched-read.ts';

export interface PolledPoint extends PointReference {
  readonly key: string;
  /** The defaults when absent. */
  readonly options?: PointOptions;
}

export interface PolledCycle extends WatchedRead {
  readonly answeredAt: number;
  readonly answeredAtMonotonic: number;
  readonly pollMs: number;
  readonly roundTrips: number;
  /** Who answered, where it was asked. */
  readonly identified: Identified | null;
}

export interface CycleReading {
  /** What was seen of the meter's values before. */
  readonly watch: ValueWatch;
  readonly knowledge: Knowledge;
  readonly clock: Clock;
  readonly identification: Identification | undefined;
  /** Without it the host's clock is believed. */
  readonly hostTime: HostTime | undefined;
}

/** Reads the points, and over a new association who the meter is with them. Throws what ends the session. */
export async function readCycle(
  session: MeterSession,
  points: readonly PolledPoint[],
  { watch, knowledge, clock, identification, hostTime }: CycleReading,
): Promise<PolledCycle> {
  const wanted = identification?.wanted(session) ?? [];
  const began = clock.monotonic();
  const before = session.counts.roundTrips;
  const hidden = wanted.map((reference) => ({ ...reference, key: `hidden ${reference.obis}` }));
  const read = await watch.read(session, [...points, ...hidden], knowledge, began);
  const roundTrips = session.counts.roundTrips - before;
  const answeredAtMonotonic = clock.monotonic();
  const answeredAt = (hostTime ?? clock).now();
  const isBelieved = (hostTime?.doubt() ?? null) === null;
  const pollMs = answeredAtMonotonic - began;
  const times = { answeredAt, roundTripMs: pollMs / Math.max(1, roundTrips), isBelieved };
  const identified =
    wanted.length === 0 ? null : (identification?.answered(session, read.results.slice(points.length), times) ?? null);
  return { ...read, answeredAt, answeredAtMonotonic, pollMs, roundTrips, identified };
}

/** What a cycle read, or why it did not. */
export function readingsOf(
  points: readonly PolledPoint[],
  { results, answeredAt }: PolledCycle,
  ledger: PointLedger,
): { readings: Reading[]; failures: PointFailure[] } {
  const readings: Reading[] = [];
  const failures: PointFailure[] = [];
  for (const [index, { key, obis, attribute, options }] of points.entries()) {
    const { classId, data, scalerUnit, capturedAt, invertedDeviation = false, error } = results[index]!;
    const failure = ledger.note(key, error);
    if (failure !== null) failures.push(failure);
    else if (data !== null) {
      const dateTime = isDateTimeAttribute(classId, attribute);
      const measured = { key, obis, data, scalerUnit, ts: capturedAt ?? answeredAt, dateTime, invertedDeviation };
      try {
        const reading = readingOf(options === undefined ? measured : { ...measured, options });
        if (reading !== null) readings.push(reading);
      } catch (thrown) {
        failures.push({ key, error: asBridgeError(thrown), skippedUntil: null });
      }
    }
  }
  return { readings, failures };
}

/** A point with a scaler of its own needs none of the meter's. */
export function asked(point: PolledPoint): PolledPoint {
  const scaler = point.options?.scaler ?? null;
  return scaler === null ? point : { ...point, ownScaler: true };
}
