/** A deviation of servers in the field that costs nothing to understand. */
import { concat } from '../../core/bytes.ts';

const ACTION_RESPONSE_NORMAL = [0xc7, 0x01] as const;
/** Tag, form, invoke id, result. */
const WITHOUT_FLAG = 4;
const SUCCESS = 0;

/**
 * An action-response-normal that refuses, `C7 01 C1 03`, without the flag which says that there are no return parameters
 * (seen in a widely used server library): completed with it. Everything else comes back as it is.
 */
export function withReturnParametersFlag(apdu: Uint8Array): Uint8Array {
  const refuses =
    apdu.length === WITHOUT_FLAG &&
    apdu[0] === ACTION_RESPONSE_NORMAL[0] &&
    apdu[1] === ACTION_RESPONSE_NORMAL[1] &&
    apdu[3] !== SUCCESS;
  return refuses ? concat([apdu, Uint8Array.of(0)]) : apdu;
}
