/** Exception responses (Green Book 9.5): how a virtual meter refuses a whole APDU. They are never ciphered. */
import { encodeApdu } from '../../dlms/xdlms/apdu.ts';

interface Refusal {
  readonly stateError: 'service-not-allowed' | 'service-unknown';
  readonly serviceError:
    | 'operation-not-possible'
    | 'service-not-supported'
    | 'other-reason'
    | 'pdu-too-long'
    | 'deciphering-error';
}

export const REFUSALS = {
  /** Outside of an association, before high level security is through, or without the protection that is wanted. */
  notAllowed: { stateError: 'service-not-allowed', serviceError: 'operation-not-possible' },
  /** Known, but neither offered nor negotiated. */
  notSupported: { stateError: 'service-unknown', serviceError: 'service-not-supported' },
  /** No APDU at all. */
  unreadable: { stateError: 'service-unknown', serviceError: 'other-reason' },
  /** The request is longer than the meter can receive, or its answer than the client can. */
  tooLong: { stateError: 'service-not-allowed', serviceError: 'pdu-too-long' },
  /** Ciphered with another key, or not what it says. */
  notDeciphered: { stateError: 'service-not-allowed', serviceError: 'deciphering-error' },
} as const satisfies Record<string, Refusal>;

export function refusal({ stateError, serviceError }: Refusal): Uint8Array {
  return encodeApdu({ apdu: 'exception-response', stateError, serviceError, invocationCounter: null });
}

/** D8 01 06 and the lowest counter that will be taken. */
export function counterRefusal(expected: number): Uint8Array {
  return encodeApdu({
    apdu: 'exception-response',
    stateError: 'service-not-allowed',
    serviceError: 'invocation-counter-error',
    invocationCounter: Math.min(expected, 0xffff_ffff),
  });
}
