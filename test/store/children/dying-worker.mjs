// A writer thread that answers groups and dies over the one that carries the word: for tests of its restart.
import { parentPort, workerData } from 'node:worker_threads';

if (workerData.path === 'refuse') {
  const failure = { code: 'DATABASE_CORRUPT', message: 'damaged', layer: 'store', fault: 'internal' };
  parentPort.postMessage({ kind: 'failed', failure: { ...failure, retryable: false, hint: 'restore', facts: {} } });
  parentPort.close();
} else if (workerData.path === 'die at once') {
  process.exit(3);
} else {
  parentPort.on('message', (message) => {
    if (message.kind === 'close') {
      parentPort.close();
      return;
    }
    const words = message.requests.map((request) => request.reason);
    if (words.includes('exit')) process.exit(1);
    if (words.includes('throw')) throw new Error('out of my depth');
    parentPort.postMessage({ kind: 'applied', replies: message.requests.map(() => ({ ok: true, result: [] })) });
  });
  parentPort.postMessage({ kind: 'ready' });
}
