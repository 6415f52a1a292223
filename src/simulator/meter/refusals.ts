/** Exception responses (Green Book 9.5): how a virtual meter refuses a whole APDU. */
import { encodeApdu } from '../../dlms/xdlms/apdu.ts';

interface Refusal {
  readonly stateError: 'service-not-allowed' | 'service-unknown';
  readonly serviceError: 'operation-not-possible' | 'service-not-supported' | 'other-reason' | 'pdu-too-long';
}

export const REFUSALS = {
  /** Outside of an association. */
  notAllowed: { stateError: 'service-not-allowed', serviceError: 'operation-not-possible' },
  /** Known, but neither offered nor negotiated. */
  notSupported: { stateError: 'service-unknown', serviceError: 'service-not-supported' },
  /** No APDU at all. */
  unreadable: { stateError: 'service-unknown', serviceError: 'other-reason' },
  /** The request is longer than the meter can receive, or its answer than the client can. */
  tooLong: { stateError: 'service-not-allowed', serviceError: 'pdu-too-long' },
} as const satisfies Record<string, Refusal>;

export function refusal({ stateError, serviceError }: Refusal): Uint8Array {
  return encodeApdu({ apdu: 'exception-response', stateError, serviceError, invocationCounter: null });
}
