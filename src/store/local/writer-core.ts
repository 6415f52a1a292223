/**
 * The writer itself, synchronous: carries out a group of requests in one transaction. Each request stands behind a
 * savepoint, so that one that fails for a reason of its own does not take the others with it.
 */
import { BridgeError, type ErrorCode } from '../../core/errors.ts';
import { BALLAST_OCTETS, createBallast } from '../ballast.ts';
import { openDatabase } from '../database.ts';
import { storeError } from '../errors.ts';
import { dropDrainedConnections } from '../fleet/connections.ts';
import { bumpRevision } from '../fleet/revision.ts';
import { createExecute } from './execute.ts';
import { failureOf, type WriterReply, type WriterRequest } from './requests.ts';

export interface WriterCoreOptions {
  readonly busyTimeoutMs: number;
  /** Size of the reserve for a full disk; BALLAST_OCTETS when not given. */
  readonly ballastOctets?: number;
  /** For tests of slow disks: how long this thread stands still before each commit. */
  readonly commitDelayMs?: number;
  /** For tests of full disks: pages that the database may have. */
  readonly maxPages?: number;
}

export interface WriterCore {
  /** One reply per request, in their order; what succeeded is durable. Never throws. */
  apply(requests: readonly WriterRequest[]): WriterReply[];
  close(): void;
}

/** What is wrong with the database and not with a single request: the whole group fails. */
const GROUP_WIDE: ReadonlySet<ErrorCode> = new Set([
  'DATABASE_FULL',
  'DATABASE_LOCKED',
  'DATABASE_CORRUPT',
  'DATABASE_DENIED',
  'DATABASE_MISSING',
]);

/** Opens the database and makes the reserve for a full disk. Throws DATABASE_* as `openDatabase` does. */
export function openWriterCore(path: string, options: WriterCoreOptions): WriterCore {
  const database = openDatabase(path, { busyTimeoutMs: options.busyTimeoutMs });
  const { sql } = database;
  if (options.maxPages !== undefined) sql.pragma(`max_page_count = ${options.maxPages}`);
  const execute = createExecute(database);
  const ballast = createBallast(database.path, options.ballastOctets ?? BALLAST_OCTETS);

  const single = sql.transaction(execute);
  const group = sql.transaction((requests: readonly WriterRequest[]): WriterReply[] => {
    const replies = requests.map(attempt);
    if (requests.some(({ kind }) => kind === 'acknowledge') && dropDrainedConnections(sql)) bumpRevision(sql);
    standStill(options.commitDelayMs ?? 0);
    return replies;
  });

  function attempt(request: WriterRequest): WriterReply {
    try {
      return { ok: true, result: single(request) };
    } catch (thrown) {
      const error = storeError(thrown, database.path);
      // SQLite may have rolled the whole transaction back by itself.
      if (!sql.inTransaction || GROUP_WIDE.has(error.code)) throw error;
      return failed(error);
    }
  }

  /** The group in one transaction, or the error that kept all of it out. */
  function transact(requests: readonly WriterRequest[]): WriterReply[] | BridgeError {
    try {
      return requests.length === 0 ? [] : group.immediate(requests);
    } catch (thrown) {
      return storeError(thrown, database.path);
    }
  }

  /** Refuses commits and carries out the rest: it makes the outbox smaller, or hardly larger. */
  function transactWithoutCommits(requests: readonly WriterRequest[], refusal: BridgeError): WriterReply[] {
    const others = requests.filter(({ kind }) => kind !== 'commit');
    const outcome = transact(others);
    const replies = outcome instanceof BridgeError ? others.map(() => failed(outcome)) : outcome;
    const byRequest = new Map(others.map((request, index) => [request, replies[index]]));
    return requests.map((request) => byRequest.get(request) ?? failed(refusal));
  }

  /** Why commits must wait: there is no room for the reserve, which is kept for acknowledgements alone. */
  function lacksReserve(): BridgeError | null {
    try {
      return ballast.restore()
        ? null
        : new BridgeError('DATABASE_FULL', `${database.path}: the disk has no room for the reserve of the outbox`);
    } catch (thrown) {
      return storeError(thrown, database.path);
    }
  }

  try {
    ballast.restore();
  } catch (error) {
    database.close();
    throw error;
  }
  return {
    apply(requests) {
      const refusal = lacksReserve();
      if (refusal !== null) return transactWithoutCommits(requests, refusal);
      const outcome = transact(requests);
      if (!(outcome instanceof BridgeError)) return outcome;
      if (outcome.code !== 'DATABASE_FULL') return requests.map(() => failed(outcome));
      ballast.release();
      return transactWithoutCommits(requests, outcome);
    },
    close: database.close,
  };
}

function failed(error: BridgeError): WriterReply {
  return { ok: false, failure: failureOf(error) };
}

function standStill(ms: number): void {
  if (ms > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
