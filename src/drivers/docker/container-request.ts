/** A task and its options → the body of the engine's call that makes its container. Source: Docker Engine API 1.41, ContainerCreate. */
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { TaskConfig } from '../../driver/contract.ts';
import { type EngineFacts, mapsUsers } from '../../driver-kit/container-engine/engine-facts.ts';
import { mayCome } from '../../driver-kit/rehearsal.ts';
import type { CgroupLimits } from '../../isolation/cgroup/limits.ts';
import { rankOf } from '../../isolation/lines.ts';
import { hostProfile } from '../../isolation/seccomp/oci-profile.ts';
import { Fault, messageOf } from '../../lib/fault.ts';
import { readBeneath } from '../../lib/node/safe-path.ts';
import { capabilitiesOf, globMatches } from './gates.ts';
import type { ContainerMounts } from './mounts.ts';
import { endpointsOf, type PublishedPorts } from './networks.ts';
import type { PluginOptions, TaskOptions } from './options.ts';
import { limitFields } from './resources.ts';

export interface RequestParts {
  readonly task: TaskConfig;
  readonly plugin: PluginOptions;
  readonly options: TaskOptions;
  readonly facts: EngineFacts;
  readonly limits: CgroupLimits;
  readonly mounts: ContainerMounts;
  readonly ports: PublishedPorts;
  /** The engine's name for the network. */
  readonly mode: string;
  /** As the engine wants them. */
  readonly securityOptions: readonly string[];
}

export function containerRequest(parts: RequestParts, image: string): Readonly<Record<string, unknown>> {
  const { task, options, ports } = parts;
  const { mode } = parts;
  const joined = mode.startsWith('container:');
  const command = options.command === '' ? [...options.args] : [options.command, ...options.args];
  return {
    Image: image,
    Env: Object.entries(task.env).map(([name, value]) => `${name}=${value}`),
    ...(command.length === 0 ? {} : { Cmd: command }),
    ...(options.entrypoint.length === 0 ? {} : { Entrypoint: options.entrypoint }),
    ...(options.work_dir === '' ? {} : { WorkingDir: options.work_dir }),
    // what shares another's network has that one's name, address and resolver
    ...(options.hostname === '' || joined ? {} : { Hostname: options.hostname }),
    ...(options.mac_address === '' || joined ? {} : { MacAddress: options.mac_address }),
    User: task.user,
    Tty: options.tty,
    OpenStdin: options.interactive,
    Labels: { ...options.labels, ...extraLabels(parts) },
    ExposedPorts: mode === 'host' ? {} : Object.fromEntries(Object.keys(ports.bindings).map((key) => [key, {}])),
    ...(options.healthchecks?.disable === true ? { Healthcheck: { Test: ['NONE'] } } : {}),
    HostConfig: hostConfig(parts),
    NetworkingConfig: endpointsOf(mode, options),
  };
}

function hostConfig(parts: RequestParts): Readonly<Record<string, unknown>> {
  const { task, plugin, options, facts, mounts, ports, mode } = parts;
  const own = mode === 'host' || mode.startsWith('container:') || mode.startsWith('ns:');
  const { dns } = task;
  return {
    ...limitFields(parts.limits, task, options, facts),
    Binds: mounts.binds,
    Mounts: mounts.mounts,
    ...(options.volume_driver === '' ? {} : { VolumeDriver: options.volume_driver }),
    Devices: [
      ...options.devices.map((each) => ({
        PathOnHost: each.host_path,
        PathInContainer: each.container_path || each.host_path,
        CgroupPermissions: each.cgroup_permissions,
      })),
      ...task.devices.map((each) => ({
        PathOnHost: each.hostPath,
        PathInContainer: each.taskPath,
        CgroupPermissions: each.permissions,
      })),
    ],
    ...(options.privileged ? { Privileged: true } : { CapDrop: ['ALL'], CapAdd: capabilitiesOf(plugin, options) }),
    SecurityOpt: parts.securityOptions,
    ReadonlyRootfs: options.readonly_rootfs,
    NetworkMode: mode,
    PidMode: options.pid_mode,
    IpcMode: options.ipc_mode,
    UTSMode: options.uts_mode,
    UsernsMode: options.userns_mode,
    CgroupnsMode: options.cgroupns || (options.privileged ? 'host' : 'private'),
    PortBindings: own || mode === 'none' ? {} : ports.bindings,
    ...(mode.startsWith('container:')
      ? {}
      : {
          Dns: [...options.dns_servers, ...(dns?.servers ?? [])],
          DnsSearch: [...options.dns_search_domains, ...(dns?.searches ?? [])],
          DnsOptions: [...options.dns_options, ...(dns?.options ?? [])],
          ExtraHosts: options.extra_hosts,
        }),
    LogConfig: logConfig(plugin, options),
    ...runtimeOf(plugin, options, task),
    ...(options.init ? { Init: true } : {}),
    OomScoreAdj: options.oom_score_adj || plugin.oom_score_adj,
    GroupAdd: options.group_add,
    StorageOpt: options.storage_opt,
    ...coveredGroups(parts),
  };
}

