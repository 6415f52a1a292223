/** What the daemon keeps of its own work: readings on their way out, and its state as others may see it. */

import type { ReadingKind } from '../../reading/point-options.ts';
import type { Quality, Reading } from '../../reading/reading.ts';
import type { SharedChange } from '../fleet/shared-attributes.ts';
import type { AlertChange } from './alerts.ts';
import type { CommandChange, CommandPart, CommandPruning } from './commands.ts';

/** A reading as it waits in the outbox: the value as text, a decimal with all its digits. */
export interface StoredReading {
  readonly key: string;
  /** Milliseconds UTC. */
  readonly ts: number;
  readonly type: 'number' | 'boolean' | 'string';
  /** Decimal text, `true`/`false`, or the string. */
  readonly text: string;
  readonly quality: Quality;
  /** `telemetry` when absent. */
  readonly kind?: ReadingKind;
}

/** What a row speaks of when it is no meter but the bridge itself: the device whose token the connection has. */
export const OWN_DEVICE = '';

/** One cycle's readings for one connection. */
export interface OutboxRow {
  readonly id: number;
  readonly connectionId: number;
  /** The meter's name, or `OWN_DEVICE`. */
  readonly device: string;
  readonly cycleId: string;
  /** Milliseconds UTC. */
  readonly createdAt: number;
  readonly readings: readonly StoredReading[];
}

/** What was learned of a meter (scaler and unit of an object, object list): one JSON text per kind. */
export interface LearnedFact {
  readonly kind: string;
  readonly json: string;
}

/** Rows that are stored and set aside at once. */
export interface Withheld {
  readonly reason: string;
  /** They are not, if this is known of the meter by then. */
  readonly unless?: LearnedFact;
}

export interface CycleCommit {
  readonly cycleId: string;
  readonly meterId: number;
  /** The meter's name when it was read; it may be another when the row is stored. */
  readonly device: string;
  readonly createdAt: number;
  /** Who wants the readings; each gets a row of its own. */
  readonly connectionIds: readonly number[];
  readonly readings: readonly Reading[];
  readonly learned?: readonly LearnedFact[];
  /** False: what the bridge says by itself of a meter, which is not counted among cycles and readings. */
  readonly isCycle?: boolean;
  /** The readings are not to be delivered yet. */
  readonly withheld?: Withheld | null;
}

export interface StatusEntry {
  /** `daemon`, `meter:3`, `line:1`, `connection:2` ... */
  readonly subject: string;
  readonly json: string;
}

/**
 * The one writer of the daemon. What a promise stands for is on the disk when it resolves; calls made while a
 * transaction is under way share the next one. Rejects with DATABASE_*; after DATABASE_FULL, DATABASE_LOCKED or a
 * retryable DATABASE_ERROR the same call may be made again.
 */
export interface Writer {
  /** Returns the outbox row ids, one per connection in the order given; none when there are no readings. */
  commitCycle(cycle: CycleCommit): Promise<readonly number[]>;
  /** Deletes delivered rows. Rows that are gone already are no error. */
  acknowledge(rowIds: readonly number[]): Promise<void>;
  /** Sets rows aside with the reason; they are kept, and not pending any more. */
  quarantine(rowIds: readonly number[], reason: string): Promise<void>;
  saveStatus(entries: readonly StatusEntry[]): Promise<void>;
  /** Puts the times of all rows of a doubt of the host's clock right, and lets them go. Gives how many. */
  settleDoubt(doubt: string, correctionMs: number): Promise<number>;
  /** Lets rows go that another process set aside in doubt and could not put right, as they are. Gives how many. */
  releaseDoubts(process: string): Promise<number>;
  /**
   * Takes `count` invocation counters of a key (`counterKeyId`) and returns the first; none of them is ever given again.
   * When it rejects, those that it may have taken are lost, not given. Rejects with COUNTER_EXHAUSTED too.
   */
  reserveCounters(keyId: Uint8Array, count: number): Promise<number>;
  /** The next counter of the key is at least this, 0 to 2^32; never lowers. Rejects with INVALID_VALUE too. */
  raiseCounter(keyId: Uint8Array, atLeast: number): Promise<void>;
  /** Takes a command from one of several states to another; false when it was in none of them. */
  changeCommand(change: CommandChange): Promise<boolean>;
  /** Adds a portion of a command's result. */
  addCommandPart(part: CommandPart): Promise<void>;
  pruneCommands(pruning: CommandPruning): Promise<void>;
  changeAlert(change: AlertChange): Promise<void>;
  /** A change of the fleet: see `renameMeter`. Rejects with NOT_FOUND, ALREADY_EXISTS, INVALID_VALUE too. */
  renameMeter(from: string, to: string): Promise<void>;
  /** A change of the fleet: see `suspendDeleted`. Gives how many rows were set aside. Rejects with NOT_FOUND too. */
  suspendDeleted(device: string, connectionId: number): Promise<number>;
  /** Nothing of what was asked for waits any longer to share a transaction with something else. */
  hurry(): void;
  /** A change of the fleet: see `followShared`. Tells whether anything is another now. Rejects with INVALID_VALUE too. */
  followShared(change: SharedChange): Promise<boolean>;
  /** Finishes what was asked for, then closes; later calls reject with STOPPING. */
  close(): Promise<void>;
}

export interface OutboxDepth {
  /** Rows that wait for delivery, quarantined ones not among them. */
  readonly rows: number;
  /** `createdAt` of the first row that waits, milliseconds UTC. */
  readonly oldest: number | null;
  /** Octets of the readings that wait, as stored. */
  readonly bytes: number;
  readonly quarantined: number;
}

/** What the limits of the outbox took away: rows, and when the first and the last of them went, milliseconds UTC. */
export interface Drops {
  readonly rows: number;
  readonly since: number;
  readonly last: number;
}

export interface ConnectionDepth extends OutboxDepth {
  readonly connectionId: number;
  /** The latest run of drops, in which no hour passed without one; null where nothing was ever dropped. */
  readonly drops: Drops | null;
}

export interface OutboxReader {
  /** Rows of a connection in the order they were committed, beginning after row `afterId` (0: from the first). */
  pending(connectionId: number, afterId: number, limit: number): OutboxRow[];
  /** Id of the connection's newest row that waits, 0 for none. */
  newest(connectionId: number): number;
  depth(): OutboxDepth;
  /** The same for each connection for which a row was ever committed. */
  depths(): readonly ConnectionDepth[];
  /** Rows of one connection that wait for delivery. */
  depthOf(connectionId: number): number;
}
