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
import type { InvocationCounters } from './invocation-counters.ts';
import type { MeterSecurity } from './meter-security.ts';

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

/** What the meter proves itself with, and verifies the client by. */
export function hlsCredentials(mechanism: HlsMechanism, secret: Uint8Array, security: MeterSecurity): HlsCredentials {
  const { suite, keys, signatures } = security;
  switch (mechanism) {
    case 'high':
      return { mechanism, variant: 'aes-ecb', secret };
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
        privateKey: signatures?.privateKey ?? null,
        peerPublicKey: signatures?.clientPublicKey ?? fail('INTERNAL', 'HLS with ECDSA without keys'),
      };
    default:
      return { mechanism, secret };
  }
}

export type HlsOutcome =
  /** f(CtoS). */
  | { readonly answer: Uint8Array }
  | { readonly refused: 'wrong-proof' }
  | { readonly refused: 'counter'; readonly expected: number };

/** Judges f(StoC) and gives f(CtoS). With GMAC both take invocation counters of the global key. */
export function replyToHls(
  { exchange, credentials }: ServerHls,
  proof: Uint8Array,
  counters: InvocationCounters,
): HlsOutcome {
  try {
    verifyHlsAnswer('client', exchange, credentials, proof);
  } catch (error) {
    if (error instanceof BridgeError && error.code === 'AUTHENTICATION_FAILED') return { refused: 'wrong-proof' };
    throw error;
  }
  const isGmac = credentials.mechanism === 'gmac';
  if (isGmac && !counters.accept(parseGmacValue(proof).invocationCounter)) {
    return { refused: 'counter', expected: counters.expected };
  }
  return { answer: hlsAnswer('server', exchange, credentials, isGmac ? counters.take() : null) };
}
