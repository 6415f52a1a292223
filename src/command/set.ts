/** `set`: writes one attribute. */
import { fail } from '../core/errors.ts';
import type { JsonValue } from '../core/json.ts';
import type { Data } from '../dlms/axdr/data.ts';
import { isDateTimeAttribute } from '../dlms/cosem/date-time-attributes.ts';
import { present } from '../dlms/decode/present.ts';
import { classOf, writeAttribute } from '../meter/changes.ts';
import type { Knowledge } from '../meter/knowledge.ts';
import { type PointReference, type PointResult, readPoints } from '../meter/points.ts';
import type { MeterSession } from '../meter/session.ts';
import { dataLike } from './data-text.ts';
import type { SetRequest } from './requests.ts';
import type { MeterWork } from './work.ts';

export interface SetDocument {
  readonly point: string;
  readonly obis: string;
  readonly classId: number;
  readonly attribute: number;
  readonly value: JsonValue;
  readonly result: 'success';
  readonly readBack?: JsonValue;
}

/** Throws DATA_ACCESS_*, INVALID_VALUE for a text that the attribute's type does not take. */
export async function set({ job, beginActing, knowledge }: MeterWork, request: SetRequest): Promise<SetDocument> {
  const { point, value: given, readBack } = request;
  const { obis, attribute } = point;
  return job(async (session) => {
    const { classId, value } =
      'data' in given
        ? { classId: await classOf(session, point, knowledge), value: given.data }
        : await learnType(session, point, given.text, knowledge);
    await beginActing(session);
    await writeAttribute(session, { classId, instanceId: obis, attributeId: attribute }, value);
    const after = readBack ? valueIn(await readOne(session, { ...point, classId }, knowledge)) : null;
    return {
      point: point.point,
      obis,
      classId,
      attribute,
      value: present(value),
      result: 'success',
      ...(after === null ? {} : { readBack: present(after) }),
    };
  });
}

/** A value without type takes the one of the value that stands there now. */
async function learnType(
  session: MeterSession,
  point: PointReference,
  text: string,
  knowledge: Knowledge,
): Promise<{ readonly classId: number; readonly value: Data }> {
  const now = await readOne(session, point, knowledge);
  const { classId } = now;
  if (classId === null) {
    if (now.error !== null) throw now.error;
    return fail('INTERNAL', 'a point was read and has no class', { layer: 'command' });
  }
  return { classId, value: dataLike(valueIn(now), text, isDateTimeAttribute(classId, point.attribute)) };
}

async function readOne(session: MeterSession, point: PointReference, knowledge: Knowledge): Promise<PointResult> {
  const { results } = await readPoints(session, [point], knowledge);
  return results[0] ?? fail('INTERNAL', 'one point, no result', { layer: 'command' });
}

function valueIn({ data, error }: PointResult): Data {
  if (error !== null) throw error;
  return data ?? fail('INTERNAL', 'a point with neither value nor error', { layer: 'command' });
}
