/** What an author's hooks answer about ends and use, checked and made whole. */
import type { TaskExit, TaskStats } from '../driver/contract.ts';
import { wrongReturn } from './call-hook.ts';
import type { EngineExit, EngineStats } from './define-engine-driver.ts';

const whole = (value: unknown, most: number): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most;

/** `Fault('invalid')`: neither a code nor a signal. */
export function exitOf(driver: string, given: unknown): TaskExit {
  const { exitCode, signal = 0, oomKilled = false, message } = (given ?? {}) as EngineExit;
  const code = exitCode ?? (signal > 0 ? 128 + signal : undefined);
  if (!whole(signal, 64) || code === undefined || !Number.isInteger(code) || typeof oomKilled !== 'boolean')
    throw wrongReturn(driver, 'wait', 'an end such as { exitCode: 0 } or { signal: 9 }', given);
  return { exitCode: code, signal, oomKilled, ...(typeof message === 'string' ? { message } : {}) };
}

const cpuNames = { cpuPercent: 'Percent', cpuUserPercent: 'User Mode', cpuSystemPercent: 'System Mode' } as const;
const memoryNames = {
  memoryBytes: 'Usage',
  memoryRssBytes: 'RSS',
  memoryCacheBytes: 'Cache',
  memoryMaxBytes: 'Max Usage',
} as const;

/** `Fault('invalid')`: something that is no number, or a name that means nothing. */
export function statsOfEngine(driver: string, given: unknown, at: bigint): TaskStats {
  if (typeof given !== 'object' || given === null)
    throw wrongReturn(driver, 'stats', 'what was measured, such as { memoryBytes: 1024 }', given);
  const known = new Set<string>([...Object.keys(cpuNames), ...Object.keys(memoryNames)]);
  for (const [name, value] of Object.entries(given)) {
    if (!known.has(name)) throw wrongReturn(driver, 'stats', `only ${[...known].join(', ')}`, { [name]: value });
    if (value !== undefined && (typeof value !== 'number' || !Number.isFinite(value) || value < 0))
      throw wrongReturn(driver, 'stats', `numbers that are not negative; ${name} is none`, value);
  }
  const stats = given as EngineStats;
  const measured = (names: Readonly<Record<string, string>>): string[] =>
    Object.entries(names).flatMap(([name, label]) => (stats[name as keyof EngineStats] === undefined ? [] : [label]));
  return {
    timestamp: at,
    cpu: {
      percent: stats.cpuPercent ?? 0,
      userMode: stats.cpuUserPercent ?? 0,
      systemMode: stats.cpuSystemPercent ?? 0,
      totalTicks: 0,
      throttledPeriods: 0,
      throttledTime: 0,
      measured: measured(cpuNames),
    },
    memory: {
      usage: stats.memoryBytes ?? 0,
      rss: stats.memoryRssBytes ?? 0,
      cache: stats.memoryCacheBytes ?? 0,
      maxUsage: stats.memoryMaxBytes ?? 0,
      swap: 0,
      kernelUsage: 0,
      kernelMaxUsage: 0,
      measured: measured(memoryNames),
    },
  };
}
