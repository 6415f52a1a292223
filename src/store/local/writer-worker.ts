/** Entry of the writer thread: owns the daemon's only writing handle. Loaded by `writer-thread.ts` from the build. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { fail } from '../../core/errors.ts';
import { storeError } from '../errors.ts';
import { failureOf } from './requests.ts';
import { openWriterCore, type WriterCore } from './writer-core.ts';
import type { FromWriter, ToWriter, WriterWorkerData } from './writer-messages.ts';

const port: MessagePort = parentPort ?? fail('INTERNAL', 'the writer was started outside a worker thread');
const { path, options } = workerData as WriterWorkerData;
const say = (message: FromWriter): void => port.postMessage(message);

function serve(core: WriterCore): void {
  port.on('message', (message: ToWriter) => {
    if (message.kind === 'apply') {
      say({ kind: 'applied', replies: core.apply(message.requests) });
      return;
    }
    core.close();
    port.close();
  });
  say({ kind: 'ready' });
}

try {
  serve(openWriterCore(path, options));
} catch (error) {
  say({ kind: 'failed', failure: failureOf(storeError(error, path)) });
  port.close();
}
