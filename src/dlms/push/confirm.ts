/** Confirmed pushes (Green Book 9.3.9): the receiver answers a data-notification with a data-notification-confirm. */
import { protectApdu } from '../security/apdu-protection.ts';
import type { CipheredApdu } from '../security/ciphered.ts';
import { policyOf, securityControlFor, securitySuite } from '../security/suite.ts';
import { encodeApdu } from '../xdlms/apdu.ts';
import type { DataNotification, DataNotificationConfirm } from '../xdlms/services.ts';

/**
 * The answer to a notification, null when its sender wants none. Meters on a one-way interface set the bit as well: only
 * who has a way back sends this. It is to be protected as the notification was.
 */
export function confirmationOf({
  longInvokeIdAndPriority,
}: Pick<DataNotification, 'longInvokeIdAndPriority'>): DataNotificationConfirm | null {
  if (longInvokeIdAndPriority.serviceClass !== 'confirmed') return null;
  return { apdu: 'data-notification-confirm', longInvokeIdAndPriority, dateTime: null };
}

/** What protects a confirmation: the keys that opened the notification, and who we are. */
export interface ConfirmationKeys {
  readonly encryptionKey: Uint8Array | null;
  readonly authenticationKey: Uint8Array | null;
  /** Ours, 8 octets. */
  readonly systemTitle: Uint8Array;
  /** A counter that was never used under this key and title. */
  readonly invocationCounter: number;
}

/** Whether a confirmation can be protected as its notification was: under one shared key, meant for us alone, and at hand. */
export function canConfirm(
  protection: readonly CipheredApdu[],
  { encryptionKey, authenticationKey }: Pick<ConfirmationKeys, 'encryptionKey' | 'authenticationKey'>,
): boolean {
  const [only, ...more] = protection;
  if (only === undefined) return true;
  if (more.length > 0 || only.apdu !== 'general-glo-ciphering') return false;
  const { keySet, authenticated } = only.securityControl;
  return keySet === 'unicast' && encryptionKey !== null && (!authenticated || authenticationKey !== null);
}

/**
 * The octets of a confirmation, in general-glo-ciphering with the suite and the policy of the notification. `protection` are
 * the layers that it came in, of which `canConfirm` holds. Throws KEY_MISSING, SECURITY_UNSUPPORTED.
 */
export function protectedConfirmation(
  confirmation: DataNotificationConfirm,
  protection: readonly CipheredApdu[],
  keys: ConfirmationKeys,
): Uint8Array {
  const plain = encodeApdu(confirmation);
  const [layer] = protection;
  if (layer === undefined || !('securityControl' in layer)) return plain;
  const policy = policyOf(layer.securityControl);
  if (policy === 'none') return plain;
  const { id } = securitySuite(layer.securityControl.suite);
  return protectApdu(plain, 'general-glo', { ...keys, securityControl: securityControlFor(id, policy) });
}
