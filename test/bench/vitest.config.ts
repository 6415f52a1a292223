import { defineConfig } from 'vitest/config';

/** Benchmarks run under vitest's loader, as the tests do, and only when asked for. */
export default defineConfig({
  test: { include: ['test/bench/*.bench.ts'], testTimeout: 600_000, disableConsoleIntercept: true },
});
