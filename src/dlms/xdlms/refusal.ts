/** How a server refuses a whole APDU: confirmedServiceError [14] and exception-response [216] (Green Book 9.5). */
import type { Codec } from '../axdr/codec.ts';
import { listTable, type NameTable, nameTable } from '../axdr/names.ts';

export interface ConfirmedServiceError {
  readonly apdu: 'confirmedServiceError';
  readonly service: string;
  readonly errorClass: string;
  readonly error: string;
  /** The three octets behind the names; alone what is encoded. */
  readonly codes: readonly [service: number, errorClass: number, error: number];
}

export interface ExceptionResponse {
  readonly apdu: 'exception-response';
  readonly stateError: string;
  readonly serviceError: string;
  /** The counter that the server expects, with service error invocation-counter-error; null when it does not tell. */
  readonly invocationCounter: number | null;
}

export const CONFIRMED_SERVICES = nameTable({
  1: 'initiateError',
  2: 'getStatus',
  3: 'getNameList',
  4: 'getVariableAttribute',
  5: 'read',
  6: 'write',
  7: 'getDataSetAttribute',
  8: 'getTIAttribute',
  9: 'changeScope',
  10: 'start',
  11: 'stop',
  12: 'resume',
  13: 'makeUsable',
  14: 'initiateLoad',
  15: 'loadSegment',
  16: 'terminateLoad',
  17: 'initiateUpLoad',
  18: 'upLoadSegment',
  19: 'terminateUpLoad',
});

/** Names of the errors in each class of ServiceError, by class. */
const SERVICE_ERRORS: readonly (readonly [errorClass: string, errors: NameTable<string>])[] = [
  [
    'application-reference',
    listTable([
      'other',
      'time-elapsed',
      'application-unreachable',
      'application-reference-invalid',
      'application-context-unsupported',
      'provider-communication-error',
      'deciphering-error',
    ]),
  ],
  [
    'hardware-resource',
    listTable([
      'other',
      'memory-unavailable',
      'processor-resource-unavailable',
      'mass-storage-unavailable',
      'other-resource-unavailable',
    ]),
  ],
  [
    'vde-state-error',
    listTable(['other', 'no-dlms-context', 'loading-data-set', 'status-nochange', 'status-inoperable']),
  ],
  ['service', listTable(['other', 'pdu-size', 'service-unsupported'])],
  [
    'definition',
    listTable(['other', 'object-undefined', 'object-class-inconsistent', 'object-attribute-inconsistent']),
  ],
  [
    'access',
    listTable(['other', 'scope-of-access-violated', 'object-access-violated', 'hardware-fault', 'object-unavailable']),
  ],
  [
    'initiate',
    listTable([
      'other',
      'dlms-version-too-low',
      'incompatible-conformance',
      'pdu-size-too-short',
      'refused-by-the-VDE-Handler',
    ]),
  ],
  [
    'load-data-set',
    listTable([
      'other',
      'primitive-out-of-sequence',
      'not-loadable',
      'dataset-size-too-large',
      'not-awaited-segment',
      'interpretation-failure',
      'storage-failure',
      'data-set-not-ready',
    ]),
  ],
  ['change-scope', listTable(['other'])],
  ['task', listTable(['other', 'no-remote-control', 'ti-stopped', 'ti-running', 'ti-unusable'])],
  ['other', listTable(['other'])],
];

const UNKNOWN_CLASS = listTable<string>([]);

/** From its three codes; names are `unassigned-N` where the standard has none. */
export function confirmedServiceErrorOf(service: number, errorClass: number, error: number): ConfirmedServiceError {
  const [className, errors] = SERVICE_ERRORS[errorClass] ?? [UNKNOWN_CLASS.nameOf(errorClass), UNKNOWN_CLASS];
  return {
    apdu: 'confirmedServiceError',
    service: CONFIRMED_SERVICES.nameOf(service),
    errorClass: className,
    error: errors.nameOf(error),
    codes: [service, errorClass, error],
  };
}

export const confirmedServiceError: Codec<Omit<ConfirmedServiceError, 'apdu'>> = {
  decode(reader) {
    const service = reader.u8('service');
    const errorClass = reader.u8('error class');
    return confirmedServiceErrorOf(service, errorClass, reader.u8('error'));
  },
  encode(writer, { codes: [service, errorClass, error] }) {
    writer.u8(service).u8(errorClass).u8(error);
  },
};

export const STATE_ERRORS = nameTable({ 1: 'service-not-allowed', 2: 'service-unknown' });
export const SERVICE_ERROR_CODES = nameTable({
  1: 'operation-not-possible',
  2: 'service-not-supported',
  3: 'other-reason',
  4: 'pdu-too-long',
  5: 'deciphering-error',
  6: 'invocation-counter-error',
});

/** Some meters leave out the counter that belongs to an invocation-counter-error. */
export const exceptionResponse: Codec<Omit<ExceptionResponse, 'apdu'>> = {
  decode(reader) {
    const stateError = STATE_ERRORS.nameOf(reader.u8('state error'));
    const serviceError = SERVICE_ERROR_CODES.nameOf(reader.u8('service error'));
    const hasCounter = serviceError === 'invocation-counter-error' && reader.remaining > 0;
    return { stateError, serviceError, invocationCounter: hasCounter ? reader.u32('invocation counter') : null };
  },
  encode(writer, { stateError, serviceError, invocationCounter }) {
    writer.u8(STATE_ERRORS.codeOf(stateError)).u8(SERVICE_ERROR_CODES.codeOf(serviceError));
    if (invocationCounter !== null) writer.u32(invocationCounter);
  },
};
