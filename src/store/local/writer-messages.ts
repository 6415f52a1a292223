/** What passes between the main thread and the writer thread. */
import type { Failure, WriterReply, WriterRequest } from './requests.ts';
import type { WriterCoreOptions } from './writer-core.ts';

export interface WriterWorkerData {
  readonly path: string;
  readonly options: WriterCoreOptions;
}

export type ToWriter =
  | { readonly kind: 'apply'; readonly requests: readonly WriterRequest[] }
  | { readonly kind: 'close' };

export type FromWriter =
  /** The database is open; groups may be sent, one at a time. */
  | { readonly kind: 'ready' }
  /** The database could not be opened; the thread ends. */
  | { readonly kind: 'failed'; readonly failure: Failure }
  | { readonly kind: 'applied'; readonly replies: readonly WriterReply[] };
