/** `call`: calls a method. */
import type { JsonValue } from '../core/json.ts';
import { methodName } from '../dlms/cosem/classes.ts';
import { cosemValue } from '../dlms/cosem/data-value.ts';
import { present } from '../dlms/decode/present.ts';
import { callMethod, classOf } from '../meter/changes.ts';
import { jsonOf } from '../reading/reading-of.ts';
import type { CallRequest } from './requests.ts';
import type { MeterWork } from './work.ts';

export interface CallDocument {
  readonly point: string;
  readonly obis: string;
  readonly classId: number;
  readonly method: number;
  readonly name: string | null;
  readonly result: 'success';
  readonly value: JsonValue;
  readonly raw: JsonValue;
}

/** Throws DATA_ACCESS_*, SERVICE_NOT_GRANTED. */
export async function call({ job, beginActing, knowledge }: MeterWork, request: CallRequest): Promise<CallDocument> {
  const { point, obis, method, parameters } = request;
  return job(async (session) => {
    const classId = await classOf(session, request, knowledge);
    await beginActing(session);
    const returned = await callMethod(session, { classId, instanceId: obis, methodId: method }, parameters);
    return {
      point,
      obis,
      classId,
      method,
      name: methodName(classId, method),
      result: 'success',
      value: returned === null ? null : jsonOf(cosemValue(returned)),
      raw: returned === null ? null : present(returned),
    };
  });
}
