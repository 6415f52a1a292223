/** What a meter sends unasked within its association, for who takes its pushes. */
import { asBridgeError } from '../core/errors.ts';
import { confirmationOf } from '../dlms/push/confirm.ts';
import { contentOf } from '../dlms/push/receiver.ts';
import type { SessionOptions } from '../meter/session.ts';
import type { Clock } from '../runtime/clock.ts';
import type { MeterOnLine } from './meter-slot.ts';
import { within } from './within.ts';

/** The conversation waits meanwhile; what is not stored by then is not confirmed, and stored when it can be. */
const STORE_WITHIN_MS = 5000;

/** As an option of the session; none where nobody takes pushes. The association has watched over its counters. */
export function unsolicitedTaker(
  { pushes }: MeterOnLine,
  from: string,
  clock: Clock,
): Pick<SessionOptions, 'onUnsolicited'> {
  if (pushes === undefined) return {};
  return {
    async onUnsolicited(apdu) {
      const wantsConfirmation = apdu.apdu === 'data-notification' && confirmationOf(apdu) !== null;
      try {
        const push = { content: contentOf(apdu), receivedAt: clock.now(), from, wantsConfirmation, counter: null };
        return await within(pushes.take(push), STORE_WITHIN_MS, clock);
      } catch (thrown) {
        // What is under way with the meter goes on.
        pushes.refused(from, asBridgeError(thrown));
        return false;
      }
    },
  };
}
