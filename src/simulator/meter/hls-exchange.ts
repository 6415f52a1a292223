/** The server end of the HLS exchange (Green Book 9.2.7.4): its challenge, passes 3 and 4. */
import { randomBytes as secureBytes } from 'node:crypto';
import { BridgeError, fail } from '../../core/errors.ts';
import {
  type HlsCredentials,
  type HlsExchange,
  type HlsMechanism,
  hlsAnswer,
  parseGmacValue,
  verifyHlsAnswer,
} from '../../dlms/security/hls.ts';
import { type Apdu, encodeApdu } from '../../dlms/xdlms/apdu.ts';
import { actionResult } from '../../dlms/xdlms/data-access-result.ts';
import type { ActionRequest } from '../../dlms/xdlms/services.ts';
import type { InvocationCounters } from './invocation-counters.ts';
import type { MeterSecurity } from './meter-security.ts';
import { CURRENT_ASSOCIATION, RESULT } from './object-model.ts';
import { counterRefusal } from './refusals.ts';

const ASSOCIATION_CLASS = 15;
const REPLY_TO_HLS = 1;
const CHALLENGE_OCTETS = { ecdsa: 32, others: 16 } as const;

export interface ServerHls {
  readonly mechanism: HlsMechanism;
  readonly exchange: HlsExchange;
  readonly credentials: HlsCredentials;
}

/** StoC: not seeded, for a challenge that comes again would be answered by who listened. */
export function serverChallenge(mechanism: HlsMechanism): Uint8Array {
  return Uint8Array.from(secureBytes(CHALLENGE_OCTETS[mechanism === 'ecdsa' ? 'ecdsa' : 'others']));
}

/** What the meter proves itself with, and verifies the client by; `clientKey` is that of its signatures. */
export function hlsCredentials(
  mechanism: HlsMechanism,
  secret: Uint8Array,
  security: MeterSecurity,
  clientKey: Uint8Array | null,
): HlsCredentials {
  const { suite, keys, hlsVariant } = security;
  switch (mechanism) {
    case 'high':
      return { mechanism, variant: hlsVariant, secret };
    case 'gmac':
      return {
        mechanism,
        suite,
        encryptionKey: keys?.encryption ?? null,
        authenticationKey: keys?.authentication ?? null,
      };
    case 'ecdsa':
      return {
        mechanism,
        suite,
        privateKey: security.signatures?.privateKey ?? null,
        peerPublicKey: clientKey ?? fail('INTERNAL', 'HLS with ECDSA without keys'),
      };
    default:
      return { mechanism, secret };
  }
}

export interface HlsOutcome {
  readonly isProven: boolean;
  /** An action-response, or the exception for an invocation counter that did not rise. */
  readonly response: Uint8Array;
}

/**
 * Answers reply_to_HLS_authentication; null for any other request. With GMAC both proofs take counters of the global key.
 * @param ciphered whether the request itself was, and took a counter too.
 */
export function answerHls(
  hls: ServerHls,
  request: Apdu,
  counters: InvocationCounters,
  ciphered: boolean,
): HlsOutcome | null {
  if (request.apdu !== 'action-request' || request.type !== 'normal') return null;
  const { classId, instanceId, methodId } = request.method;
  if (classId !== ASSOCIATION_CLASS || instanceId !== CURRENT_ASSOCIATION || methodId !== REPLY_TO_HLS) return null;
  const proof = request.parameters?.type === 'octet-string' ? request.parameters.value : null;
  if (proof === null || !isProof(hls, proof)) {
    return { isProven: false, response: actionResponse(request, RESULT.readWriteDenied, null) };
  }
  const usesCounters = hls.mechanism === 'gmac';
  const accept = (counter: number): boolean => (ciphered ? counters.acceptEnclosed(counter) : counters.accept(counter));
  if (usesCounters && !accept(parseGmacValue(proof).invocationCounter)) {
    return { isProven: false, response: counterRefusal(counters.expected) };
  }
  const own = hlsAnswer('server', hls.exchange, hls.credentials, usesCounters ? counters.take() : null);
  return { isProven: true, response: actionResponse(request, RESULT.success, own) };
}

function isProof({ exchange, credentials }: ServerHls, proof: Uint8Array): boolean {
  try {
    verifyHlsAnswer('client', exchange, credentials, proof);
    return true;
  } catch (error) {
    if (error instanceof BridgeError && error.code === 'AUTHENTICATION_FAILED') return false;
    throw error;
  }
}

function actionResponse({ invokeIdAndPriority }: ActionRequest, code: number, proof: Uint8Array | null): Uint8Array {
  return encodeApdu({
    apdu: 'action-response',
    type: 'normal',
    invokeIdAndPriority,
    result: actionResult(code),
    returnParameters: proof === null ? null : { data: { type: 'octet-string', value: proof } },
  });
}
