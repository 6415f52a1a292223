/**
 * Reads points: resolves their class, asks for what is not known yet of their scalers along with the values, and
 * gives value, scaler and unit of each. With everything known, ten registers are one GET-with-list: one round trip.
 */
import { asBridgeError, BridgeError } from '../core/errors.ts';
import type { Data } from '../dlms/axdr/data.ts';
import { dateTimeOf } from '../dlms/axdr/date-time.ts';
import { instantOf } from '../dlms/cosem/meter-time.ts';
import { parseScalerUnit, type ScalerUnit } from '../dlms/cosem/scaler-unit.ts';
import { dataAccessError } from '../dlms/xdlms/data-access-result.ts';
import type { AttributeReference, GetResult } from '../dlms/xdlms/services.ts';
import { readAttributes, readObjectList } from './client.ts';
import {
  classesFact,
  type Knowledge,
  type LearnedFact,
  learnedListLimit,
  learnedShortNames,
  objectKey,
  recallListLimit,
  recallShortNames,
  scalerUnitFact,
} from './knowledge.ts';
import type { MeterSession } from './session.ts';

export interface PointReference {
  /** null: to be looked up in the object list. */
  readonly classId: number | null;
  readonly obis: string;
  readonly attribute: number;
  /** The scaler is known from elsewhere: it is not asked, and the result has none. */
  readonly ownScaler?: boolean;
}

export interface PointResult {
  readonly classId: number | null;
  readonly data: Data | null;
  readonly scalerUnit: ScalerUnit | null;
  /** Milliseconds UTC at which the meter captured the value, where the class says so. */
  readonly capturedAt: number | null;
  /** Date-times in the data have the opposite sign of deviation; see `dateTimeOf`. */
  readonly invertedDeviation?: boolean;
  readonly error: BridgeError | null;
}

export interface PointsRead {
  /** One for each point, in order. */
  readonly results: readonly PointResult[];
  /** What was learned on the way and is worth keeping; `knowledge` has it already. */
  readonly learned: readonly LearnedFact[];
}

/** Attribute that holds scaler and unit of attribute `attribute`, by class (Blue Book 4.3.2, 4.3.3, 4.3.4). */
export const SCALER_ATTRIBUTE: Readonly<Record<number, { readonly of: readonly number[]; readonly at: number }>> = {
  3: { of: [2], at: 3 },
  4: { of: [2], at: 3 },
  5: { of: [2, 3], at: 4 },
};
/** Attribute that holds the capture time, by class. */
const CAPTURE_TIME_ATTRIBUTE: Readonly<Record<number, { readonly of: readonly number[]; readonly at: number }>> = {
  4: { of: [2], at: 5 },
  5: { of: [2, 3], at: 6 },
};

/** Reads the points once. A point that fails has its error; throws what ends the session. */
export async function readPoints(
  session: MeterSession,
  points: readonly PointReference[],
  knowledge: Knowledge,
): Promise<PointsRead> {
  const learned: LearnedFact[] = [];
  recallShortNames(session, knowledge);
  recallListLimit(session, knowledge);
  const classes = await classesOf(session, points, knowledge, learned);

  const wanted = new RequestList();
  const plans = points.map((point, index) => planOf(point, classes[index]!, knowledge, wanted));
  const answers = await readAttributes(session, wanted.attributes);
  learned.push(...learnedShortNames(session, knowledge), ...learnedListLimit(session, knowledge));

  const results = plans.map((plan): PointResult => {
    if (plan instanceof BridgeError)
      return { classId: null, data: null, scalerUnit: null, capturedAt: null, error: plan };
    const { invertedDeviation } = session.quirks;
    const unscaled = learnScaler(plan, answers, knowledge, learned);
    const answer = answers[plan.value]!;
    const scalerUnit = plan.scalerKey === null ? null : (knowledge.scalerUnits.get(plan.scalerKey) ?? null);
    const capturedAt = plan.captureTime === null ? null : instantIn(answers[plan.captureTime]!, session);
    if ('data' in answer) {
      const { data } = answer;
      // A number whose scaler is not known may be wrong by powers of ten: no value is better than that one.
      const known = unscaled === null;
      return {
        classId: plan.classId,
        data: known ? data : null,
        scalerUnit,
        capturedAt,
        invertedDeviation,
        error: unscaled,
      };
    }
    const error = dataAccessError(answer.dataAccessResult.code, `${plan.classId}:${plan.obis}:${plan.attribute}`);
    return { classId: plan.classId, data: null, scalerUnit, capturedAt: null, error };
  });
  return { results, learned };
}

