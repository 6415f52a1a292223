/** What changes a meter: writing an attribute, calling a method. Both either succeed or throw what the meter said. */
import { BridgeError, fail } from '../core/errors.ts';
import type { Data } from '../dlms/axdr/data.ts';
import { ACTION_RESULTS, dataAccessError, dataAccessErrorCode } from '../dlms/xdlms/data-access-result.ts';
import type { AttributeReference, MethodReference } from '../dlms/xdlms/services.ts';
import type { Knowledge } from './knowledge.ts';
import { classesOf } from './points.ts';
import type { MeterSession } from './session.ts';

const SUCCESS = 0;

/** Writes one attribute. Throws DATA_ACCESS_*, SERVICE_NOT_GRANTED, INVALID_VALUE for a number beyond its type. */
export async function writeAttribute(session: MeterSession, attribute: AttributeReference, value: Data): Promise<void> {
  const [result] = await session.set([{ ...attribute, accessSelection: null, value }]);
  const { code } = result ?? fail('UNEXPECTED_RESPONSE', 'a SET without result');
  const { classId, instanceId, attributeId } = attribute;
  if (code !== SUCCESS) throw dataAccessError(code, `${classId}:${instanceId}:${attributeId}`);
}

/** Calls one method and resolves with what it returns, null for nothing. Throws DATA_ACCESS_*, SERVICE_NOT_GRANTED. */
export async function callMethod(
  session: MeterSession,
  method: MethodReference,
  parameters: Data | null,
): Promise<Data | null> {
  const [outcome] = await session.action([{ method, parameters }]);
  const { result, returnParameters } = outcome ?? fail('UNEXPECTED_RESPONSE', 'an ACTION without result');
  if (result.code !== SUCCESS) throw actionError(result.code, method);
  return returnParameters !== null && 'data' in returnParameters ? returnParameters.data : null;
}

/** Result codes from here on mean another thing in an ACTION than in a GET or SET, until other-reason. */
const FIRST_OF_ACTIONS = 15;

function actionError(code: number, { classId, instanceId, methodId }: MethodReference): BridgeError {
  const meaning = code < FIRST_OF_ACTIONS ? dataAccessErrorCode(code) : 'DATA_ACCESS_OTHER_REASON';
  const what = `method ${methodId} of ${classId}:${instanceId}`;
  return new BridgeError(meaning, `${what}: ${ACTION_RESULTS.nameOf(code)} (${code})`, {
    facts: { actionResult: code },
  });
}

/** The class of an object, looked up in the meter's object list where it is not given. Throws DATA_ACCESS_OBJECT_UNDEFINED. */
export async function classOf(
  session: MeterSession,
  { classId, obis }: { readonly classId: number | null; readonly obis: string },
  knowledge: Knowledge,
): Promise<number> {
  const [found] = await classesOf(session, [{ classId, obis, attribute: 1 }], knowledge, []);
  if (found === undefined) return fail('INTERNAL', 'one point, no class', { layer: 'meter' });
  if (found instanceof BridgeError) throw found;
  return found;
}
