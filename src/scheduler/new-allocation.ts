import { zeroInstant } from '../lib/instant.ts';
import type { AllocatedResources } from '../model/allocated-resources.ts';
import type { Allocation } from '../model/allocation.ts';
import type { AllocationMetric } from '../model/allocation-metric.ts';
import type { Job } from '../model/job.ts';
import type { Namespace } from '../model/namespace.ts';
import type { NetworkResource } from '../model/network.ts';
import type { Node } from '../model/node.ts';
import type { RescheduleTracker } from '../model/reschedule-tracker.ts';
import type { Resources } from '../model/resources.ts';

export interface NewAllocation {
  readonly id: string;
  readonly name: string;
  readonly group: string;
  readonly job: Job;
  readonly namespace: Pick<Namespace, 'Isolation'> | undefined;
  readonly evaluationId: string;
  readonly node: Node;
  readonly resources: AllocatedResources;
  readonly metric: AllocationMetric | null;
  readonly previous: Allocation | null;
  readonly tracker: RescheduleTracker | null;
  readonly deploymentId: string;
  readonly canary: boolean;
  /** Unix nanoseconds. */
  readonly now: number;
}

/** The row of an allocation that is to begin; its indexes are stamped by who writes it. */
export function newAllocation(made: NewAllocation): Allocation {
  return {
    ID: made.id,
    Namespace: made.job.Namespace,
    EvalID: made.evaluationId,
    Name: made.name,
    NodeID: made.node.ID,
    NodeName: made.node.Name,
    JobID: made.job.ID,
    Job: null,
    JobVersion: made.job.Version,
    TaskGroup: made.group,
    ...legacyOf(made.resources),
    AllocatedResources: made.resources,
    Services: null,
    Metrics: made.metric,
    DesiredStatus: 'run',
    DesiredDescription: '',
    DesiredTransition: noTransition,
    ClientStatus: 'pending',
    ClientDescription: '',
    TaskStates: null,
    DeploymentID: made.deploymentId,
    DeploymentStatus: made.canary ? unknownCanary : null,
    FollowupEvalID: '',
    PreviousAllocation: made.previous?.ID ?? '',
    NextAllocation: '',
    RescheduleTracker: made.tracker,
    NetworkStatus: null,
    PreemptedAllocations: null,
    PreemptedByAllocation: '',
    CreateIndex: 0,
    ModifyIndex: 0,
    AllocModifyIndex: 0,
    CreateTime: made.now,
    ModifyTime: made.now,
    AllocStates: null,
    ...(made.namespace?.Isolation == null ? {} : { NamespaceIsolation: made.namespace.Isolation }),
  };
}

/** Nobody knows yet whether it is healthy. */
const unknownCanary = { Healthy: null, Timestamp: zeroInstant, Canary: true, ModifyIndex: 0 };

const noTransition = {
  Migrate: null,
  Reschedule: null,
  ForceReschedule: null,
  NoShutdownDelay: null,
  MigrateDisablePlacement: null,
};

interface Legacy {
  readonly Resources: Resources;
  readonly TaskResources: { readonly [task: string]: Resources };
  readonly SharedResources: Resources;
}

const known = new WeakMap<AllocatedResources, Legacy>();

/** The shapes of before Nomad 0.9, which its API still shows. */
function legacyOf(resources: AllocatedResources): Legacy {
  const found = known.get(resources);
  if (found !== undefined) return found;
  const { Shared } = resources;
  const tasks = Object.entries(resources.Tasks ?? {});
  const taskNetworks = tasks.flatMap(([, task]) => task.Networks ?? []);
  const networks = [...(Shared.Networks ?? []), ...taskNetworks];
  const sum = (value: (task: (typeof tasks)[number][1]) => number): number =>
    tasks.reduce((total, [, task]) => total + value(task), 0);
  const legacy = {
    Resources: {
      ...oldResources(networks),
      CPU: sum(({ Cpu }) => Cpu.CpuShares),
      MemoryMB: sum(({ Memory }) => Memory.MemoryMB),
      MemoryMaxMB: sum(({ Memory }) => (Memory.MemoryMaxMB > 0 ? Memory.MemoryMaxMB : Memory.MemoryMB)),
      DiskMB: Shared.DiskMB,
    },
    TaskResources: Object.fromEntries(
      tasks.map(([name, { Cpu, Memory, Networks }]) => [
        name,
        {
          ...oldResources(Networks ?? []),
          CPU: Cpu.CpuShares,
          MemoryMB: Memory.MemoryMB,
          MemoryMaxMB: Memory.MemoryMaxMB,
        },
      ]),
    ),
    SharedResources: { ...oldResources(Shared.Networks ?? []), DiskMB: Shared.DiskMB },
  };
  known.set(resources, legacy);
  return legacy;
}

function oldResources(networks: readonly NetworkResource[]): Resources {
  return {
    CPU: 0,
    Cores: 0,
    MemoryMB: 0,
    MemoryMaxMB: 0,
    DiskMB: 0,
    Networks: networks.length > 0 ? networks : null,
    Devices: null,
    NUMA: null,
    SecretsMB: 0,
    IOPS: 0,
  };
}
