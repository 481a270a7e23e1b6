/** What a driver is told about a task. Refusals are `StartRefusal`: the event that is shown, and whether trying again can help. */
import type { TaskConfig, TaskMount, TaskResources } from '../driver/contract.ts';
import { formatJson } from '../lib/json.ts';
import type { IsolationFloor } from '../model/isolation-floor.ts';
import type { TaskEvent } from '../model/task-state.ts';
import { networkIsolation } from './allocation-networks.ts';
import type { ClientDriver, DecodedConfig } from './client-driver.ts';
import { evaluateConfig, variableTree } from './config-template.ts';
import { interpolate, type Names } from './interpolate.ts';
import { buildTaskEnv, formatCores, portsOf, type TaskEnv, type TaskEnvInput } from './task-env.ts';
import { failedValidation, hookFailed } from './task-events.ts';

/** A start that is refused before a driver is asked. `event` says why; not `recoverable`: the restart policy does not try again. */
export class StartRefusal extends Error {
  readonly event: TaskEvent;
  readonly recoverable: boolean;

  constructor(event: TaskEvent, recoverable: boolean) {
    super(event.DisplayMessage);
    this.event = event;
    this.recoverable = recoverable;
  }
}

export interface TaskConfigInput extends Omit<TaskEnvInput, 'filesystem'> {
  readonly generation: string;
  readonly driver: ClientDriver;
  readonly floor: IsolationFloor;
  refusesUser(driver: string, user: string): boolean;
}

/** Nomad's client options `user.denylist` (once `user.blacklist`; default `root,Administrator`) and `user.checked_drivers` (default `exec,qemu,java`). */
export function userRefusal(options: Readonly<Record<string, string>>): TaskConfigInput['refusesUser'] {
  const listed = (text: string): readonly string[] => text.split(',').map((each) => each.trim());
  const denied = listed(options['user.denylist'] ?? options['user.blacklist'] ?? 'root,Administrator');
  const checked = listed(options['user.checked_drivers'] ?? 'exec,qemu,java');
  return (driver, user) => {
    const isRoot = /^(root|0+)(:|$)/.test(user);
    return checked.includes(driver) && (denied.includes(user) || (denied.includes('root') && isRoot));
  };
}

/** `<allocation>/<task>/<generation>`: names one start of a task, to drivers and on disk. */
export function taskId(allocId: string, task: string, generation: string): string {
  return `${allocId}/${task}/${generation}`;
}

/** What a driver is told of one start. Throws `StartRefusal` where the job asks for what this node does not give. */
export function buildTaskConfig(input: TaskConfigInput): TaskConfig {
  const { alloc, job, group, task, driver } = input;
  const env = buildTaskEnv({ ...input, filesystem: driver.engine.info.filesystem });
  const user = interpolate(task.User, env.names);
  if (input.refusesUser(task.Driver, user)) {
    throw new StartRefusal(
      hookFailed('validate', errorList([`running as user ${JSON.stringify(user)} is disallowed`])),
      true,
    );
  }
  return {
    id: taskId(alloc.ID, task.Name, input.generation),
    name: task.Name,
    allocId: alloc.ID,
    groupName: group.Name,
    jobId: job.ID,
    jobName: job.Name,
    namespace: alloc.Namespace,
    nodeId: input.node.ID,
    nodeName: input.node.Name,
    config: decodedConfig(input, env),
    env: env.variables,
    user,
    resources: taskResources(input),
    mounts: volumeMounts(input, env.names),
    devices: [],
    network: networkIsolation(input.group, input.network, (text) => interpolate(text, env.names)),
    dns: dnsOf(input),
    directories: input.directories,
    log: {
      disabled: task.LogConfig?.Disabled ?? false,
      maxFiles: task.LogConfig?.MaxFiles ?? 10,
      maxFileSizeMb: task.LogConfig?.MaxFileSizeMB ?? 10,
      fifos: null,
    },
    isolationFloor: input.floor.min,
    isolationRequire: input.floor.require,
  };
}

