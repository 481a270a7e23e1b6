/** What an allocation uses: one sample of each task's driver, and their sum. */
import type { TaskStats } from '../driver/contract.ts';
import type {
  AllocResourceUsage,
  CpuStats,
  MemoryStats,
  ResourceUsage,
  TaskResourceUsage,
} from '../model/resource-usage.ts';

export function taskUsage(stats: TaskStats): TaskResourceUsage {
  return {
    ResourceUsage: {
      CpuStats:
        stats.cpu.measured.length === 0
          ? null
          : {
              SystemMode: stats.cpu.systemMode,
              UserMode: stats.cpu.userMode,
              TotalTicks: stats.cpu.totalTicks,
              ThrottledPeriods: stats.cpu.throttledPeriods,
              ThrottledTime: stats.cpu.throttledTime,
              Percent: stats.cpu.percent,
              Measured: stats.cpu.measured,
            },
      MemoryStats: {
        RSS: stats.memory.rss,
        Cache: stats.memory.cache,
        MappedFile: 0,
        Swap: stats.memory.swap,
        Usage: stats.memory.usage,
        MaxUsage: stats.memory.maxUsage,
        KernelUsage: stats.memory.kernelUsage,
        KernelMaxUsage: stats.memory.kernelMaxUsage,
        Measured: stats.memory.measured,
      },
      DeviceStats: null,
    },
    Timestamp: Number(stats.timestamp),
    Pids: null,
  };
}

export function allocationUsage(tasks: Readonly<Record<string, TaskResourceUsage>>): AllocResourceUsage {
  const all = Object.values(tasks);
  const usages = all.map((task) => task.ResourceUsage).filter((usage): usage is ResourceUsage => usage !== null);
  return {
    ResourceUsage: {
      CpuStats: sum(
        noCpu,
        usages.map((usage) => usage.CpuStats),
      ),
      MemoryStats: sum(
        noMemory,
        usages.map((usage) => usage.MemoryStats),
      ),
      DeviceStats: [],
    },
    Tasks: tasks,
    Timestamp: Math.max(0, ...all.map((task) => task.Timestamp)),
  };
}

const noCpu: CpuStats = {
  SystemMode: 0,
  UserMode: 0,
  TotalTicks: 0,
  ThrottledPeriods: 0,
  ThrottledTime: 0,
  Percent: 0,
  Measured: null,
};

const noMemory: MemoryStats = {
  RSS: 0,
  Cache: 0,
  MappedFile: 0,
  Swap: 0,
  Usage: 0,
  MaxUsage: 0,
  KernelUsage: 0,
  KernelMaxUsage: 0,
  Measured: null,
};

/** Adds number by number; what is measured is what any of them measures. */
function sum<T extends CpuStats | MemoryStats>(zero: T, parts: readonly (T | null)[]): T {
  let total: Record<string, unknown> = { ...zero };
  for (const part of parts) {
    if (part === null) continue;
    const measured = new Set([...((total['Measured'] as string[] | null) ?? []), ...(part.Measured ?? [])]);
    total = Object.fromEntries(
      Object.entries(total).map(([key, value]) => [
        key,
        typeof value === 'number' ? value + Number(part[key as keyof T]) : value,
      ]),
    );
    total['Measured'] = measured.size === 0 ? null : [...measured];
  }
  return total as T;
}
