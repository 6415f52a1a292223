/** What a publisher tells the rest of the daemon. `connectionId` is that of the store. Never a token. */
import type { BridgeError } from '../core/errors.ts';
import type { EndCause } from './conduct/classifier.ts';
import type { SharedAttributes } from './inbound/inbound-messages.ts';

export interface ThingsBoardEvents {
  connected: { readonly connectionId: number; readonly clientId: string };
  /** A session ended (`stood`), or an attempt to open one failed. */
  disconnected: {
    readonly connectionId: number;
    readonly error: BridgeError;
    readonly stood: boolean;
    readonly cause: EndCause;
  };
  /** Every message of the row has its PUBACK and the row is gone from the outbox. */
  published: {
    readonly connectionId: number;
    readonly rowId: number;
    readonly cycleId: string;
    readonly device: string;
    readonly readings: number;
  };
  /** The row was set aside: it can never be delivered as it is. */
  quarantined: {
    readonly connectionId: number;
    readonly rowId: number;
    readonly cycleId: string;
    readonly device: string;
    readonly reason: string;
  };
  /** A device behind the gateway has another name in ThingsBoard. */
  renamed: { readonly connectionId: number; readonly from: string; readonly to: string };
  /** A device behind the gateway was deleted in ThingsBoard. */
  deleted: { readonly connectionId: number; readonly device: string };
  /** Shared attributes were changed or asked for; `device`: behind the gateway, or `OWN_DEVICE`. */
  shared: SharedAttributes & { readonly connectionId: number };
  /** The same access token turned out to be in use elsewhere. Told once, until it is over. */
  conflict: { readonly connectionId: number; readonly clientId: string; readonly error: BridgeError };
  'conflict-over': { readonly connectionId: number; readonly clientId: string };
}
