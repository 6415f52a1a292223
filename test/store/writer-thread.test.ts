import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { BridgeError } from '../../src/core/errors.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import type { Writer } from '../../src/store/local/types.ts';
import { writerOn } from '../../src/store/local/writer.ts';
import { startWriterThread } from '../../src/store/local/writer-thread.ts';
import { childScript } from './built.ts';

const ENTRY = pathToFileURL(childScript('dying-worker.mjs'));

/** A writer on the worker that dies on the words `exit` and `throw`. */
async function start(clock: VirtualClock, path = ''): Promise<Writer> {
  const data = { path, options: { busyTimeoutMs: 0 } };
  return writerOn(await startWriterThread({ entry: ENTRY, data, clock, logger: silentLogger }), clock);
}

const say = (writer: Writer, word: string): Promise<void> => writer.quarantine([1], word);

/** How the promise ends, while the clock moves on. */
async function outcome(clock: VirtualClock, promise: Promise<void>): Promise<'done' | BridgeError> {
  let ended: 'done' | BridgeError | null = null;
  promise.then(
    () => {
      ended = 'done';
    },
    (error: BridgeError) => {
      ended = error;
    },
  );
  while (ended === null) await clock.advance(1000);
  return ended;
}

describe('the writer thread', () => {
  test.each(['exit', 'throw'])(
    'that dies (%s) over a group rejects it and is started anew for the next',
    async (word) => {
      const clock = new VirtualClock();
      const writer = await start(clock);
      await say(writer, 'well');
      const rejected = expect(say(writer, word)).rejects.toMatchObject({ code: 'DATABASE_ERROR', retryable: true });
      await new Promise((resolve) => setImmediate(resolve));
      const queued = say(writer, 'well');
      await rejected;
      expect(await outcome(clock, queued)).toBe('done');
      await writer.close();
      expect(clock.pendingTimers).toBe(0);
    },
  );

  test('that dies again and again is given up, and says so', async () => {
    const clock = new VirtualClock();
    const writer = await start(clock);
    for (let death = 0; death < 6; death += 1) {
      expect(await outcome(clock, say(writer, 'exit'))).toMatchObject({ code: 'DATABASE_ERROR', retryable: true });
    }
    expect(await outcome(clock, say(writer, 'well'))).toMatchObject({ code: 'DATABASE_ERROR', retryable: false });
    await writer.close();
  });

  test('begins to count anew when a group has succeeded', async () => {
    const clock = new VirtualClock();
    const writer = await start(clock);
    for (let death = 0; death < 12; death += 1) {
      expect(await outcome(clock, say(writer, death % 3 === 2 ? 'well' : 'exit'))).not.toMatchObject({
        retryable: false,
      });
    }
    await writer.close();
  });

  test('that cannot open the database says why', async () => {
    await expect(start(new VirtualClock(), 'refuse')).rejects.toMatchObject({
      code: 'DATABASE_CORRUPT',
      message: 'damaged',
    });
    await expect(start(new VirtualClock(), 'die at once')).rejects.toMatchObject({ code: 'DATABASE_ERROR' });
  });
});
