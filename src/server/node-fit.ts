/**
 * Does what is planned for a node fit on it, beside what is there already? Asked again by the plan applier on the newest state, because a
 * plan was made on an older one: whatever the scheduler thought, nothing is given twice.
 */
import type { Allocation } from '../model/allocation.ts';
import type { Node } from '../model/node.ts';

/** Why not; undefined: it fits. */
export function fitProblem(node: Node, allocations: Iterable<Allocation>): string | undefined {
  const room = roomOf(node);
  const used = { cpu: 0, memory: 0, disk: 0 };
  const taken = new Set<string>();
  const reserved = new Set(portsOf(node.ReservedResources?.Networks.ReservedHostPorts ?? ''));
  for (const allocation of allocations) {
    addUse(used, allocation);
    for (const claim of claimsOf(allocation)) {
      if (taken.has(claim) || reserved.has(Number(claim.slice(claim.lastIndexOf(':') + 1)))) return `${claim} is taken`;
      taken.add(claim);
    }
  }
  if (used.cpu > room.cpu) return 'cpu';
  if (used.memory > room.memory) return 'memory';
  if (used.disk > room.disk) return 'disk';
  return undefined;
}

interface Use {
  cpu: number;
  memory: number;
  disk: number;
}

function roomOf(node: Node): Use {
  const { NodeResources: has, ReservedResources: reserved } = node;
  return {
    cpu: (has?.Cpu.CpuShares ?? 0) - (reserved?.Cpu.CpuShares ?? 0),
    memory: (has?.Memory.MemoryMB ?? 0) - (reserved?.Memory.MemoryMB ?? 0),
    disk: (has?.Disk.DiskMB ?? 0) - (reserved?.Disk.DiskMB ?? 0),
  };
}

/**
 * Tasks that run one after another share: what counts is the most that runs at once. Prestart tasks are over before the main ones begin,
 * poststop ones begin after they ended; sidecars run beside all.
 */
function addUse(used: Use, { AllocatedResources: resources }: Allocation): void {
  if (resources === null) return;
  const phases = {
    always: { cpu: 0, memory: 0 },
    before: { cpu: 0, memory: 0 },
    main: { cpu: 0, memory: 0 },
    after: { cpu: 0, memory: 0 },
  };
  for (const [task, { Cpu, Memory }] of Object.entries(resources.Tasks ?? {})) {
    const lifecycle = resources.TaskLifecycles?.[task] ?? null;
    const phase = phases[phaseOf(lifecycle)];
    phase.cpu += Cpu.CpuShares;
    phase.memory += Memory.MemoryMB;
  }
  const { always, before, main, after } = phases;
  used.cpu += always.cpu + Math.max(before.cpu, main.cpu, after.cpu);
  used.memory += always.memory + Math.max(before.memory, main.memory, after.memory);
  used.disk += resources.Shared.DiskMB;
}

function phaseOf(
  lifecycle: { readonly Hook: string; readonly Sidecar: boolean } | null,
): 'always' | 'before' | 'main' | 'after' {
  if (lifecycle === null || lifecycle.Hook === '') return 'main';
  if (lifecycle.Sidecar) return 'always';
  if (lifecycle.Hook === 'prestart') return 'before';
  return lifecycle.Hook === 'poststop' ? 'after' : 'main';
}

/** What only one can have: ports, device instances, cores. */
function claimsOf({ AllocatedResources: resources }: Allocation): ReadonlySet<string> {
  const claims = new Set<string>();
  if (resources === null) return claims;
  const addNetworks = (networks: typeof resources.Shared.Networks): void => {
    for (const network of networks ?? []) {
      for (const port of [...(network.ReservedPorts ?? []), ...(network.DynamicPorts ?? [])]) {
        if ((port.Value ?? 0) > 0 && !port.IgnoreCollision) claims.add(`port ${network.IP}:${port.Value}`);
      }
    }
  };
  addNetworks(resources.Shared.Networks);
  for (const task of Object.values(resources.Tasks ?? {})) {
    addNetworks(task.Networks);
    for (const core of task.Cpu.ReservedCores ?? []) claims.add(`core ${core}:`);
    for (const device of task.Devices ?? []) {
      for (const id of device.DeviceIDs ?? [])
        claims.add(`device ${device.Vendor}/${device.Type}/${device.Name} ${id}:`);
    }
  }
  return claims;
}

/** `"22,8000-8010"` → 22, 8000, … */
function* portsOf(text: string): Iterable<number> {
  for (const part of text.split(',')) {
    const match = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(part);
    if (match === null) continue;
    for (let port = Number(match[1]); port <= Number(match[2] ?? match[1]); port++) yield port;
  }
}
