/** `read`: points of a meter, once. */
import { asBridgeError } from '../core/errors.ts';
import type { JsonValue } from '../core/json.ts';
import { attributeText } from '../dlms/cosem/attribute-text.ts';
import { COMPACT_DATA, COMPACT_DATA_ATTRIBUTE } from '../dlms/cosem/compact-data.ts';
import { cosemValue } from '../dlms/cosem/data-value.ts';
import { isDateTimeAttribute } from '../dlms/cosem/date-time-attributes.ts';
import { unitSymbol } from '../dlms/cosem/units.ts';
import { present } from '../dlms/decode/present.ts';
import { expandBuffer, type ScaledElement } from '../meter/compact-data.ts';
import type { Knowledge } from '../meter/knowledge.ts';
import { type PointReference, type PointResult, readPoints } from '../meter/points.ts';
import type { MeterSession } from '../meter/session.ts';
import { jsonOf } from '../reading/reading-of.ts';
import type { NamedPoint, ReadRequest } from './requests.ts';
import type { MeterWork } from './work.ts';

export interface ReadDocument {
  readonly ts: string;
  readonly results: readonly ReadResult[];
  readonly roundTrips: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

export type ReadResult = ReturnType<typeof described>;

/** Throws what ends the session; a point that fails has its error. */
export async function readOnce(
  { job, clock, knowledge, keep }: MeterWork,
  { points }: ReadRequest,
): Promise<ReadDocument> {
  const { learned, ...document } = await job(async (session) => {
    const before = { ...session.counts };
    const { results, learned } = await readPoints(session, points, knowledge);
    const expanded: Expanded[] = [];
    for (const [index, result] of results.entries()) {
      expanded.push(await expand(session, points[index]!, result, knowledge));
    }
    const { roundTrips, bytesSent, bytesReceived } = session.counts;
    const ts = new Date(clock.now()).toISOString();
    return {
      ts,
      results: expanded.map((result, index) => described(points[index]!, result, ts)),
      roundTrips: roundTrips - before.roundTrips,
      bytesSent: bytesSent - before.bytesSent,
      bytesReceived: bytesReceived - before.bytesReceived,
      learned,
    };
  });
  await keep(learned);
  return document;
}

/** A result, and of compact data what its buffer says. */
interface Expanded extends PointResult {
  readonly elements?: readonly ScaledElement[];
}

async function expand(
  session: MeterSession,
  { obis, attribute }: PointReference,
  result: PointResult,
  knowledge: Knowledge,
): Promise<Expanded> {
  if (result.classId !== COMPACT_DATA || attribute !== COMPACT_DATA_ATTRIBUTE.buffer || result.data === null) {
    return result;
  }
  try {
    return { ...result, elements: await expandBuffer(session, obis, result.data, knowledge) };
  } catch (thrown) {
    if (!session.isAssociated) throw thrown;
    return { ...result, error: asBridgeError(thrown) };
  }
}

function element({ object: { obis, classId, attribute }, data, scalerUnit, scalerError }: ScaledElement) {
  const dateTime = isDateTimeAttribute(classId, attribute);
  const value = scalerError === null ? cosemValue(data, { scaler: scalerUnit?.scaler ?? 0, dateTime }) : null;
  return {
    obis,
    classId,
    attribute,
    value: jsonOf(value),
    unit: scalerUnit === null ? null : unitSymbol(scalerUnit.unit),
    scaler: scalerUnit?.scaler ?? null,
    raw: present(data),
    error: scalerError === null ? null : { ...scalerError.report() },
  };
}

function described({ point, obis, attribute }: NamedPoint, result: Expanded, answeredAt: string) {
  const { classId, data, scalerUnit, capturedAt, invertedDeviation = false, error } = result;
  const elements = result.elements?.map(element);
  const value =
    data === null
      ? null
      : cosemValue(data, {
          scaler: scalerUnit?.scaler ?? 0,
          dateTime: isDateTimeAttribute(classId, attribute),
          invertedDeviation,
        });
  return {
    point,
    obis,
    classId,
    attribute,
    value: elements === undefined ? jsonOf(value) : elements.map((one) => one.value),
    unit: scalerUnit === null ? null : unitSymbol(scalerUnit.unit),
    scaler: scalerUnit?.scaler ?? null,
    ...(elements !== undefined && { elements }),
    ...readable(result, attribute),
    raw: (data === null ? null : present(data)) as JsonValue,
    ts: capturedAt === null ? answeredAt : new Date(capturedAt).toISOString(),
    quality: error === null ? 'good' : 'bad',
    error: error === null ? null : { ...error.report() },
  };
}

/** Structured attributes whose meaning is known, in words. */
function readable({ classId, data }: PointResult, attribute: number): { readonly text?: string } {
  const text = data === null ? null : attributeText(classId, attribute, data);
  return text === null ? {} : { text };
}
