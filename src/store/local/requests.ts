/** What is asked of the writer and what it answers: plain data that passes between threads. */
import { BridgeError, type ErrorDetail, type ErrorReport } from '../../core/errors.ts';
import type { SharedChange } from '../fleet/shared-attributes.ts';
import type { AlertChange } from './alerts.ts';
import type { CommandChange, CommandPart, CommandPruning } from './commands.ts';
import type { LearnedFact, StatusEntry, Withheld } from './types.ts';

export interface CommitRequest {
  readonly kind: 'commit';
  readonly cycleId: string;
  readonly meterId: number;
  readonly device: string;
  readonly createdAt: number;
  readonly connectionIds: readonly number[];
  /** As `encodeReadings` prints them. */
  readonly readings: string;
  readonly readingCount: number;
  readonly learned: readonly LearnedFact[];
  readonly withheld?: Withheld | null;
  readonly isCycle?: boolean;
}

export interface AcknowledgeRequest {
  readonly kind: 'acknowledge';
  readonly rowIds: readonly number[];
}

export interface QuarantineRequest {
  readonly kind: 'quarantine';
  readonly rowIds: readonly number[];
  readonly reason: string;
}

export interface StatusRequest {
  readonly kind: 'status';
  readonly entries: readonly StatusEntry[];
  readonly updatedAt: number;
}

export interface ReserveCountersRequest {
  readonly kind: 'reserve-counters';
  readonly keyId: Uint8Array;
  readonly count: number;
}

export interface RaiseCounterRequest {
  readonly kind: 'raise-counter';
  readonly keyId: Uint8Array;
  readonly atLeast: number;
}

export interface ChangeCommandRequest {
  readonly kind: 'change-command';
  readonly change: CommandChange;
}

export interface CommandPartRequest {
  readonly kind: 'command-part';
  readonly part: CommandPart;
}

export interface PruneCommandsRequest {
  readonly kind: 'prune-commands';
  readonly pruning: CommandPruning;
}

export interface ChangeAlertRequest {
  readonly kind: 'change-alert';
  readonly change: AlertChange;
}

export interface SettleDoubtRequest {
  readonly kind: 'settle-doubt';
  readonly doubt: string;
  readonly correctionMs: number;
  /** Rows at most. */
  readonly limit: number;
}

export interface ReleaseDoubtsRequest {
  readonly kind: 'release-doubts';
  /** Whose rows stay. */
  readonly process: string;
}

export interface RenameMeterRequest {
  readonly kind: 'rename-meter';
  readonly from: string;
  readonly to: string;
}

export interface SuspendDeletedRequest {
  readonly kind: 'suspend-deleted';
  readonly device: string;
  readonly connectionId: number;
}

export interface FollowSharedRequest extends SharedChange {
  readonly kind: 'follow-shared';
}

export type WriterRequest =
  | FollowSharedRequest
  | RenameMeterRequest
  | SuspendDeletedRequest
  | SettleDoubtRequest
  | ReleaseDoubtsRequest
  | CommitRequest
  | AcknowledgeRequest
  | QuarantineRequest
  | StatusRequest
  | ReserveCountersRequest
  | RaiseCounterRequest
  | ChangeCommandRequest
  | CommandPartRequest
  | PruneCommandsRequest
  | ChangeAlertRequest;

/** A BridgeError taken apart: classes do not survive the way between threads. */
export type Failure = ErrorReport & Pick<BridgeError, 'facts'>;

export type WriterReply =
  /** `result`: as `Execute` returns it. */
  { readonly ok: true; readonly result: readonly number[] } | { readonly ok: false; readonly failure: Failure };

/** Whatever carries groups of requests out: a thread of its own, or this one. One group at a time. */
export interface WriterBackend {
  /** One reply per request, in their order. Rejects when the fate of the group is not known. */
  apply(requests: readonly WriterRequest[]): Promise<readonly WriterReply[]>;
  close(): Promise<void>;
}

export function failureOf(error: BridgeError): Failure {
  return { ...error.report(), facts: error.facts };
}

export function errorOf({ code, message, ...detail }: Failure): BridgeError {
  return new BridgeError(code, message, detail satisfies ErrorDetail);
}