interface PointPlan {
  readonly classId: number;
  readonly obis: string;
  readonly attribute: number;
  /** Indices into the attributes asked for. */
  readonly value: number;
  readonly scaler: number | null;
  readonly captureTime: number | null;
  readonly scalerKey: string | null;
}

/** Attributes to ask for, each once. */
class RequestList {
  readonly attributes: AttributeReference[] = [];
  private readonly indices = new Map<string, number>();

  add(classId: number, instanceId: string, attributeId: number): number {
    const key = `${classId}:${instanceId}:${attributeId}`;
    const known = this.indices.get(key);
    if (known !== undefined) return known;
    this.indices.set(key, this.attributes.length);
    return this.attributes.push({ classId, instanceId, attributeId }) - 1;
  }
}

function planOf(
  { obis, attribute, ownScaler = false }: PointReference,
  classId: number | BridgeError,
  knowledge: Knowledge,
  wanted: RequestList,
): PointPlan | BridgeError {
  if (classId instanceof BridgeError) return classId;
  const scalerAt = SCALER_ATTRIBUTE[classId];
  const scalerKey = scalerAt?.of.includes(attribute) && !ownScaler ? objectKey(classId, obis) : null;
  const captureAt = CAPTURE_TIME_ATTRIBUTE[classId];
  return {
    classId,
    obis,
    attribute,
    value: wanted.add(classId, obis, attribute),
    scaler:
      scalerAt && scalerKey !== null && !knowledge.scalerUnits.has(scalerKey)
        ? wanted.add(classId, obis, scalerAt.at)
        : null,
    captureTime: captureAt?.of.includes(attribute) ? wanted.add(classId, obis, captureAt.at) : null,
    scalerKey,
  };
}

/** Keeps a scaler that was just read; one that holds none (null-data) is kept as such. Gives why it was refused, or null. */
function learnScaler(
  plan: PointPlan,
  answers: readonly GetResult[],
  knowledge: Knowledge,
  learned: LearnedFact[],
): BridgeError | null {
  if (plan.scaler === null || plan.scalerKey === null || knowledge.scalerUnits.has(plan.scalerKey)) return null;
  const answer = answers[plan.scaler]!;
  if (!('data' in answer)) return dataAccessError(answer.dataAccessResult.code, `the scaler of ${plan.scalerKey}`);
  const scalerUnit = parseScalerUnit(answer.data);
  knowledge.scalerUnits.set(plan.scalerKey, scalerUnit);
  learned.push(scalerUnitFact(plan.scalerKey, scalerUnit));
  return null;
}

function instantIn(answer: GetResult, { quirks, timeZone }: Pick<MeterSession, 'quirks' | 'timeZone'>): number | null {
  if (!('data' in answer)) return null;
  const dateTime = dateTimeOf(answer.data, quirks);
  return dateTime === null ? null : instantOf(dateTime, timeZone === null ? null : { timeZone });
}

/** The class of each point; an object that is not in the list is an error of that point alone. */
export async function classesOf(
  session: MeterSession,
  points: readonly PointReference[],
  knowledge: Knowledge,
  learned: LearnedFact[],
): Promise<(number | BridgeError)[]> {
  const lacking = points.some(({ classId, obis }) => classId === null && !knowledge.classes?.has(obis));
  if (lacking && !knowledge.classesAreFresh) {
    try {
      const { objects } = await readObjectList(session);
      knowledge.classes = new Map(objects.map(({ obis, classId }) => [obis, classId]));
      knowledge.classesAreFresh = true;
      learned.push(classesFact(knowledge.classes));
    } catch (thrown) {
      const error = asBridgeError(thrown);
      if (!session.isAssociated) throw error;
      const hint = 'name the class, as in 3:1.0.1.8.0.255: the object list of this association cannot be read';
      return points.map(({ classId }) => classId ?? new BridgeError(error.code, error.message, { cause: error, hint }));
    }
  }
  return points.map(({ classId, obis }) => classId ?? knowledge.classes?.get(obis) ?? undefinedObject(obis));
}

function undefinedObject(obis: string): BridgeError {
  return new BridgeError('DATA_ACCESS_OBJECT_UNDEFINED', `${obis} is not in the meter's object list`);
}