function decodedConfig(input: TaskConfigInput, env: TaskEnv): unknown {
  const decoded = decode(input, env);
  if (decoded.ok) return decoded.value;
  throw new StartRefusal(failedValidation(errorList(['failed to parse config: ', ...decoded.problems])), false);
}

function decode({ driver, task }: TaskConfigInput, env: TaskEnv): DecodedConfig {
  const config = task.Config ?? {};
  if (driver.decodeTemplates !== undefined) {
    // every attribute of the node has its place in the tree
    const asks = /[$%]\{/.test(formatJson(config));
    return driver.decodeTemplates(config, asks ? variableTree(env) : new Map());
  }
  const evaluated = evaluateConfig(config, env);
  return evaluated.ok ? driver.decodeConfig(evaluated.value as Record<string, unknown>) : evaluated;
}

/** As Nomad prints several errors. */
function errorList(problems: readonly string[]): string {
  const head = problems.length === 1 ? '1 error occurred:' : `${problems.length} errors occurred:`;
  return `${head}\n${problems.map((problem) => `\t* ${problem}\n`).join('')}\n`;
}

function taskResources(input: TaskConfigInput): TaskResources {
  const { alloc, task, node } = input;
  const given = alloc.AllocatedResources?.Tasks?.[task.Name];
  const cpuShares = given?.Cpu.CpuShares ?? task.Resources?.CPU ?? 0;
  const compute = (node.NodeResources?.Cpu.CpuShares ?? 0) - (node.ReservedResources?.Cpu.CpuShares ?? 0);
  return {
    cpuShares,
    cpusetCpus: formatCores(given?.Cpu.ReservedCores ?? []),
    memoryMb: given?.Memory.MemoryMB ?? task.Resources?.MemoryMB ?? 0,
    memoryMaxMb: given?.Memory.MemoryMaxMB ?? task.Resources?.MemoryMaxMB ?? 0,
    percentTicks: compute > 0 ? cpuShares / compute : 0,
    ports: portsOf(alloc, task.Name).map((port) => ({
      label: port.Label,
      value: port.Value,
      to: port.To,
      hostIp: port.HostIP,
    })),
  };
}

function volumeMounts(input: TaskConfigInput, names: Names): readonly TaskMount[] {
  const refuse = (message: string): never => {
    throw new StartRefusal(hookFailed('volumes', message), true);
  };
  const wanted = input.task.VolumeMounts ?? [];
  if (wanted.length > 0 && !input.driver.engine.info.mounts) {
    return refuse(`driver "${input.task.Driver}" does not support mounting volumes`);
  }
  return wanted.map((mount) => {
    const request = input.group.Volumes?.[mount.Volume];
    if (request === undefined) return refuse(`group has no volume "${mount.Volume}"`);
    if (request.Type !== 'host') return refuse(`volumes of type "${request.Type}" are not served yet`);
    const index = /\[\d+\]$/.exec(input.alloc.Name)?.[0] ?? '';
    const source = interpolate(request.Source, names) + (request.PerAlloc ? index : '');
    const volume = input.node.HostVolumes?.[source];
    if (volume === undefined) return refuse(`this node has no host volume "${source}"`);
    return {
      taskPath: interpolate(mount.Destination, names),
      hostPath: volume.Path,
      readOnly: mount.ReadOnly || request.ReadOnly || volume.ReadOnly,
      propagation: propagation(mount.PropagationMode),
    };
  });
}

function propagation(mode: string): TaskMount['propagation'] {
  return mode === 'private' || mode === 'host-to-task' || mode === 'bidirectional' ? mode : '';
}

function dnsOf(input: TaskConfigInput): TaskConfig['dns'] {
  const dns = input.group.Networks?.[0]?.DNS ?? input.task.Resources?.Networks?.[0]?.DNS ?? null;
  if (dns === null) return null;
  return { servers: dns.Servers ?? [], searches: dns.Searches ?? [], options: dns.Options ?? [] };
}
