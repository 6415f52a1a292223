/**
 * The states of a client's application association, and what leads from one to the next (Green Book 9.3.4, 9.3.5).
 *
 * States
 *   closed          no association.
 *   associating     AARQ sent, AARE awaited.
 *   authenticating  high level security: f(StoC) sent, f(CtoS) awaited.
 *   associated      stands; nothing is under way.
 *   requesting      one confirmed service is under way; see `exchange/`.
 *   releasing       RLRQ sent, RLRE awaited.
 */
import type { BridgeError } from '../../core/errors.ts';
import type { AgreedContext } from './open.ts';
import type { UnsolicitedApdu } from './services.ts';

export type AssociationState = 'closed' | 'associating' | 'authenticating' | 'associated' | 'requesting' | 'releasing';
export type AssociationInput =
  | 'open'
  | 'assumed'
  | 'challenged'
  | 'accepted'
  | 'refused'
  | 'request'
  | 'answered'
  | 'release'
  | 'released'
  | 'lost';

/** What has no place here is a fault of the caller. */
export const TRANSITIONS: Readonly<Record<AssociationState, Partial<Record<AssociationInput, AssociationState>>>> = {
  closed: { open: 'associating', assumed: 'associated', lost: 'closed' },
  associating: { challenged: 'authenticating', accepted: 'associated', refused: 'closed', lost: 'closed' },
  authenticating: { accepted: 'associated', refused: 'closed', lost: 'closed' },
  associated: { request: 'requesting', release: 'releasing', lost: 'closed' },
  requesting: { answered: 'associated', lost: 'closed' },
  releasing: { released: 'closed', lost: 'closed' },
};

export type AssociationEvent =
  | { readonly kind: 'associated'; readonly negotiated: AgreedContext }
  /** The meter refused the association, or could not prove itself. */
  | { readonly kind: 'refused'; readonly error: BridgeError }
  /** The exchange under way has its result. */
  | { readonly kind: 'answered' }
  /** The service was refused as a whole; the association stands. */
  | { readonly kind: 'failed'; readonly error: BridgeError }
  /** The association is gone. */
  | { readonly kind: 'lost'; readonly error: BridgeError }
  | { readonly kind: 'released' }
  /** A part of the answer; more is to come. */
  | { readonly kind: 'block' }
  /** A notification that is not believed; all goes on as if it had not come. */
  | { readonly kind: 'disregarded'; readonly error: BridgeError }
  /** A notification, at any time. One that wants to be confirmed is answered beside what is under way. */
  | { readonly kind: 'unsolicited'; readonly apdu: UnsolicitedApdu; readonly confirmation: Uint8Array | null };

export interface AssociationStep {
  /** APDUs to send, in order. */
  readonly send: readonly Uint8Array[];
  readonly event: AssociationEvent | null;
}
