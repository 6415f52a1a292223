/** The ACCESS service of a virtual meter (Green Book 9.3.14): each item by itself, in order. */
import type { Data } from '../../dlms/axdr/data.ts';
import { NULL_DATA } from '../../dlms/axdr/scalar.ts';
import { dataAccessResult } from '../../dlms/xdlms/data-access-result.ts';
import type { AccessOutcome, AccessRequest, AccessResponse, AccessSpecification } from '../../dlms/xdlms/services.ts';
import { callMethod, readAttribute, writeAttribute } from './access.ts';
import type { SaidValue } from './get-service.ts';
import { type MeterContext, type ObjectDefinition, RESULT, type ResultCode } from './object-model.ts';

interface Done {
  readonly code: ResultCode;
  readonly data: Data;
  readonly said?: SaidValue;
}

export interface AccessAnswer {
  readonly response: AccessResponse;
  readonly said: readonly SaidValue[];
}

/** After the first failure nothing more is done where the client wants that; what was not done is refused. */
export function answerAccess(
  objects: readonly ObjectDefinition[],
  request: AccessRequest,
  context: MeterContext,
): AccessAnswer {
  const { longInvokeIdAndPriority, specifications, data } = request;
  let failed = false;
  const done = specifications.map((specification, index): Done => {
    const stops = failed && longInvokeIdAndPriority.breakOnError;
    const one = stops
      ? { code: RESULT.otherReason, data: NULL_DATA }
      : carriedOut(objects, specification, data[index] ?? null, context);
    failed ||= one.code !== RESULT.success;
    return one;
  });
  const results = done.map(
    ({ code }, index): AccessOutcome => ({
      access: kindOf(specifications[index] as AccessSpecification),
      result: dataAccessResult(code),
    }),
  );
  return {
    response: {
      apdu: 'access-response',
      longInvokeIdAndPriority,
      dateTime: null,
      specifications: longInvokeIdAndPriority.selfDescriptive ? specifications : null,
      data: done.map((one) => one.data),
      results,
    },
    said: done.flatMap(({ said }) => (said === undefined ? [] : [said])),
  };
}

function kindOf({ access }: AccessSpecification): AccessOutcome['access'] {
  return access === 'action' ? 'action' : access.startsWith('get') ? 'get' : 'set';
}

function carriedOut(
  objects: readonly ObjectDefinition[],
  specification: AccessSpecification,
  data: Data | null,
  context: MeterContext,
): Done {
  if (specification.access === 'action') {
    const { result, returned } = callMethod(objects, specification, data, context);
    return { code: result, data: returned ?? NULL_DATA };
  }
  const accessSelection = 'accessSelection' in specification ? specification.accessSelection : null;
  const { classId, instanceId, attributeId } = specification;
  const reference = { classId, instanceId, attributeId, accessSelection };
  if (kindOf(specification) === 'set') {
    const code =
      accessSelection === null && data !== null
        ? writeAttribute(objects, reference, data, context)
        : RESULT.scopeOfAccessViolated;
    return { code, data: NULL_DATA };
  }
  const read = readAttribute(objects, reference, context);
  if ('refused' in read) return { code: read.refused, data: NULL_DATA };
  const said =
    read.said === null ? {} : { said: { obis: instanceId, classId, attribute: attributeId, value: read.said } };
  return { code: RESULT.success, data: read.data, ...said };
}
