/** What the polling of meters tells of itself. */
import type { BridgeError } from '../core/errors.ts';
import type { ProfileEvent } from '../dlms/cosem/profile-watch.ts';
import type { Reading } from '../reading/reading.ts';
import type { KnownIdentity } from '../store/fleet/identity.ts';
import type { PointFailure } from './point-ledger.ts';
import type { Noticed } from './watched-read.ts';

/** A cycle that read at least one value; `readings` is empty when none of them is to be published (on-change). */
export interface CycleCommitted {
  readonly meterId: number;
  /** The meter's name. */
  readonly meter: string;
  readonly cycleId: string;
  /** The connections that each got a row with the readings. */
  readonly connectionIds: readonly number[];
  readonly readings: readonly Reading[];
  readonly failures: readonly PointFailure[];
  /** Points that the meter refused before and that were not asked for. */
  readonly skipped: readonly PointFailure[];
  readonly createdAt: number;
  /** From taking the line to the last received octet, milliseconds. */
  readonly pollMs: number;
  readonly roundTrips: number;
}

export interface CycleFailed {
  readonly meterId: number;
  readonly meter: string;
  readonly cycleId: string;
  readonly error: BridgeError;
  readonly failures: readonly PointFailure[];
  readonly skipped: readonly PointFailure[];
}

/** Who answers was found out, and it is another than before. */
export interface MeterIdentified {
  readonly meterId: number;
  readonly meter: string;
  readonly identity: KnownIdentity;
}

/** The meter's clock against ours, at a new association. */
export interface ClockDrift {
  readonly meterId: number;
  readonly meter: string;
  /** Milliseconds that it is ahead. */
  readonly driftMs: number;
  readonly limitMs: number;
  /** Why it was to be set and could not be; null when it was, or was not to be. */
  readonly error: BridgeError | null;
  readonly wasSet: boolean;
}

/** Rows of a profile are stored. */
export interface ProfileCommitted {
  readonly meterId: number;
  readonly meter: string;
  readonly obis: string;
  readonly cycleId: string;
  readonly connectionIds: readonly number[];
  readonly rows: number;
  readonly readings: number;
  /** Capture time of the last row taken so far, milliseconds UTC. */
  readonly upTo: number | null;
  /** What happened to the profile meanwhile. */
  readonly happened: readonly ProfileEvent[];
  /** Columns that could not be used. */
  readonly failures: readonly PointFailure[];
  /** There are more rows to fetch. */
  readonly isBehind: boolean;
  readonly roundTrips: number;
}

export interface ProfileFailed {
  readonly meterId: number;
  readonly meter: string;
  readonly obis: string;
  readonly error: BridgeError;
}

export interface PollingEvents {
  profile: ProfileCommitted;
  profileFailed: ProfileFailed;
  identified: MeterIdentified;
  drift: ClockDrift;
  committed: CycleCommitted;
  failed: CycleFailed;
  /** The readings of a cycle cannot be stored for now; it is tried until they are. */
  unstored: { readonly meterId: number; readonly meter: string; readonly cycleId: string; readonly error: BridgeError };
  /** A meter is not what it was: another firmware, another scaler, an energy that jumped. Somebody should look. */
  noticed: Noticed & { readonly meterId: number; readonly meter: string; readonly cycleId: string };
  /** Groups came due while the cycle before was still under way. */
  late: { readonly meterId: number };
}
