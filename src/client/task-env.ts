/** A task's environment, complete, and the names its texts may refer to. Pure. Source: Nomad's runtime environment reference. */
import type { FilesystemIsolation, TaskDirectories } from '../driver/contract.ts';
import { shortId } from '../lib/ids.ts';
import type { Allocation } from '../model/allocation.ts';
import type { Job } from '../model/job.ts';
import type { PortMapping } from '../model/network.ts';
import type { Node } from '../model/node.ts';
import type { Task } from '../model/task.ts';
import type { TaskGroup } from '../model/task-group.ts';
import type { AllocationNetwork } from './allocation-networks.ts';
import { interpolate, type Names } from './interpolate.ts';

export interface TaskEnvInput {
  readonly alloc: Allocation;
  readonly job: Job;
  readonly group: TaskGroup;
  readonly task: Task;
  readonly node: Node;
  readonly region: string;
  readonly cgroupParent: string;
  readonly filesystem: FilesystemIsolation;
  readonly directories: TaskDirectories;
  /** The allocation's own; null: its tasks have the host's, or none. */
  readonly network: AllocationNetwork | null;
  /** The agent's own environment. */
  readonly hostEnv: Readonly<Record<string, string | undefined>>;
  /** Names that are never passed on, exactly as written. */
  readonly denied: ReadonlySet<string>;
}

export interface TaskEnv {
  readonly variables: Readonly<Record<string, string>>;
  /** `node.*`, `attr.*` and the node's `meta.*`. */
  readonly nodeNames: Names;
  /** Both of them. */
  readonly names: Names;
}

/** Credentials of the agent that no task gets unless the operator says so (option `env.denylist`). */
export const defaultDeniedEnv = [
  'CONSUL_TOKEN CONSUL_HTTP_TOKEN CONSUL_HTTP_TOKEN_FILE NOMAD_TOKEN VAULT_TOKEN CONSUL_LICENSE NOMAD_LICENSE VAULT_LICENSE',
  'CONSUL_LICENSE_PATH NOMAD_LICENSE_PATH VAULT_LICENSE_PATH AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN',
  'AWS_METADATA_URL GOOGLE_APPLICATION_CREDENTIALS GOOGLE_OAUTH_ACCESS_TOKEN',
]
  .join(' ')
  .split(' ');

/**
 * The environment of a task and the names its configuration may use. The host's own variables only where the task sees the host's files,
 * without those that are denied.
 */
export function buildTaskEnv(input: TaskEnvInput): TaskEnv {
  const env = new Map<string, string>();
  if (input.filesystem !== 'image') {
    for (const [name, value] of Object.entries(input.hostEnv)) {
      if (value !== undefined && !input.denied.has(name)) env.set(name, value);
    }
  }
  for (const [name, value] of [...directoryVariables(input), ...identityVariables(input), ...metaVariables(input)]) {
    env.set(name, value);
  }
  for (const [name, value] of portVariables(portsOf(input.alloc, input.task.Name), input.network)) env.set(name, value);
  const node = new Map(nodeNames(input.node, input.region));
  const names = new Map([...node, ...env]);
  for (const [name, text] of Object.entries(input.task.Env ?? {})) {
    const value = interpolate(text, names);
    const clean = name.replace(/[^A-Za-z0-9_.]/g, '_');
    env.set(clean, value);
    names.set(clean, value);
  }
  return { variables: Object.fromEntries(env), nodeNames: node, names };
}

type Variables = Iterable<readonly [string, string]>;

function directoryVariables(input: TaskEnvInput): Variables {
  const inside = input.filesystem === 'chroot' || input.filesystem === 'image';
  return [
    ['NOMAD_ALLOC_DIR', inside ? '/alloc' : input.directories.shared],
    ['NOMAD_TASK_DIR', inside ? '/local' : input.directories.local],
    ['NOMAD_SECRETS_DIR', inside ? '/secrets' : input.directories.secrets],
  ];
}