/** A daemon that maps users mounts control groups to be written: where that may not be, nothing of them is seen. */
function coveredGroups({ task, options, facts }: RequestParts): Readonly<Record<string, unknown>> {
  const mapped = mapsUsers(facts) && options.userns_mode !== 'host';
  return mapped && demands(task, 'read_only_system') ? { Tmpfs: { '/sys/fs/cgroup': 'ro,size=4k' } } : {};
}

function runtimeOf(plugin: PluginOptions, options: TaskOptions, task: TaskConfig): Readonly<Record<string, unknown>> {
  const gpu = (task.env['NVIDIA_VISIBLE_DEVICES'] ?? '') !== '';
  const runtime = options.runtime || (gpu ? plugin.nvidia_runtime : '');
  return runtime === '' ? {} : { Runtime: runtime };
}

function logConfig(plugin: PluginOptions, options: TaskOptions): Readonly<Record<string, unknown>> {
  const given = options.logging;
  const type = given?.type || given?.driver || plugin.logging?.type || 'json-file';
  const own = given === null ? (plugin.logging?.config ?? {}) : given.config;
  // what the collector has read the engine need not keep
  const usual = type === 'json-file' && Object.keys(own).length === 0 ? { 'max-file': '2', 'max-size': '2m' } : {};
  return { Type: type, Config: { ...usual, ...own } };
}

function extraLabels({ task, plugin }: RequestParts): Readonly<Record<string, string>> {
  const known: Readonly<Record<string, string>> = {
    job_name: task.jobName,
    job_id: task.jobId,
    parent_job_id: task.jobId.includes('/') ? task.jobId.slice(0, task.jobId.lastIndexOf('/')) : '',
    task_group_name: task.groupName,
    task_name: task.name,
    namespace: task.namespace,
    node_name: task.nodeName,
    node_id: task.nodeId,
  };
  const wanted = Object.entries(known).filter(
    ([name, value]) => value !== '' && plugin.extra_labels.some((each) => globMatches(each, name)),
  );
  return Object.fromEntries(wanted.map(([name, value]) => [`com.hashicorp.nomad.${name}`, value]));
}

/**
 * `seccomp=<file>` becomes the profile's text; no new privileges unless the job says otherwise. Engines' own profiles let pass what the ladder's
 * line does not (io_uring, calls of 32 bit): where that line is demanded, the filter is ours.
 */
export async function securityOptions(
  task: TaskConfig,
  plugin: PluginOptions,
  options: TaskOptions,
): Promise<readonly string[]> {
  const given = options.security_opt;
  const says = given.some((each) => /^no-new-privileges([:=]|$)/.test(each));
  const usual = says || options.privileged || !plugin.no_new_privileges ? [] : ['no-new-privileges'];
  const read = given.map(async (each) => {
    if (each === ownFilter) return `seccomp=${JSON.stringify(hostProfile())}`;
    const match = /^seccomp[=:](.+)$/.exec(each);
    if (match === null || match[1] === 'unconfined' || match[1]?.startsWith('{')) return each;
    return `seccomp=${await profile(task, match[1] ?? '')}`;
  });
  const ours =
    given.includes(ownFilter) || !hasOwnFilter(task, options) ? [] : [`seccomp=${JSON.stringify(hostProfile())}`];
  return [...usual, ...ours, ...(await Promise.all(read))].filter((each) => !/^no-new-privileges[:=]false$/.test(each));
}

/** The filter that tasks of `exec` have. */
const ownFilter = 'seccomp=drover';

/** Whether the container's filter is ours: it was asked for, or is what a demand stands on. */
export function hasOwnFilter(task: TaskConfig, { security_opt: given, privileged }: TaskOptions): boolean {
  if (given.includes(ownFilter)) return true;
  const another = given.some((each) => /^seccomp[=:]/.test(each));
  return !another && !privileged && (demands(task, 'seccomp') || demands(task, 'no_core_dumps'));
}

/** `line`: one that a container at rung `sandbox` has. */
function demands({ isolationFloor, isolationRequire = [] }: TaskConfig, line: string): boolean {
  return rankOf(isolationFloor) >= rankOf('sandbox') || isolationRequire.includes(line);
}

const mostProfileBytes = 1024 * 1024;

async function profile(task: TaskConfig, path: string): Promise<string> {
  try {
    const own = !path.startsWith('/');
    if (own && mayCome(task, join(task.directories.task, path))) return path;
    // regular files: to open a task's FIFO would hold one of the few threads that read files for good
    const [root, name] = own ? [task.directories.task, join('.', path)] : ['/', await realpath(path)];
    return JSON.stringify(JSON.parse(String(await readBeneath(root, name, mostProfileBytes))));
  } catch (error) {
    const reason = error instanceof SyntaxError ? 'it is no JSON' : messageOf(error);
    throw new Fault('invalid', `security_opt: seccomp profile ${JSON.stringify(path)}: ${reason}`, { cause: error });
  }
}
