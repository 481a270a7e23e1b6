import { defineConfig } from 'vitest/config';

// Daemons and machines: several files of them at once make each other late.
const engineTests = [
  'src/drivers/{docker,podman,qemu,microvm}/**/*.test.ts',
  'examples/plugins/lxc/**/*.test.ts',
];

// What else needs real runtimes, supervisors and the kernel's own isolation.
const driverTests = [
  ...['drivers', 'driver-kit', 'isolation', 'supervise'].map((folder) => `src/${folder}/**/*.test.ts`),
  'examples/plugins/**/*.test.ts',
];

// One project per lane, so that each can be run, timed and failed by itself (scripts/test.mjs).
export default defineConfig({
  test: {
    reporters: ['default'],
    projects: [
      { test: { name: 'unit', include: ['src/**/*.test.ts', 'scripts/*.test.mjs'], exclude: [...driverTests, ...engineTests], pool: 'forks', maxWorkers: '100%', testTimeout: 60_000 } },
      { test: { name: 'drivers', include: driverTests, exclude: engineTests, pool: 'forks', maxWorkers: 2, testTimeout: 60_000 } },
      { test: { name: 'engines', include: engineTests, pool: 'forks', fileParallelism: false, testTimeout: 120_000, hookTimeout: 120_000 } },
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
