import { defineConfig } from 'vitest/config';

// Several daemons at once make each other late, and so do several machines.
const engineTests = ['src/drivers/{docker,podman}/**/*.test.ts', 'examples/plugins/lxc/**/*.test.ts'];
const machineTests = ['src/drivers/{qemu,microvm}/**/*.test.ts'];

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
      { test: { name: 'unit', include: ['src/**/*.test.ts', 'scripts/*.test.mjs'], exclude: [...driverTests, ...engineTests, ...machineTests], pool: 'forks', maxWorkers: '100%', testTimeout: 60_000 } },
      { test: { name: 'drivers', include: driverTests, exclude: [...engineTests, ...machineTests], pool: 'forks', maxWorkers: 2, testTimeout: 60_000 } },
      ...Object.entries({ engines: engineTests, machines: machineTests }).map(([name, include]) => ({
        test: { name, include, pool: 'forks' as const, fileParallelism: false, testTimeout: 120_000, hookTimeout: 120_000 },
      })),
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
