/** Podman's options as docker's: its service speaks the same API. Pure. */
import { isIPv6 } from 'node:net';
import { decodedConfig } from '../../driver/config-decode.ts';
import { objectAt } from '../../driver-kit/container-engine/engine-answers.ts';
import { Fault } from '../../lib/fault.ts';
import {
  type PluginOptions as DockerPluginOptions,
  type TaskOptions as DockerTaskOptions,
  configSchema as dockerPlugin,
  taskSchema as dockerTask,
} from '../docker/options.ts';
import type { PluginOptions, TaskOptions } from './options.ts';

export function asDockerPlugin(given: PluginOptions): DockerPluginOptions {
  return decodedConfig(dockerPlugin, {
    ...(given.auth === null ? {} : { auth: [given.auth] }),
    volumes: [given.volumes ?? { enabled: true, selinuxlabel: '' }],
    gc: [{ image: false, container: given.gc?.container ?? true }],
    extra_labels: given.extra_labels,
    logging: [{ type: given.logging?.driver || 'k8s-file', config: given.logging?.options ?? {} }],
    allow_privileged: given.allow_privileged,
    allow_caps: given.allow_caps,
    // its user namespaces and shared memory were never the operator's to gate
    allowed_modes: [{ userns: ['auto*', 'keep-id*', 'nomap', 'private'], ipc: ['private', 'shareable', 'none'] }],
    pids_limit: given.pids_limit,
    disable_log_collection: given.disable_log_collection,
  });
}

export function asDockerTask(given: TaskOptions, plugin: PluginOptions): DockerTaskOptions {
  const { logging, auth } = given;
  if (given.init_path !== '' && plugin.volumes?.enabled === false)
    throw new Fault(
      'denied',
      'init_path is of the host: not allowed on this node; the operator allows it by volumes { enabled = true }',
    );
  const security = [
    ...given.security_opt,
    ...(given.apparmor_profile === '' ? [] : [`apparmor=${given.apparmor_profile}`]),
    ...given.selinux_opts.map((each) => `label=${each}`),
  ];
  return decodedConfig(dockerTask, {
    ...same(given),
    ...(imageSource(given.image) ?? { image: given.image }),
    entrypoint: entrypoint(given.entrypoint),
    ipv4_address: given.ipv4_address || (given.static_ips.find((each) => !isIPv6(each)) ?? ''),
    ipv6_address: given.ipv6_address || (given.static_ips.find(isIPv6) ?? ''),
    mac_address: given.static_mac,
    work_dir: given.working_dir,
    ...(auth === null ? {} : { auth: [{ username: auth.username, password: auth.password }] }),
    mounts: given.tmpfs.map((target) => ({ type: 'tmpfs', target })),
    devices: given.devices.map(device),
    shm_size: given.shm_size === '' ? 0 : bytes(given.shm_size, 'shm_size'),
    userns_mode: given.userns,
    security_opt: security,
    dns_servers: plugin.dns_servers,
    ...(logging === null || logging.driver === '' || logging.driver === 'nomad'
      ? {}
      : { logging: [{ type: logging.driver, config: logging.options }] }),
  });
}

type Request = Readonly<Record<string, unknown>>;

/** Where the init of the task's own is seen inside. */
const initPath = '/run/drover-init';

/** What podman has beyond docker's options, put into the call that makes the container. `image`: what the engine says of it. */
export function withPodmanOptions(request: Request, options: TaskOptions, image: unknown): Request {
  const { memory_reservation: low, memory_swap: swap, memory_swappiness: swappiness } = options;
  const host = {
    ...(request['HostConfig'] as Request),
    ...(low === '' ? {} : { MemoryReservation: bytes(low, 'memory_reservation') }),
    ...(swap === '' ? {} : { MemorySwap: bytes(swap, 'memory_swap') }),
    ...(swappiness === null ? {} : { MemorySwappiness: swappiness }),
  };
  if (!options.init || options.init_path === '') return { ...request, HostConfig: host };
  // its API cannot name one: as podman does with its own
  const own = objectAt(image, 'Config');
  const binds = [...((host as Request)['Binds'] as readonly string[]), `${options.init_path}:${initPath}:ro`];
  return {
    ...request,
    Entrypoint: [initPath, '--', ...words(request['Entrypoint'] ?? own['Entrypoint'])],
    Cmd: words(request['Cmd'] ?? own['Cmd']),
    HostConfig: { ...host, Binds: binds, Init: false },
  };
}

function words(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

/** Options that both have, under one name. */
function same(given: TaskOptions): Record<string, unknown> {
  const names = [
    ...['force_pull', 'image_pull_timeout', 'auth_soft_fail', 'command', 'args', 'hostname', 'tty', 'init', 'labels'],
    ...[
      'network_mode',
      'ports',
      'port_map',
      'extra_hosts',
      'volumes',
      'cpu_hard_limit',
      'cpu_cfs_period',
      'pids_limit',
      'ulimit',
    ],
    ...['sysctl', 'oom_score_adj', 'privileged', 'cap_add', 'cap_drop', 'readonly_rootfs', 'ipc_mode'],
  ] as const;
  return Object.fromEntries(names.map((name) => [name, given[name as keyof TaskOptions]]));
}

function entrypoint(value: unknown): readonly string[] {
  if (value === null || value === undefined) return [];
  if (typeof value === 'string') return [value];
  if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value;
  throw new Fault('invalid', `entrypoint is a text or a list of texts, not ${JSON.stringify(value)}`);
}

/** `"docker-archive:local/app.tar:app:1"` → the archive, and what it calls the image; null: the image is not in an archive. */
export function imageSource(image: string): { readonly load: string; readonly image: string } | null {
  const match = /^(?:docker|oci)-archive:(?:\/\/)?([^:]+)(?::(.+))?$/.exec(image);
  return match === null ? null : { load: match[1]!, image: match[2] ?? '' };
}

function device(text: string): Readonly<Record<string, string>> {
  const [host_path = '', container_path = '', cgroup_permissions = 'rwm'] = text.split(':');
  return { host_path, container_path, cgroup_permissions };
}

/** `"64m"` → 67108864 */
export function bytes(text: string, option: string): number {
  const match = /^(\d+)\s*([bkmg]?)b?$/i.exec(text.trim());
  if (match === null) throw new Fault('invalid', `${option}: ${JSON.stringify(text)} is no size such as "64m"`);
  return Number(match[1]) * 1024 ** 'bkmg'.indexOf((match[2] || 'b').toLowerCase());
}
