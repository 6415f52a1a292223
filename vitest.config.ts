import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // CommonJS packages are imported as Node does it.
    deps: { interopDefault: false },
    testTimeout: 240_000,
    hookTimeout: 120_000,
    // Two at least: the tests of the whole program mostly wait for other processes.
    maxWorkers: Math.max(2, availableParallelism() - 1),
  },
});
