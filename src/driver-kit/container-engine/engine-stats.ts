/** What the engine measured of a container → the counters that samples are made of. Pure. */
import type { Usage } from '../../isolation/cgroup/usage.ts';
import { numberAt } from './engine-answers.ts';

/** The engine counts by version 1 or 2 of control groups; what it does not count is null. */
export function usageOf(answer: unknown): Usage {
  const memory = (...path: string[]): number | null => numberAt(answer, 'memory_stats', ...path);
  const cpu = (...path: string[]): number | null => numberAt(answer, 'cpu_stats', ...path);
  return {
    cpuNs: cpu('cpu_usage', 'total_usage'),
    userNs: cpu('cpu_usage', 'usage_in_usermode'),
    systemNs: cpu('cpu_usage', 'usage_in_kernelmode'),
    throttledPeriods: cpu('throttling_data', 'throttled_periods'),
    throttledNs: cpu('throttling_data', 'throttled_time'),
    rss: memory('stats', 'total_rss') ?? memory('stats', 'rss') ?? memory('stats', 'anon'),
    cache: memory('stats', 'total_cache') ?? memory('stats', 'cache') ?? memory('stats', 'file'),
    swap: memory('stats', 'total_swap') ?? memory('stats', 'swap'),
    usage: memory('usage'),
    maxUsage: memory('max_usage'),
    kernelUsage: memory('stats', 'kernel_stack'),
    kernelMaxUsage: null,
  };
}
