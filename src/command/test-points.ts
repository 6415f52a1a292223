/** `meter test`: reads once what the daemon would read, with the values as they would be published. */
import { asBridgeError } from '../core/errors.ts';
import type { JsonValue } from '../core/json.ts';
import { isDateTimeAttribute } from '../dlms/cosem/date-time-attributes.ts';
import { type PointResult, readPoints } from '../meter/points.ts';
import { type KeyedPoint, pointText } from '../reading/point-text.ts';
import type { Reading } from '../reading/reading.ts';
import { decimalJson, readingOf } from '../reading/reading-of.ts';
import type { TestRequest } from './requests.ts';
import type { MeterWork } from './work.ts';

export interface TestDocument {
  readonly ts: string;
  readonly results: readonly TestedPoint[];
  readonly roundTrips: number;
}

export type TestedPoint = ReturnType<typeof described>;

/** Throws what ends the session; a point that fails has its error. */
export async function testPoints(
  { job, clock, knowledge, keep }: MeterWork,
  { points: rows }: TestRequest,
): Promise<TestDocument> {
  const { results, learned, roundTrips, at } = await job(async (session) => {
    const before = session.counts.roundTrips;
    const points = rows.map(({ point }) => ({ ...point, ownScaler: point.options.scaler !== null }));
    const { results, learned } = await readPoints(session, points, knowledge);
    return { results, learned, roundTrips: session.counts.roundTrips - before, at: clock.now() };
  });
  await keep(learned);
  const outcomes = rows.map(({ group, point }, index) => described(group, point, results[index]!, at));
  return { ts: new Date(at).toISOString(), results: outcomes, roundTrips };
}

function described(group: string, point: KeyedPoint, result: PointResult, answeredAt: number) {
  const { reading, error } = outcomeOf(point, result, answeredAt);
  return {
    group,
    key: point.key,
    point: pointText({ ...point, classId: point.classId ?? result.classId }),
    kind: point.options.kind,
    value: reading === null ? null : valueJson(reading.value),
    unit: reading?.unit ?? null,
    ts: new Date(reading?.ts ?? answeredAt).toISOString(),
    error: error === null ? null : { ...error.report() },
  };
}

function outcomeOf({ key, obis, attribute, options }: KeyedPoint, result: PointResult, answeredAt: number) {
  const { classId, data, scalerUnit, capturedAt, error } = result;
  if (error !== null || data === null) return { reading: null, error };
  const dateTime = isDateTimeAttribute(classId, attribute);
  try {
    const measured = { key, obis, data, scalerUnit, ts: capturedAt ?? answeredAt, dateTime, options };
    return { reading: readingOf(measured), error: null };
  } catch (thrown) {
    return { reading: null, error: asBridgeError(thrown) };
  }
}

function valueJson(value: Reading['value']): JsonValue {
  return typeof value === 'object' ? decimalJson(value) : value;
}
