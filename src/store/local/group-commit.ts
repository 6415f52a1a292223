/**
 * Group commit: what is asked while a group is under way becomes the next group. One slow fsync then costs everybody
 * who waits for it the same, instead of one fsync each in turn.
 */
import { BridgeError } from '../../core/errors.ts';
import { errorOf, type WriterBackend, type WriterReply, type WriterRequest } from './requests.ts';

/** Keeps a transaction, and the wait of those in it, within bounds when very much has piled up. */
const LARGEST_GROUP = 1000;

export interface GroupCommit {
  /** Resolves with the result of `Execute`, after the commit. Rejects with the request's own or the group's error. */
  submit(request: WriterRequest): Promise<readonly number[]>;
  /** Carries out what was submitted, then closes the backend. */
  close(): Promise<void>;
}

interface Waiting {
  readonly request: WriterRequest;
  resolve(result: readonly number[]): void;
  reject(error: unknown): void;
}

export function createGroupCommit(backend: WriterBackend): GroupCommit {
  let waiting: Waiting[] = [];
  let working: Promise<void> | null = null;
  let closing: Promise<void> | null = null;

  async function work(): Promise<void> {
    // Everything asked in the same turn of the event loop goes together.
    await Promise.resolve();
    while (waiting.length > 0) {
      const group = waiting.slice(0, LARGEST_GROUP);
      waiting = waiting.slice(LARGEST_GROUP);
      await carryOut(group);
    }
    working = null;
  }

  async function carryOut(group: readonly Waiting[]): Promise<void> {
    try {
      const replies = await backend.apply(group.map(({ request }) => request));
      for (const [index, entry] of group.entries()) settle(entry, replies[index]);
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }

  return {
    submit(request) {
      if (closing !== null)
        return Promise.reject(new BridgeError('STOPPING', 'the writer is closed', { layer: 'store' }));
      return new Promise((resolve, reject) => {
        waiting.push({ request, resolve, reject });
        working ??= work();
      });
    },
    close() {
      closing ??= (working ?? Promise.resolve()).then(() => backend.close());
      return closing;
    },
  };
}

function settle({ resolve, reject }: Waiting, reply: WriterReply | undefined): void {
  if (reply === undefined)
    reject(new BridgeError('INTERNAL', 'the writer left a request unanswered', { layer: 'store' }));
  else if (reply.ok) resolve(reply.result);
  else reject(errorOf(reply.failure));
}
