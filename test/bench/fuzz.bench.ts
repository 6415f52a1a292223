/**
 * Ten million random and mutated inputs through decoding, deframers, links, association and push: only typed errors, no circles,
 * memory that does not grow. FUZZ_INPUTS and FUZZ_SEED say how many and which; a failure names place and octets.
 */
import { performance } from 'node:perf_hooks';
import { expect, test } from 'vitest';
import { fuzz } from '../support/fuzzing.ts';

const INPUTS = Number(process.env.FUZZ_INPUTS ?? 10_000_000);
const SEED = Number(process.env.FUZZ_SEED ?? 1);
const PORTION = 100_000;
/** What the heap may gain over the whole run, octets; garbage that is not collected yet is in it. */
const MOST_GAINED = 256 * 1024 * 1024;
const TIMEOUT_MS = 3_600_000;

test('fuzzing', { timeout: TIMEOUT_MS }, async () => {
  const began = performance.now();
  fuzz(Math.min(INPUTS, PORTION), SEED);
  const heap = process.memoryUsage().heapUsed;
  for (let done = PORTION; done < INPUTS; done += PORTION) {
    fuzz(Math.min(PORTION, INPUTS - done), SEED + done);
    // Timers of the runner have their turn.
    await new Promise((resolve) => setImmediate(resolve));
  }
  const gained = process.memoryUsage().heapUsed - heap;
  const seconds = (performance.now() - began) / 1000;
  process.stdout.write(
    `fuzzing: ${INPUTS} inputs from seed ${SEED} in ${Math.round(seconds)} s, ${Math.round(INPUTS / seconds)}/s, heap ${Math.round(gained / 1e6)} MB more\n`,
  );
  expect(gained).toBeLessThan(MOST_GAINED);
});
