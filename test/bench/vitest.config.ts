import { defineConfig } from 'vitest/config';

/** Benchmarks run only when asked for. What they measure is the compiled program: see `built.ts`. */
export default defineConfig({
  test: {
    server: { deps: { external: [/\/dist\//] } },
    include: ['test/bench/*.bench.ts'],
    testTimeout: 600_000,
    disableConsoleIntercept: true,
  },
});
