import { defineConfig } from 'vitest/config';

// Several daemons of a kind at once make each other late, and so do several machines.
const dockerTests = ['src/drivers/docker/**/*.test.ts', 'test/engines/**/*.test.ts'];
const podmanTests = ['src/drivers/podman/**/*.test.ts', 'examples/plugins/lxc/**/*.test.ts'];
const machineTests = ['src/drivers/{qemu,microvm}/**/*.test.ts'];

// What else needs real runtimes, supervisors and the kernel's own isolation.
const driverTests = [
  ...['drivers', 'driver-kit', 'isolation', 'supervise'].map((folder) => `src/${folder}/**/*.test.ts`),
  'examples/plugins/**/*.test.ts',
];

interface Files {
  readonly include: readonly string[];
  readonly exclude?: readonly string[];
  /** Files at once. */
  readonly maxWorkers: number | string;
  /** Default true; false: files that leave no state, whose modules each worker reads once. */
  readonly isolate?: boolean;
}

/** Limits are for a machine that does other things too: what passes does not wait for them. */
const project = (name: string, { include, exclude = [], maxWorkers, isolate = true }: Files) => ({
  test: {
    name, include: [...include], exclude: [...exclude], maxWorkers, isolate, pool: 'forks' as const,
    testTimeout: 120_000, hookTimeout: 120_000, expect: { poll: { timeout: 15_000 } },
  },
});
const folder = (name: string, maxWorkers: number) => project(name, { include: [`test/${name}/**/*.test.ts`], maxWorkers });

// One project per lane, so that each can be run, timed and failed by itself (scripts/test.mjs).
export default defineConfig({
  test: {
    reporters: ['default'],
    projects: [
      project('unit', {
        include: ['src/**/*.test.ts', 'scripts/*.test.mjs'],
        exclude: [...driverTests, ...dockerTests, ...podmanTests, ...machineTests],
        maxWorkers: '100%', isolate: false,
      }),
      project('drivers', { include: driverTests, exclude: [...dockerTests, ...podmanTests, ...machineTests], maxWorkers: 2 }),
      project('docker', { include: dockerTests, maxWorkers: 1 }),
      project('podman', { include: podmanTests, maxWorkers: 1 }),
      project('machines', { include: machineTests, maxWorkers: 1 }),
      // they wait more than they work
      ...['e2e', 'compat', 'security'].map((name) => folder(name, 2)),
      ...['network', 'faults', 'guest'].map((name) => folder(name, 1)),
    ],
  },
});
