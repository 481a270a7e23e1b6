/** The figures of a node that dashboards read, under Nomad's names. Pure. */
import type { Allocation } from '../model/allocation.ts';
import type { HostStats } from '../model/host-stats.ts';
import { rungs } from '../model/isolation-ladder.ts';
import { isolationLosses } from '../model/isolation-losses.ts';
import type { IsolationReport } from '../model/isolation-report.ts';
import type { Node } from '../model/node.ts';
import type { AllocationUpdate } from './server-connection.ts';

/** An allocation this node knows, with what its tasks are doing. */
export type KnownAllocation = Pick<Allocation, 'ID' | 'AllocatedResources'> &
  Pick<AllocationUpdate, 'ClientStatus' | 'TaskStates'> & {
    /** Of each task that runs and whose driver tells it. */
    readonly isolation: readonly IsolationReport[];
  };

export interface Gauge {
  readonly name: string;
  readonly value: number;
  readonly labels: { readonly [label: string]: string };
}

type Figures = { readonly [name: string]: number };

export function nodeGauges(node: Node, allocations: readonly KnownAllocation[], host: HostStats): readonly Gauge[] {
  const labels = nodeLabels(node);
  const gauges = (figures: Figures, more: { readonly [label: string]: string } = {}): readonly Gauge[] =>
    Object.entries(figures).map(([name, value]) => ({
      name: `nomad.client.${name}`,
      value,
      labels: { ...labels, ...more },
    }));
  return [
    ...gauges(roomFigures(node, allocations)),
    ...gauges(stateFigures(allocations)),
    ...isolationFigures(allocations).flatMap(({ rung, tasks }) => gauges({ 'isolation.tasks': tasks }, { rung })),
    ...gauges({ 'isolation.degraded': degraded(allocations) }),
    ...gauges(memoryFigures(host)),
    ...(host.CPU ?? []).flatMap((core) =>
      gauges(
        {
          'host.cpu.idle': core.Idle,
          'host.cpu.system': core.System,
          // the name before total_percent, which dashboards still ask for
          'host.cpu.total': core.TotalPercent,
          'host.cpu.total_percent': core.TotalPercent,
          'host.cpu.total_ticks': core.TotalTicks,
          'host.cpu.user': core.User,
        },
        { cpu: core.CPU },
      ),
    ),
    ...(host.DiskStats ?? []).flatMap((disk) =>
      gauges(
        {
          'host.disk.available': disk.Available,
          'host.disk.inodes_percent': disk.InodesUsedPercent,
          'host.disk.size': disk.Size,
          'host.disk.used': disk.Used,
          'host.disk.used_percent': disk.UsedPercent,
        },
        { disk: disk.Device },
      ),
    ),
    ...gauges({ uptime: host.Uptime }),
  ];
}

function nodeLabels(node: Node): { readonly [label: string]: string } {
  return {
    datacenter: node.Datacenter,
    host: node.Attributes?.['unique.hostname'] ?? node.Name,
    node_class: node.NodeClass || 'none',
    node_id: node.ID,
    node_pool: node.NodePool,
    node_scheduling_eligibility: node.SchedulingEligibility || 'eligible',
    node_status: node.Status,
  };
}

/** CPU in MHz, memory and disk in MiB; what ended takes up nothing. */
function roomFigures(node: Node, allocations: readonly KnownAllocation[]): Figures {
  let [cpu, memory, maxMemory, disk] = [0, 0, 0, 0];
  for (const { AllocatedResources: given, ClientStatus } of allocations) {
    if (given === null || isOver(ClientStatus)) continue;
    disk += given.Shared.DiskMB;
    for (const task of Object.values(given.Tasks ?? {})) {
      cpu += task.Cpu.CpuShares;
      memory += task.Memory.MemoryMB;
      maxMemory += task.Memory.MemoryMaxMB || task.Memory.MemoryMB;
    }
  }
  const { NodeResources: all, ReservedResources: kept } = node;
  const free = (total = 0, reserved = 0, used = 0): number => total - reserved - used;
  return {
    'allocated.cpu': cpu,
    'allocated.disk': disk,
    'allocated.max_memory': maxMemory,
    'allocated.memory': memory,
    'unallocated.cpu': free(all?.Cpu.CpuShares, kept?.Cpu.CpuShares, cpu),
    'unallocated.disk': free(all?.Disk.DiskMB, kept?.Disk.DiskMB, disk),
    'unallocated.memory': free(all?.Memory.MemoryMB, kept?.Memory.MemoryMB, memory),
  };
}

const isOver = (status: string): boolean => status === 'complete' || status === 'failed' || status === 'lost';

function stateFigures(allocations: readonly KnownAllocation[]): Figures {
  const count = (test: (allocation: KnownAllocation) => boolean): number => allocations.filter(test).length;
  const tasks = allocations.flatMap(({ TaskStates }) => Object.values(TaskStates ?? {}));
  const inState = (state: string): number => tasks.filter((task) => task.State === state).length;
  return {
    'allocations.blocked': 0,
    'allocations.migrating': 0,
    'allocations.pending': count(({ ClientStatus }) => ClientStatus === 'pending'),
    'allocations.running': count(({ ClientStatus }) => ClientStatus === 'running'),
    'allocations.terminal': count(({ ClientStatus }) => isOver(ClientStatus)),
    'tasks.dead': inState('dead'),
    'tasks.pending': inState('pending'),
    'tasks.running': inState('running'),
  };
}

/** Running tasks by the rung they were verified to have. */
function isolationFigures(
  allocations: readonly KnownAllocation[],
): readonly { readonly rung: string; readonly tasks: number }[] {
  const reports = allocations.flatMap(({ isolation }) => isolation);
  return rungs.map((rung) => ({ rung, tasks: reports.filter((each) => each.rung === rung).length }));
}

/** Running tasks that miss a line they could have had by their own job. */
function degraded(allocations: readonly KnownAllocation[]): number {
  return allocations
    .flatMap(({ isolation }) => isolation)
    .filter(({ wanted, mechanisms }) => isolationLosses(wanted, mechanisms).length > 0).length;
}

function memoryFigures({ Memory: memory }: HostStats): Figures {
  if (memory === null) return {};
  return {
    'host.memory.available': memory.Available,
    'host.memory.free': memory.Free,
    'host.memory.total': memory.Total,
    'host.memory.used': memory.Used,
  };
}
