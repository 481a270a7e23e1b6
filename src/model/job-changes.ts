import { deepEqual } from './deep-equal.ts';
import type { Job } from './job.ts';
import type { NetworkResource, Port } from './network.ts';
import type { Service } from './service.ts';
import type { Task } from './task.ts';
import type { TaskGroup } from './task-group.ts';

/** Rows that say what became of a job, not what it is. */
const bookkeeping = [
  'Status',
  'StatusDescription',
  'Stable',
  'Version',
  'VersionTag',
  'SubmitTime',
  'CreateIndex',
  'ModifyIndex',
  'JobModifyIndex',
  'NomadTokenID',
] as const;

/** Does `b` ask for anything that `a` does not? Then it is a new version of the job. */
export function specChanged(a: Job, b: Job): boolean {
  const spec = (job: Job) => ({ ...job, ...Object.fromEntries(bookkeeping.map((field) => [field, undefined])) });
  return !deepEqual(spec(a), spec(b));
}

/**
 * Must a group's allocations be replaced to go from one version of a job to another? Everything else (count, constraints,
 * policies, services without Connect, log sizes, kill timeouts) is changed while the tasks run.
 */
export function tasksUpdated(a: Job, b: Job, group: string): boolean {
  const before = a.TaskGroups.find(({ Name }) => Name === group);
  const after = b.TaskGroups.find(({ Name }) => Name === group);
  if (before === undefined || after === undefined) return true;
  if (before.Tasks.length !== after.Tasks.length) return true;
  if (!deepEqual(groupPart(before), groupPart(after))) return true;
  if (!deepEqual([a.Affinities, a.Spreads], [b.Affinities, b.Spreads])) return true;
  return before.Tasks.some((task) => {
    const other = after.Tasks.find(({ Name }) => Name === task.Name);
    if (other === undefined) return true;
    return !deepEqual(taskPart(task, before, a), taskPart(other, after, b));
  });
}

function groupPart(group: TaskGroup): unknown {
  return [
    group.EphemeralDisk,
    group.Affinities,
    group.Spreads,
    group.Volumes,
    group.Consul,
    (group.Networks ?? []).map(networkPart),
    (group.Services ?? []).filter(({ Connect }) => Connect !== null).map(connectPart),
  ];
}

/** Order of ports does not count; with a fixed number a port is itself. */
function networkPart(network: NetworkResource): unknown {
  const key = ({ Label, Value, To, HostNetwork, IgnoreCollision }: Port) =>
    [Label, Value ?? 0, To ?? 0, HostNetwork, IgnoreCollision ?? false].join(' ');
  const ports = (given: readonly Port[] | null | undefined) => (given ?? []).map(key).sort();
  const { Mode, Device, Hostname, DNS, CNI, MBits } = network;
  return [Mode, Device, Hostname, DNS, CNI, MBits, ports(network.ReservedPorts), ports(network.DynamicPorts)];
}

const connectPart = ({ Name, PortLabel, Connect }: Service) => [Name, PortLabel, Connect];

function taskPart(task: Task, group: TaskGroup, job: Job): unknown {
  const { IOPS: _, Networks, ...resources } = task.Resources;
  return [
    [job.Isolation, group.Isolation, task.Isolation],
    task.Driver,
    task.User,
    task.Config,
    task.Env,
    { ...job.Meta, ...group.Meta, ...task.Meta },
    task.Artifacts,
    task.Templates,
    task.Vault,
    task.Consul,
    task.Secrets,
    task.CSIPluginConfig,
    task.VolumeMounts,
    task.DispatchPayload,
    task.Lifecycle,
    task.Leader,
    task.KillSignal,
    task.Kind,
    task.Identity,
    task.Identities,
    task.LogConfig.Disabled,
    task.Schedule,
    task.RestartPolicy.RenderTemplates,
    task.Affinities,
    resources,
    (Networks ?? []).map(networkPart),
  ];
}
