/** Confirmed pushes (Green Book 9.3.9): the receiver answers a data-notification with a data-notification-confirm. */
import { encodeApdu } from '../xdlms/apdu.ts';
import type { DataNotification } from '../xdlms/services.ts';

/**
 * The answer to a notification, null when its sender wants none. Meters on a one-way interface set the bit as well: only
 * who has a way back sends this.
 */
export function confirmationOf({
  longInvokeIdAndPriority,
}: Pick<DataNotification, 'longInvokeIdAndPriority'>): Uint8Array | null {
  if (longInvokeIdAndPriority.serviceClass !== 'confirmed') return null;
  return encodeApdu({ apdu: 'data-notification-confirm', longInvokeIdAndPriority, dateTime: null });
}
