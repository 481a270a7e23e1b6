import { defineConfig } from 'vitest/config';

// What needs real runtimes, supervisors and the kernel's own isolation.
const driverTests = ['drivers', 'driver-kit', 'isolation', 'supervise'].map((folder) => `src/${folder}/**/*.test.ts`);

// Timing of real processes: a test that fails once is run once more, and the run says so.
// One project per lane, so that each can be run, timed and failed by itself (scripts/test.mjs).
export default defineConfig({
  test: {
    reporters: ['default'],
    projects: [
      { test: { name: 'unit', include: ['src/**/*.test.ts', 'scripts/*.test.mjs'], exclude: driverTests, pool: 'forks', retry: 1, testTimeout: 20_000 } },
      { test: { name: 'drivers', include: driverTests, pool: 'forks', retry: 1, testTimeout: 60_000 } },
      ...['e2e', 'network', 'compat', 'faults', 'security'].map((name) => ({
        test: { name, include: [`test/${name}/**/*.test.ts`], pool: 'forks' as const,
          retry: 1, fileParallelism: false, testTimeout: 120_000, hookTimeout: 120_000 },
      })),
    ],
  },
});
