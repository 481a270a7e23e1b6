import { expect, it } from 'vitest';
import type { TaskStats } from '../driver/contract.ts';
import { allocationUsage, taskUsage } from './resource-usage.ts';

const cpu = { systemMode: 0, userMode: 0, totalTicks: 3, throttledPeriods: 0, throttledTime: 0, percent: 0 };
const memory = {
  rss: 5,
  cache: 0,
  swap: 0,
  usage: 0,
  maxUsage: 0,
  kernelUsage: 0,
  kernelMaxUsage: 0,
  measured: ['RSS'],
};

it('has no processor figures where the driver measures none, and sums up what is there', () => {
  const silent = taskUsage({ timestamp: 1n, cpu: { ...cpu, measured: [] }, memory } satisfies TaskStats);
  expect(silent.ResourceUsage?.CpuStats).toBeNull();
  const told = taskUsage({ timestamp: 2n, cpu: { ...cpu, measured: ['Total Ticks'] }, memory } satisfies TaskStats);
  const { ResourceUsage, Timestamp } = allocationUsage({ a: silent, b: told });
  expect(ResourceUsage?.MemoryStats).toMatchObject({ RSS: 10, Measured: ['RSS'] });
  expect(ResourceUsage?.CpuStats).toMatchObject({ TotalTicks: 3, Measured: ['Total Ticks'] });
  expect(Timestamp).toBe(2);
});
