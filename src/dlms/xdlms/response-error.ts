/** What it means when a meter answers a service otherwise than it should. */
import { BridgeError } from '../../core/errors.ts';
import type { Apdu } from './apdu.ts';
import type { ConfirmedServiceError, ExceptionResponse } from './refusal.ts';

/** An APDU that answers a service otherwise than it should: a refusal, or something that has no place there. */
export function responseError(apdu: Apdu): BridgeError {
  switch (apdu.apdu) {
    case 'exception-response':
      return exceptionError(apdu);
    case 'confirmedServiceError':
      return serviceError(apdu);
    default:
      return new BridgeError('UNEXPECTED_RESPONSE', `the meter answered with ${apdu.apdu}`);
  }
}

function exceptionError({ stateError, serviceError: service, invocationCounter }: ExceptionResponse): BridgeError {
  const message = `the meter answered with an exception: ${stateError}, ${service}`;
  const facts = { stateError, serviceError: service, expectedCounter: invocationCounter };
  if (service === 'invocation-counter-error') return new BridgeError('INVOCATION_COUNTER_WRONG', message, { facts });
  if (service === 'deciphering-error') return new BridgeError('DECRYPT_FAILED', message, { facts });
  return new BridgeError('EXCEPTION_RESPONSE', message, { facts });
}

function serviceError({ service, errorClass, error }: ConfirmedServiceError): BridgeError {
  return new BridgeError(
    'SERVICE_ERROR',
    `the meter answered with a service error: ${service}, ${errorClass}: ${error}`,
    {
      facts: { service, errorClass, error },
    },
  );
}

/**
 * Whether an association can go on after the error. `service-not-allowed` for a single attribute is what a meter says
 * that knows of no association (any more); for a list it may be the list that it does not allow.
 */
export function endsAssociation({ code, facts }: BridgeError, askedForList: boolean): boolean {
  if (code === 'EXCEPTION_RESPONSE') return !askedForList && facts.stateError === 'service-not-allowed';
  return code !== 'SERVICE_ERROR';
}
