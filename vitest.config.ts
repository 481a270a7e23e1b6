import { defineConfig } from 'vitest/config';

// What needs real runtimes, supervisors and the kernel's own isolation.
const driverTests = [
  ...['drivers', 'driver-kit', 'isolation', 'supervise'].map((folder) => `src/${folder}/**/*.test.ts`),
  'examples/plugins/**/*.test.ts',
];

// One project per lane, so that each can be run, timed and failed by itself (scripts/test.mjs).
export default defineConfig({
  test: {
    reporters: ['default'],
    projects: [
      { test: { name: 'unit', include: ['src/**/*.test.ts', 'scripts/*.test.mjs'], exclude: driverTests, pool: 'forks', maxWorkers: '100%', testTimeout: 60_000 } },
      // engines and machines of several files at once make each other late
      { test: { name: 'drivers', include: driverTests, pool: 'forks', testTimeout: 60_000 } },
      // they wait more than they work
      ...['e2e', 'compat', 'security'].map((name) => ({
        test: { name, include: [`test/${name}/**/*.test.ts`], pool: 'forks' as const, maxWorkers: 2, testTimeout: 120_000, hookTimeout: 120_000 },
      })),
      ...['network', 'faults', 'guest'].map((name) => ({
        test: { name, include: [`test/${name}/**/*.test.ts`], pool: 'forks' as const,
          fileParallelism: false, testTimeout: 120_000, hookTimeout: 120_000 },
      })),
    ],
  },
});
