/** What is told of received pushes. */
import type { BridgeError } from '../core/errors.ts';
import type { Reading } from '../reading/reading.ts';

/** A push that is kept; `readings` is empty when none of its values is to be published. */
export interface PushStored {
  readonly meterId: number;
  readonly meter: string;
  readonly cycleId: string;
  /** The connections that each got a row with the readings. */
  readonly connectionIds: readonly number[];
  readonly readings: readonly Reading[];
  /** What there is no key for, or no certain value, and why. */
  readonly unmapped: readonly string[];
  readonly timed: 'meter' | 'reception';
  /** Milliseconds UTC. */
  readonly receivedAt: number;
  /** Who sent it, for people. */
  readonly from: string;
}

export interface PushEvents {
  pushed: PushStored;
  /** The same push once more: nothing was stored. */
  'push-repeated': { readonly meterId: number; readonly meter: string; readonly from: string };
  'push-refused': {
    readonly meterId: number;
    readonly meter: string;
    readonly from: string;
    readonly error: BridgeError;
  };
}
