/** One attribute or method of a virtual meter in a context: read, written, called, as far as this client may. */
import type { Data } from '../../dlms/axdr/data.ts';
import type {
  AccessSelection,
  AttributeReference,
  AttributeSelection,
  MethodReference,
} from '../../dlms/xdlms/services.ts';
import {
  type MeterContext,
  type MethodOutcome,
  type ObjectDefinition,
  RESULT,
  type ResultCode,
  refused,
  scaledText,
} from './object-model.ts';

export type ReadResult =
  /** `said` is the exact scaled text when this was a register's value. */
  { readonly data: Data; readonly said: string | null } | { readonly refused: ResultCode };

/**
 * Refused with a data-access-result: 4 for an unknown object or attribute, 9 for an object of another class, 3 for what
 * this client may not read, 13 for selective access where there is none.
 */
export function readAttribute(
  objects: readonly ObjectDefinition[],
  reference: AttributeSelection,
  context: MeterContext,
): ReadResult {
  const object = found(objects, reference.instanceId, reference.classId);
  if (typeof object === 'number') return { refused: object };
  const { attributeId, accessSelection } = reference;
  const attribute = object.attributes[attributeId - 1];
  if (attribute === undefined) return { refused: RESULT.objectUndefined };
  if (attribute === null || !context.association.objects.includes(object)) return { refused: RESULT.readWriteDenied };
  if (accessSelection !== null) return selected(object, attributeId, accessSelection, context);
  const data = attribute(context);
  const isValue = object.scaler !== null && attributeId === 2;
  return { data, said: isValue ? scaledText(data, object.scaler ?? 0) : null };
}

function selected(
  { selections = {} }: ObjectDefinition,
  attributeId: number,
  selection: AccessSelection,
  context: MeterContext,
): ReadResult {
  const known = selections[attributeId];
  if (known === undefined || !known.selectors.includes(selection.selector)) {
    return { refused: RESULT.scopeOfAccessViolated };
  }
  const data = known.select(context, selection);
  return 'refused' in data ? data : { data, said: null };
}

/** The data-access-result of writing: 0, the codes of reading, 3 for what cannot be written, 12 for a value of another type. */
export function writeAttribute(
  objects: readonly ObjectDefinition[],
  { classId, instanceId, attributeId }: AttributeReference,
  value: Data,
  context: MeterContext,
): ResultCode {
  const object = found(objects, instanceId, classId);
  if (typeof object === 'number') return object;
  if (object.attributes[attributeId - 1] === undefined) return RESULT.objectUndefined;
  const { mayChange, objects: seen } = context.association;
  const write = object.writes?.[attributeId];
  if (write === undefined || !mayChange || !seen.includes(object)) return RESULT.readWriteDenied;
  return write(context, value);
}

/** Calls a method; the same codes as an action-result. */
export function callMethod(
  objects: readonly ObjectDefinition[],
  { classId, instanceId, methodId }: MethodReference,
  parameters: Data | null,
  context: MeterContext,
): MethodOutcome {
  const object = found(objects, instanceId, classId);
  if (typeof object === 'number') return refused(object);
  if (methodId < 1 || methodId > object.methods) return refused(RESULT.objectUndefined);
  const { mayChange, objects: seen } = context.association;
  const call = object.calls?.[methodId];
  if (call === undefined || !mayChange || !seen.includes(object)) return refused(RESULT.readWriteDenied);
  return call(context, parameters);
}

function found(objects: readonly ObjectDefinition[], obis: string, classId: number): ObjectDefinition | ResultCode {
  const object = objects.find((one) => one.obis === obis);
  if (object === undefined) return RESULT.objectUndefined;
  return object.classId === classId ? object : RESULT.objectClassInconsistent;
}