function identityVariables(input: TaskEnvInput): Variables {
  const { alloc, job, group, task } = input;
  const resources = alloc.AllocatedResources?.Tasks?.[task.Name];
  const memoryMax = resources?.Memory.MemoryMaxMB ?? 0;
  return [
    ['NOMAD_ALLOC_ID', alloc.ID],
    ['NOMAD_SHORT_ALLOC_ID', shortId(alloc.ID)],
    ['NOMAD_ALLOC_NAME', alloc.Name],
    ['NOMAD_ALLOC_INDEX', /\[(\d+)\]$/.exec(alloc.Name)?.[1] ?? '0'],
    ['NOMAD_TASK_NAME', task.Name],
    ['NOMAD_GROUP_NAME', group.Name],
    ['NOMAD_JOB_ID', job.ID],
    ['NOMAD_JOB_NAME', job.Name],
    ...(job.ParentID === '' ? [] : [['NOMAD_JOB_PARENT_ID', job.ParentID] as const]),
    ['NOMAD_NAMESPACE', alloc.Namespace],
    ['NOMAD_DC', input.node.Datacenter],
    ['NOMAD_REGION', input.region],
    ['NOMAD_PARENT_CGROUP', input.cgroupParent],
    ['NOMAD_CPU_LIMIT', String(resources?.Cpu.CpuShares ?? task.Resources?.CPU ?? 0)],
    // a blank, not an empty value, where the task has no cores of its own: as observed
    ['NOMAD_CPU_CORES', formatCores(resources?.Cpu.ReservedCores ?? []) || ' '],
    ['NOMAD_MEMORY_LIMIT', String(resources?.Memory.MemoryMB ?? task.Resources?.MemoryMB ?? 0)],
    ...(memoryMax > 0 ? [['NOMAD_MEMORY_MAX_LIMIT', String(memoryMax)] as const] : []),
  ];
}

function metaVariables(input: TaskEnvInput): Variables {
  const meta = { ...input.job.Meta, ...input.group.Meta, ...input.task.Meta };
  return Object.entries(meta).flatMap(([key, value]) => {
    const name = cleaned(key);
    return [[`NOMAD_META_${name}`, value] as const, [`NOMAD_META_${name.toUpperCase()}`, value] as const];
  });
}

/** The ports of the group's network and of the task's own (older) one. */
export function portsOf(alloc: Allocation, task: string): readonly PortMapping[] {
  const own = alloc.AllocatedResources?.Tasks?.[task]?.Networks ?? [];
  const legacy = own.flatMap((network) =>
    [...(network.ReservedPorts ?? []), ...(network.DynamicPorts ?? [])].map((port) => ({
      Label: port.Label,
      Value: port.Value ?? 0,
      To: port.To ?? 0,
      HostIP: network.IP ?? '',
    })),
  );
  return [...(alloc.AllocatedResources?.Shared.Ports ?? []), ...legacy];
}

/** Which names are cleaned and which are not is Nomad's own mixture, as observed: jobs rely on either. */
function portVariables(ports: readonly PortMapping[], network: AllocationNetwork | null): Variables {
  return ports.flatMap((port) => {
    const inside = port.To > 0 ? port.To : port.Value;
    const address = joinHostPort(port.HostIP, port.Value);
    const clean = cleaned(port.Label);
    return [
      [`NOMAD_IP_${clean}`, port.HostIP],
      [`NOMAD_PORT_${clean}`, String(inside)],
      [`NOMAD_ADDR_${clean}`, address],
      [`NOMAD_HOST_PORT_${clean}`, String(port.Value)],
      [`NOMAD_HOST_IP_${port.Label}`, port.HostIP],
      [`NOMAD_HOST_ADDR_${port.Label}`, address],
      [`NOMAD_ALLOC_PORT_${port.Label}`, String(inside)],
      ...(network === null || network.address === '' ? [] : ownAddress(port.Label, inside, network)),
    ] as const;
  });
}

function ownAddress(
  label: string,
  port: number,
  { interfaceName, address }: AllocationNetwork,
): readonly (readonly [string, string])[] {
  return [
    [`NOMAD_ALLOC_INTERFACE_${label}`, interfaceName],
    [`NOMAD_ALLOC_IP_${label}`, address],
    [`NOMAD_ALLOC_ADDR_${label}`, joinHostPort(address, port)],
  ];
}

function nodeNames(node: Node, region: string): Variables {
  return [
    ['node.unique.id', node.ID],
    ['node.unique.name', node.Name],
    ['node.datacenter', node.Datacenter],
    ['node.region', region],
    ['node.class', node.NodeClass],
    ['node.pool', node.NodePool],
    ...Object.entries(node.Attributes ?? {}).map(([key, value]) => [`attr.${key}`, value] as const),
    ...Object.entries(node.Meta ?? {}).map(([key, value]) => [`meta.${key}`, value] as const),
  ];
}

/** `[0, 1, 2, 5]` → `"0-2,5"`. */
export function formatCores(cores: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const core of [...cores].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && core === last[1] + 1) last[1] = core;
    else ranges.push([core, core]);
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
}

function cleaned(label: string): string {
  return label.replace(/[^A-Za-z0-9_]/g, '_');
}

function joinHostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
