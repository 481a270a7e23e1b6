/** Limits of a container. Pure. */
import type { TaskConfig } from '../../driver/contract.ts';
import type { EngineFacts } from '../../driver-kit/container-engine/engine-facts.ts';
import { type CgroupLimits, limitsOf } from '../../isolation/cgroup/limits.ts';
import { Fault } from '../../lib/fault.ts';
import type { PluginOptions, TaskOptions } from './options.ts';

/** Where neither operator nor job says how many. Unlike Nomad, which has no limit then. */
const defaultPids = 4096;

export function containerLimits(task: TaskConfig, plugin: PluginOptions, options: TaskOptions): CgroupLimits {
  const hard = options.memory_hard_limit;
  if (hard > 0 && hard < task.resources.memoryMb)
    throw new Fault('invalid', `memory_hard_limit ${hard} is less than memory ${task.resources.memoryMb}`);
  const resources = hard > 0 ? { ...task.resources, memoryMaxMb: hard } : task.resources;
  return limitsOf(resources, options.pids_limit || plugin.pids_limit || defaultPids);
}

/** The limits as the engine's HostConfig has them. */
export function limitFields(
  limits: CgroupLimits,
  task: TaskConfig,
  options: TaskOptions,
  facts: EngineFacts,
): Readonly<Record<string, unknown>> {
  const memory = limits.memoryBytes ?? 0;
  const period = options.cpu_cfs_period || 100_000;
  const quota = Math.max(1_000, Math.floor(task.resources.percentTicks * period * facts.processors));
  return {
    Memory: memory,
    MemoryReservation: limits.memoryLowBytes ?? 0,
    // no swap beyond the limit
    ...(memory > 0 ? { MemorySwap: memory } : {}),
    // version 2 of control groups has no such thing
    ...(memory > 0 && facts.cgroupVersion === 1 ? { MemorySwappiness: 0 } : {}),
    CpuShares: limits.cpuShares,
    ...(options.cpu_hard_limit ? { CpuPeriod: period, CpuQuota: quota } : {}),
    CpusetCpus: limits.cpusetCpus,
    PidsLimit: limits.pids,
    Ulimits: ulimits(options.ulimit),
    Sysctls: options.sysctl,
    ...(options.shm_size > 0 ? { ShmSize: options.shm_size } : {}),
  };
}

/** `{ nofile: "1024:2048" }` → soft and hard. */
function ulimits(given: Readonly<Record<string, string>>): readonly Readonly<Record<string, unknown>>[] {
  return Object.entries(given).map(([name, text]) => {
    const match = /^(-?\d+)(?::(-?\d+))?$/.exec(text.trim());
    if (match === null)
      throw new Fault('invalid', `ulimit ${name}: ${JSON.stringify(text)} is not "soft" or "soft:hard"`);
    const soft = Number(match[1]);
    return { Name: name, Soft: soft, Hard: match[2] === undefined ? soft : Number(match[2]) };
  });
}
