import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 60_000,
    // Two at least: the tests of the whole program mostly wait for other processes.
    maxWorkers: Math.max(2, availableParallelism() - 1),
  },
});
