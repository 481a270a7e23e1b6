import { defineConfig } from 'vitest/config';

// One project per lane, so that each can be run, timed and failed by itself (scripts/test.mjs).
export default defineConfig({
  test: {
    reporters: ['default'],
    projects: [
      { test: { name: 'unit', include: ['src/**/*.test.ts'], pool: 'forks', testTimeout: 20_000 } },
      ...['e2e', 'compat', 'drivers', 'faults', 'security', 'simulation'].map((name) => ({
        test: { name, include: [`test/${name}/**/*.test.ts`], pool: 'forks' as const, fileParallelism: false, testTimeout: 120_000, hookTimeout: 120_000 },
      })),
    ],
  },
});
