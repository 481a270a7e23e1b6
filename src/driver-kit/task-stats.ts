/** Usage counters → the samples of the driver contract. Percentages need two samples; the first has none. */
import { cpus } from 'node:os';
import type { TaskStats } from '../driver/contract.ts';
import type { Usage } from '../isolation/cgroup/usage.ts';

export interface UsageAt {
  /** Unix nanoseconds. */
  readonly at: bigint;
  readonly usage: Usage;
}

/** MHz of one core, for ticks; 0 where the system does not say. */
export function coreMhz(): number {
  const [first] = cpus();
  return first?.speed ?? 0;
}

/** Use between two moments. Percent of one core; without `before` all percentages are 0. `mhz`: of one core. */
export function statsOf(before: UsageAt | null, now: UsageAt, mhz: number): TaskStats {
  const elapsedNs = before === null ? 0 : Number(now.at - before.at);
  const percent = (pick: (usage: Usage) => number | null): number => {
    const [to, from] = [pick(now.usage), before === null ? null : pick(before.usage)];
    if (to === null || from === null || elapsedNs <= 0) return 0;
    return (Math.max(0, to - from) / elapsedNs) * 100;
  };
  const total = percent((usage) => usage.cpuNs);
  const { usage } = now;
  const measured = (rows: readonly (readonly [string, number | null])[]): readonly string[] =>
    rows.filter(([, value]) => value !== null).map(([name]) => name);
  return {
    timestamp: now.at,
    cpu: {
      systemMode: percent((each) => each.systemNs),
      userMode: percent((each) => each.userNs),
      totalTicks: (total / 100) * mhz,
      throttledPeriods: usage.throttledPeriods ?? 0,
      throttledTime: usage.throttledNs ?? 0,
      percent: total,
      measured: measured([
        ['System Mode', usage.systemNs],
        ['User Mode', usage.userNs],
        ['Throttled Periods', usage.throttledPeriods],
        ['Throttled Time', usage.throttledNs],
        ['Percent', usage.cpuNs],
      ]),
    },
    memory: {
      rss: usage.rss ?? 0,
      cache: usage.cache ?? 0,
      swap: usage.swap ?? 0,
      usage: usage.usage ?? 0,
      maxUsage: usage.maxUsage ?? 0,
      kernelUsage: usage.kernelUsage ?? 0,
      kernelMaxUsage: usage.kernelMaxUsage ?? 0,
      measured: measured([
        ['RSS', usage.rss],
        ['Cache', usage.cache],
        ['Swap', usage.swap],
        ['Usage', usage.usage],
        ['Max Usage', usage.maxUsage],
        ['Kernel Usage', usage.kernelUsage],
        ['Kernel Max Usage', usage.kernelMaxUsage],
      ]),
    },
  };
}
