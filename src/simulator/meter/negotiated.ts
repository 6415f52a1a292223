/** Which conformance bits each form of a request needs (Green Book 9.4.6.1). */
import type { Apdu } from '../../dlms/xdlms/apdu.ts';
import { type Conformance, type ConformanceBit, hasConformance } from '../../dlms/xdlms/conformance.ts';
import type { AccessRequest, ActionRequest, GetRequest, SetRequest } from '../../dlms/xdlms/services.ts';
import type { VariableAccess } from '../../dlms/xdlms/short-name.ts';

type Forms<A extends { readonly type: string }> = Readonly<Record<A['type'], readonly ConformanceBit[]>>;

const GET: Forms<GetRequest> = {
  normal: ['get'],
  next: ['get', 'block-transfer-with-get-or-read'],
  'with-list': ['get', 'multiple-references'],
};
const SET: Forms<SetRequest> = {
  normal: ['set'],
  'with-list': ['set', 'multiple-references'],
  'with-first-datablock': ['set', 'block-transfer-with-set-or-write'],
  'with-datablock': ['set', 'block-transfer-with-set-or-write'],
  'with-list-and-first-datablock': ['set', 'multiple-references', 'block-transfer-with-set-or-write'],
};
const ACTION: Forms<ActionRequest> = {
  normal: ['action'],
  'with-list': ['action', 'multiple-references'],
  'next-pblock': ['action', 'block-transfer-with-action'],
  'with-first-pblock': ['action', 'block-transfer-with-action'],
  'with-pblock': ['action', 'block-transfer-with-action'],
  'with-list-and-first-pblock': ['action', 'multiple-references', 'block-transfer-with-action'],
};

/** Whether a request may come in an association with this conformance; false for services that the meter has not. */
export function isNegotiated(request: Apdu, conformance: Conformance): boolean {
  const needed = neededBy(request);
  return needed?.every((bit) => hasConformance(conformance, bit)) ?? false;
}

/** Short names, by the form of a variable. */
const VARIABLE: Readonly<Record<string, readonly ConformanceBit[]>> = {
  'parameterized-access': ['parameterized-access'],
  'block-number-access': ['block-transfer-with-get-or-read'],
  'read-data-block-access': ['block-transfer-with-get-or-read'],
  'write-data-block-access': ['block-transfer-with-set-or-write'],
};

function variablesNeed(service: ConformanceBit, variables: readonly VariableAccess[]): readonly ConformanceBit[] {
  const forms = variables.flatMap((variable) => Object.keys(variable).flatMap((form) => VARIABLE[form] ?? []));
  return [service, ...(variables.length > 1 ? (['multiple-references'] as const) : []), ...forms];
}

function neededBy(request: Apdu): readonly ConformanceBit[] | null {
  switch (request.apdu) {
    case 'get-request':
      return usesSelection(request) ? [...GET[request.type], 'selective-access'] : GET[request.type];
    case 'set-request':
      return SET[request.type];
    case 'action-request':
      return ACTION[request.type];
    case 'readRequest':
      return variablesNeed('read', request.variables);
    case 'writeRequest':
      return variablesNeed('write', request.variables);
    case 'unconfirmedWriteRequest':
      return variablesNeed('unconfirmed-write', request.variables);
    case 'access-request':
      return selects(request) ? ['access', 'selective-access'] : ['access'];
    case 'data-notification-confirm':
      return [];
    default:
      return null;
  }
}

function selects({ specifications }: AccessRequest): boolean {
  return specifications.some((specification) => 'accessSelection' in specification);
}

function usesSelection(request: GetRequest): boolean {
  if (request.type === 'normal') return request.accessSelection !== null;
  return request.type === 'with-list' && request.attributes.some(({ accessSelection }) => accessSelection !== null);
}
