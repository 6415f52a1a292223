/** How a session, or an attempt at one, ended, as far as this side can tell: what the classifier judges. */
import type { BridgeError } from '../../core/errors.ts';
import type { OutboxRow } from '../../store/local/types.ts';

/**
 * A bare TCP connection to the same broker, kept beside a session: `alive` when it outlived the session, so that the
 * server or somebody through it closed just this one; `dead` when it broke off too; null when there was none.
 */
export type Witness = 'alive' | 'dead' | null;

export interface SessionEnd {
  /** Monotonic, milliseconds. */
  readonly at: number;
  /** From the CONNACK to the end, milliseconds; 0: there was no CONNACK that took us. */
  readonly stoodMs: number;
  readonly error: BridgeError;
  /** Publishes that had no answer yet, one of which may have been what the server would not have. */
  readonly inFlight: number;
  /** Reason code of the last PUBACK that was an error, null without one. */
  readonly refusedWith: number | null;
  readonly witness: Witness;
}

export interface RunEnd extends SessionEnd {
  /** The row that was alone on its way when the session ended, where messages went one by one. */
  readonly alone: OutboxRow | null;
}
