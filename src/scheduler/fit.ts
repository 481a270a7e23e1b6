/** What allocations take of a node, and whether that fits. Asked by the scheduler, and again by the plan applier on the newest state. */
import type { AllocatedResources } from '../model/allocated-resources.ts';
import type { Allocation } from '../model/allocation.ts';
import type { Node } from '../model/node.ts';
import { type PortClaim, parsePorts, portClaims } from './port-claims.ts';

/** MHz and MB. */
export interface Use {
  readonly cpu: number;
  readonly memory: number;
  readonly disk: number;
  /** Processor cores that nobody else has. */
  readonly cores: readonly number[];
}

export interface Fit {
  readonly fits: boolean;
  /** What there is too little of, as clients show it: `cpu`, `memory`, `disk`, `cores`, `network: …`; empty where it fits. */
  readonly dimension: string;
}

/** Ended, or told to end: it counts no more. */
export function isTerminal(allocation: Allocation): boolean {
  return allocation.DesiredStatus !== 'run' || isClientTerminal(allocation);
}

export function isClientTerminal({ ClientStatus }: Allocation): boolean {
  return ClientStatus === 'complete' || ClientStatus === 'failed' || ClientStatus === 'lost';
}

/** Do all of these (the ended ones do not count) fit on the node together? Costs as much as there are allocations given. */
export function allocationsFit(node: Node, allocations: Iterable<Allocation>): Fit {
  const capacity = capacityOf(node);
  const used = { cpu: 0, memory: 0, disk: 0 };
  const cores = new Set<number>();
  const claims: PortClaim[] = [];
  let count = 0;
  for (const allocation of allocations) {
    if (isTerminal(allocation)) continue;
    count++;
    const use = useOf(allocation.AllocatedResources);
    used.cpu += use.cpu;
    used.memory += use.memory;
    used.disk += use.disk;
    for (const core of use.cores) {
      if (cores.has(core)) return { fits: false, dimension: 'cores' };
      cores.add(core);
    }
    claims.push(...portClaims(allocation.AllocatedResources));
  }
  for (const dimension of ['cpu', 'memory', 'disk'] as const) {
    if (used[dimension] > capacity[dimension]) return { fits: false, dimension };
  }
  if (node.NodeMaxAllocs > 0 && count > node.NodeMaxAllocs) return { fits: false, dimension: maximumAllocations };
  const collision = firstCollision(node, claims);
  if (collision !== undefined) return { fits: false, dimension: `network: ${collision}` };
  return { fits: true, dimension: '' };
}

/** The dimension of a node that takes no more allocations, whatever their size. */
export const maximumAllocations = 'max allocations';

function firstCollision(node: Node, claims: readonly PortClaim[]): string | undefined {
  if (claims.length === 0) return undefined;
  const reserved = parsePorts(node.ReservedResources?.Networks.ReservedHostPorts ?? '');
  const taken = new Set<string>();
  for (const { ip, port, label, shared } of claims) {
    if (shared) continue;
    const key = `${ip}:${port}`;
    if (taken.has(key) || reserved.has(port)) return `reserved port collision ${label}=${port}`;
    taken.add(key);
  }
  return undefined;
}

const capacities = new WeakMap<Node, Use>();

/** What a node has for allocations: all of it less what its operator keeps back. */
export function capacityOf(node: Node): Use {
  const found = capacities.get(node);
  if (found !== undefined) return found;
  const { NodeResources: has, ReservedResources: kept } = node;
  const keptCores = new Set(kept?.Cpu.ReservedCpuCores ?? []);
  const capacity = {
    cpu: Math.max(0, (has?.Cpu.CpuShares ?? 0) - (kept?.Cpu.CpuShares ?? 0)),
    memory: Math.max(0, (has?.Memory.MemoryMB ?? 0) - (kept?.Memory.MemoryMB ?? 0)),
    disk: Math.max(0, (has?.Disk.DiskMB ?? 0) - (kept?.Disk.DiskMB ?? 0)),
    cores: (has?.Cpu.ReservableCpuCores ?? []).filter((core) => !keptCores.has(core)),
  };
  capacities.set(node, capacity);
  return capacity;
}

const uses = new WeakMap<AllocatedResources, Use>();
const nothing: Use = { cpu: 0, memory: 0, disk: 0, cores: [] };

/**
 * Tasks that never run at the same time share: prestart tasks are over before the main ones begin, poststop ones begin when those ended;
 * sidecars run beside all.
 */
export function useOf(resources: AllocatedResources | null): Use {
  if (resources === null) return nothing;
  const found = uses.get(resources);
  if (found !== undefined) return found;
  const cpu = { sidecar: 0, before: 0, main: 0, after: 0 };
  const memory = { sidecar: 0, before: 0, main: 0, after: 0 };
  const cores: number[] = [];
  for (const [name, task] of Object.entries(resources.Tasks ?? {})) {
    const phase = phaseOf(resources.TaskLifecycles?.[name] ?? null);
    cpu[phase] += task.Cpu.CpuShares;
    memory[phase] += task.Memory.MemoryMB;
    cores.push(...(task.Cpu.ReservedCores ?? []));
  }
  const use = {
    cpu: cpu.sidecar + Math.max(cpu.before, cpu.main, cpu.after),
    memory: memory.sidecar + Math.max(memory.before, memory.main, memory.after),
    disk: resources.Shared.DiskMB,
    cores,
  };
  uses.set(resources, use);
  return use;
}

function phaseOf(
  lifecycle: { readonly Hook: string; readonly Sidecar: boolean } | null,
): 'sidecar' | 'before' | 'main' | 'after' {
  if (lifecycle === null || lifecycle.Hook === '') return 'main';
  if (lifecycle.Sidecar) return 'sidecar';
  if (lifecycle.Hook === 'prestart') return 'before';
  return lifecycle.Hook === 'poststop' ? 'after' : 'main';
}
