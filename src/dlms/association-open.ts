/** Opening and releasing an association: what the client proposes, and what was agreed (Green Book 9.3.4, 9.3.5). */
import { BridgeError, fail } from '../core/errors.ts';
import { aarqOf, encodeAcse } from './acse/acse.ts';
import type { Aare } from './acse/types.ts';
import type { MeterSecrets, MeterSettings } from './settings.ts';
import type { Conformance, ConformanceBit } from './xdlms/conformance.ts';
import { initiateRequestOf } from './xdlms/initiate.ts';

/** What both sides hold to while the association stands. */
export interface AgreedContext {
  readonly conformance: Conformance;
  /** Largest APDU the meter takes, octets; 0 for no limit. */
  readonly serverMaxReceivePduSize: number;
}

/** The services that this client uses; what is not proposed is not granted. */
const PROPOSED: readonly ConformanceBit[] = [
  'block-transfer-with-get-or-read',
  'multiple-references',
  'get',
  'selective-access',
];

/** The AARQ. Throws UNSUPPORTED for what this client does not speak, KEY_MISSING without a password for level low. */
export function aarqBytes(settings: MeterSettings, { secret }: MeterSecrets): Uint8Array {
  const { authentication, referencing, maxPdu } = settings;
  if (referencing !== 'ln') fail('UNSUPPORTED', 'short name referencing is not implemented yet', { layer: 'acse' });
  if (authentication !== 'none' && authentication !== 'low') {
    fail('UNSUPPORTED', `authentication level ${authentication} is not implemented yet`, { layer: 'acse' });
  }
  if (authentication === 'low' && secret === null)
    fail('KEY_MISSING', 'authentication level low needs a password', { layer: 'acse' });
  const authenticationValue = authentication === 'low' ? secret : null;
  const userInformation = initiateRequestOf(PROPOSED, maxPdu);
  return encodeAcse(aarqOf({ referencing, authentication, authenticationValue, userInformation }));
}

export function rlrqBytes(): Uint8Array {
  return encodeAcse({ apdu: 'rlrq', reason: 'normal' });
}

/** From an accepting AARE. Throws MALFORMED when it does not say what was agreed. */
export function agreedContextOf({ userInformation }: Aare): AgreedContext {
  const response = userInformation?.decoded;
  if (response?.apdu !== 'initiateResponse') {
    return fail('MALFORMED', 'the meter accepted without an initiateResponse', { layer: 'acse' });
  }
  return { conformance: response.negotiatedConformance, serverMaxReceivePduSize: response.serverMaxReceivePduSize };
}

/** Accepted with diagnostic 14: the meter goes on to the HLS exchange, which this client did not ask for. */
export function furtherAuthenticationError({ resultSourceDiagnostic: { code } }: Aare): BridgeError | null {
  if (code !== 14) return null;
  return new BridgeError('AUTHENTICATION_REQUIRED', 'the meter accepted, but wants high level security');
}
