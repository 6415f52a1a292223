/** The server end of the HLS exchange (Green Book 9.2.7.4): its challenge, passes 3 and 4. */
import { randomBytes as secureBytes } from 'node:crypto';
import { BridgeError, fail } from '../../core/errors.ts';
import type { Data } from '../../dlms/axdr/data.ts';
import { ASSOCIATION_SN, methodShortName } from '../../dlms/cosem/short-names.ts';
import {
  type HlsCredentials,
  type HlsExchange,
  type HlsMechanism,
  hlsAnswer,
  parseGmacValue,
  verifyHlsAnswer,
} from '../../dlms/security/hls.ts';
import { type Apdu, encodeApdu } from '../../dlms/xdlms/apdu.ts';
import { actionResult, dataAccessResult } from '../../dlms/xdlms/data-access-result.ts';
import type { ActionRequest } from '../../dlms/xdlms/services.ts';
import type { ReadResult } from '../../dlms/xdlms/short-name.ts';
import type { InvocationCounters } from './invocation-counters.ts';
import type { MeterSecurity } from './meter-security.ts';
import { CURRENT_ASSOCIATION, RESULT } from './object-model.ts';
import { counterRefusal } from './refusals.ts';

const ASSOCIATION_CLASS = 15;
const REPLY_TO_HLS = 1;
const REPLY_TO_HLS_SN = methodShortName({ ...ASSOCIATION_SN, version: 0 }, ASSOCIATION_SN.replyToHls)?.name;
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
  const passed = byAction(request) ?? byRead(request);
  if (passed === null) return null;
  const { parameters, response } = passed;
  const proof = parameters?.type === 'octet-string' ? parameters.value : null;
  if (proof === null || !isProof(hls, proof)) {
    return { isProven: false, response: response(RESULT.readWriteDenied, null) };
  }
  const usesCounters = hls.mechanism === 'gmac';
  const accept = (counter: number): boolean => (ciphered ? counters.acceptEnclosed(counter) : counters.accept(counter));
  if (usesCounters && !accept(parseGmacValue(proof).invocationCounter)) {
    return { isProven: false, response: counterRefusal(counters.expected) };
  }
  const own = hlsAnswer('server', hls.exchange, hls.credentials, usesCounters ? counters.take() : null);
  return { isProven: true, response: response(RESULT.success, own) };
}

/** Pass 3 in a request, and how it is answered. */
interface ThirdPass {
  readonly parameters: Data | null;
  readonly response: (code: number, proof: Uint8Array | null) => Uint8Array;
}

function byAction(request: Apdu): ThirdPass | null {
  if (request.apdu !== 'action-request' || request.type !== 'normal') return null;
  const { classId, instanceId, methodId } = request.method;
  if (classId !== ASSOCIATION_CLASS || instanceId !== CURRENT_ASSOCIATION || methodId !== REPLY_TO_HLS) return null;
  return { parameters: request.parameters, response: (code, proof) => actionResponse(request, code, proof) };
}

/** FA58, reply_to_HLS_authentication of the Association SN, read with parameters. */
function byRead(request: Apdu): ThirdPass | null {
  const [access, ...others] = request.apdu === 'readRequest' ? request.variables : [];
  if (access === undefined || others.length > 0 || !('parameterized-access' in access)) return null;
  const { variableName, parameter } = access['parameterized-access'];
  if (variableName !== REPLY_TO_HLS_SN) return null;
  return { parameters: parameter, response: readResponse };
}

function readResponse(code: number, proof: Uint8Array | null): Uint8Array {
  const result: ReadResult =
    proof === null ? { dataAccessError: dataAccessResult(code) } : { data: { type: 'octet-string', value: proof } };
  return encodeApdu({ apdu: 'readResponse', results: [result] });
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
