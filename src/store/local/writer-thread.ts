/** The writer in a thread of its own. A thread that dies is started anew a few times, with growing delays. */
import { Worker } from 'node:worker_threads';
import { BridgeError, fail } from '../../core/errors.ts';
import { type Clock, sleep } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import { delays, type RetryPolicy } from '../../runtime/retry.ts';
import { errorOf, type WriterBackend, type WriterReply, type WriterRequest } from './requests.ts';
import type { FromWriter, ToWriter, WriterWorkerData } from './writer-messages.ts';

/** Starts after a death, before the writer is given up; a group that succeeds begins the count anew. */
const RESTARTS: RetryPolicy = { shape: 'exponential', base: 100, max: 5000, attempts: 5, jitter: 'none' };

export interface WriterThreadOptions {
  /** The compiled `writer-worker.js`. */
  readonly entry: URL;
  readonly data: WriterWorkerData;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** One living worker. */
interface Thread {
  apply(requests: readonly WriterRequest[]): Promise<readonly WriterReply[]>;
  /** Resolves when the thread has ended. */
  close(): Promise<void>;
  readonly alive: boolean;
}

/**
 * Starts the thread; rejects with what kept it from opening the database.
 * `apply` rejects with DATABASE_ERROR when the thread dies over a group: whether it was committed is not known. When it
 * cannot be brought back the error is not retryable: the daemon has to end.
 */
export async function startWriterThread(options: WriterThreadOptions): Promise<WriterBackend> {
  const { clock, logger } = options;
  let thread = await launch(options);
  let pauses = delays(RESTARTS);

  async function livingThread(): Promise<Thread> {
    if (thread.alive) return thread;
    const pause = pauses.next();
    if (pause.done === true) {
      fail('DATABASE_ERROR', 'the writer thread died again and again and is given up', { retryable: false });
    }
    logger.warn({ delayMs: pause.value }, 'The writer thread is started anew');
    await sleep(clock, pause.value);
    thread = await launch(options);
    return thread;
  }

  return {
    async apply(requests) {
      const replies = await (await livingThread()).apply(requests);
      pauses = delays(RESTARTS);
      return replies;
    },
    close: () => thread.close(),
  };
}

/** Resolves when the thread has opened the database. */
function launch({ entry, data, logger }: WriterThreadOptions): Promise<Thread> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(entry, { workerData: data });
    let alive = true;
    /** Asked to end, or unable to begin: its exit is no accident. */
    let ending = false;
    let answer: { resolve(replies: readonly WriterReply[]): void; reject(error: BridgeError): void } | null = null;
    const ended = new Promise<void>((resolveEnded) => worker.once('exit', () => resolveEnded()));
    const send = (message: ToWriter): void => worker.postMessage(message);

    const died = (cause: unknown): void => {
      if (alive && !ending) logger.error({ cause: String(cause) }, 'The writer thread died');
      alive = false;
      const error = new BridgeError('DATABASE_ERROR', `the writer thread died: ${String(cause)}`, { cause });
      reject(error);
      answer?.reject(error);
      answer = null;
    };
    worker.once('error', died);
    worker.once('exit', (status) => died(`exit status ${status}`));
    worker.on('message', (message: FromWriter) => {
      if (message.kind === 'ready') resolve(thread);
      else if (message.kind === 'applied') {
        answer?.resolve(message.replies);
        answer = null;
      } else {
        ending = true;
        reject(errorOf(message.failure));
      }
    });

    const thread: Thread = {
      get alive() {
        return alive;
      },
      apply(requests) {
        return new Promise((resolveReplies, rejectReplies) => {
          answer = { resolve: resolveReplies, reject: rejectReplies };
          send({ kind: 'apply', requests });
        });
      },
      close() {
        ending = true;
        send({ kind: 'close' });
        return ended;
      },
    };
  });
}
