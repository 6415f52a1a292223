/**
 * Group commit: what is asked while a group is under way becomes the next group. One slow fsync then costs everybody
 * who waits for it the same, instead of one fsync each in turn.
 *
 * A request may say how long it can wait. A group begins when the first of those waiting must, and takes all of them
 * along: each transaction writes its pages anew, so what rides with another costs the disk hardly anything.
 */
import { BridgeError } from '../../core/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import { errorOf, type WriterBackend, type WriterReply, type WriterRequest } from './requests.ts';

/** Keeps a transaction, and the wait of those in it, within bounds when very much has piled up. */
const LARGEST_GROUP = 1000;

export interface GroupCommit {
  /** Resolves with the result of `Execute`, after the commit. Rejects with the request's own or the group's error. */
  submit(request: WriterRequest, withinMs?: number): Promise<readonly number[]>;
  /** Nothing of what was submitted waits for others any longer. */
  hurry(): void;
  /** Carries out what was submitted, then closes the backend. */
  close(): Promise<void>;
}

interface Waiting {
  readonly request: WriterRequest;
  resolve(result: readonly number[]): void;
  reject(error: unknown): void;
}

export function createGroupCommit(backend: WriterBackend, clock: Clock): GroupCommit {
  let waiting: Waiting[] = [];
  /** Monotonic time at which the first of those waiting must be carried out. */
  let latest = Number.POSITIVE_INFINITY;
  let wake: (() => void) | null = null;
  let working: Promise<void> | null = null;
  let closing: Promise<void> | null = null;

  async function work(): Promise<void> {
    // Everything asked in the same turn of the event loop goes together.
    await Promise.resolve();
    while (waiting.length > 0) {
      await patience();
      const group = waiting.slice(0, LARGEST_GROUP);
      waiting = waiting.slice(LARGEST_GROUP);
      latest = waiting.length > 0 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
      await carryOut(group);
    }
    working = null;
  }

  /** Until somebody has to be carried out. */
  async function patience(): Promise<void> {
    for (let left = latest - clock.monotonic(); left > 0; left = latest - clock.monotonic()) {
      await new Promise<void>((resolve) => {
        const timer = clock.setTimer(left, resolve);
        wake = () => {
          timer.cancel();
          resolve();
        };
      });
      wake = null;
    }
  }

  function mustBy(time: number): void {
    if (time >= latest) return;
    latest = time;
    wake?.();
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
    submit(request, withinMs = 0) {
      if (closing !== null)
        return Promise.reject(new BridgeError('STOPPING', 'the writer is closed', { layer: 'store' }));
      return new Promise((resolve, reject) => {
        waiting.push({ request, resolve, reject });
        mustBy(clock.monotonic() + withinMs);
        working ??= work();
      });
    },
    hurry() {
      if (waiting.length > 0) mustBy(Number.NEGATIVE_INFINITY);
    },
    close() {
      this.hurry();
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
