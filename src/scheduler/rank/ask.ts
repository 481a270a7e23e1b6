/** What one allocation of a group takes of a node, and whether the node has it. */
import type { AllocatedResources, AllocatedTaskResources } from '../../model/allocated-resources.ts';
import type { NetworkResource } from '../../model/network.ts';
import type { Task } from '../../model/task.ts';
import type { TaskGroup } from '../../model/task-group.ts';
import { maximumAllocations, type Use, useOf } from '../fit.ts';
import type { NodeRoom } from '../node-room.ts';
import { offerPorts, type Taken } from './ports.ts';

export interface Ask {
  readonly group: TaskGroup;
  /** Resources that are the same on every node: ports and cores are added where they are asked for. */
  readonly base: AllocatedResources;
  readonly use: Use;
  readonly network: NetworkResource | null;
  /** The network has ports with a fixed number. */
  readonly fixedPorts: boolean;
  readonly cores: number;
  /** Some task asks for a network of its own (deprecated). */
  readonly taskNetworks: boolean;
}

/** `oversubscription`: whether tasks may use more memory than they reserve. */
export function askOf(group: TaskGroup, oversubscription: boolean): Ask {
  const base: AllocatedResources = {
    Tasks: Object.fromEntries(group.Tasks.map((task) => [task.Name, taskResources(task, oversubscription)])),
    Shared: { DiskMB: group.EphemeralDisk.SizeMB, Networks: null, Ports: null },
    TaskLifecycles: Object.fromEntries(group.Tasks.map((task) => [task.Name, task.Lifecycle])),
  };
  return {
    group,
    base,
    use: useOf(base),
    network: group.Networks?.[0] ?? null,
    fixedPorts: (group.Networks?.[0]?.ReservedPorts ?? []).length > 0,
    cores: group.Tasks.reduce((sum, task) => sum + task.Resources.Cores, 0),
    taskNetworks: group.Tasks.some((task) => (task.Resources.Networks ?? []).length > 0),
  };
}

function taskResources({ Resources }: Task, oversubscription: boolean): AllocatedTaskResources {
  return {
    Cpu: { CpuShares: Resources.Cores > 0 ? 0 : Resources.CPU, ReservedCores: null },
    Memory: { MemoryMB: Resources.MemoryMB, MemoryMaxMB: oversubscription ? Resources.MemoryMaxMB : 0 },
    Networks: null,
    Devices: null,
  };
}

/** What a node would give, dynamic ports aside: those are chosen on the node that is taken. */
export function useOn(ask: Ask, room: NodeRoom): Use | readonly string[] {
  const missing: string[] = [];
  let { use } = ask;
  if (ask.cores > 0) {
    const withCores = addCores(ask, room);
    if (withCores === undefined) missing.push('cores');
    else use = useOf(withCores);
  }
  if (room.cpu + use.cpu > room.capacity.cpu) missing.push('cpu');
  if (room.memory + use.memory > room.capacity.memory) missing.push('memory');
  if (room.disk + use.disk > room.capacity.disk) missing.push('disk');
  if (room.node.NodeMaxAllocs > 0 && room.count >= room.node.NodeMaxAllocs) missing.push(maximumAllocations);
  if (ask.fixedPorts) {
    const given = offerPorts(ask.network!, room, new Map(), undefined);
    if (typeof given === 'string') missing.push(`network: ${given}`);
  }
  return missing.length > 0 ? missing : use;
}

/** The resources themselves, ports and cores chosen; a text: what there is too little of after all. */
export function take(ask: Ask, room: NodeRoom, random: () => number): AllocatedResources | string {
  const resources = ask.cores > 0 ? addCores(ask, room) : ask.base;
  if (resources === undefined) return 'cores';
  if (ask.network === null && !ask.taskNetworks) return resources;
  const withPorts = addPorts(ask, resources, room, random);
  return typeof withPorts === 'string' ? `network: ${withPorts}` : withPorts;
}

/** Whole cores: their share of the node's MHz is the task's. */
function addCores(ask: Ask, room: NodeRoom): AllocatedResources | undefined {
  const free = [...room.freeCores()];
  if (free.length < ask.cores) return undefined;
  const cpu = room.node.NodeResources?.Cpu;
  const perCore = cpu === undefined || cpu.TotalCpuCores === 0 ? 0 : Math.floor(cpu.CpuShares / cpu.TotalCpuCores);
  const tasks: { [name: string]: AllocatedTaskResources } = { ...ask.base.Tasks };
  for (const { Name, Resources } of ask.group.Tasks) {
    if (Resources.Cores === 0) continue;
    const ReservedCores = free.splice(0, Resources.Cores);
    tasks[Name] = { ...tasks[Name]!, Cpu: { CpuShares: perCore * Resources.Cores, ReservedCores } };
  }
  return { ...ask.base, Tasks: tasks };
}

function addPorts(
  ask: Ask,
  resources: AllocatedResources,
  room: NodeRoom,
  random: () => number,
): AllocatedResources | string {
  const taken: Taken = new Map();
  let { Shared, Tasks } = resources;
  if (ask.network !== null) {
    const given = offerPorts(ask.network, room, taken, random);
    if (typeof given === 'string') return given;
    Shared = { ...Shared, Networks: [given.network], Ports: given.ports.length > 0 ? given.ports : null };
  }
  for (const task of ask.group.Tasks) {
    const network = task.Resources.Networks?.[0];
    if (network === undefined) continue;
    const given = offerPorts(network, room, taken, random);
    if (typeof given === 'string') return given;
    Tasks = { ...Tasks, [task.Name]: { ...Tasks![task.Name]!, Networks: [given.network] } };
  }
  return { ...resources, Shared, Tasks };
}
