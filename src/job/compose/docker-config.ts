import type { HclValue } from './hcl-writer.ts';
import {
  asText,
  bytesOf,
  isYamlMap,
  numberOf,
  pairs,
  textList,
  words,
  type Yaml,
  type YamlMap,
} from './read-compose.ts';
import type { ComposePort } from './service-ports.ts';
import type { ComposeMount } from './service-volumes.ts';

/** Keys of a service that are options of the docker driver under the same or another name. */
const plain: { readonly [key: string]: string } = {
  hostname: 'hostname',
  working_dir: 'work_dir',
  privileged: 'privileged',
  init: 'init',
  tty: 'tty',
  stdin_open: 'interactive',
  read_only: 'readonly_rootfs',
  ipc: 'ipc_mode',
  pid: 'pid_mode',
  userns_mode: 'userns_mode',
  runtime: 'runtime',
  mac_address: 'mac_address',
};
const lists: { readonly [key: string]: string } = {
  cap_add: 'cap_add',
  cap_drop: 'cap_drop',
  security_opt: 'security_opt',
  extra_hosts: 'extra_hosts',
  group_add: 'group_add',
};
export const dockerKeys = [
  ...Object.keys(plain),
  ...Object.keys(lists),
  'image',
  'command',
  'entrypoint',
  'labels',
  'devices',
  'sysctls',
  'ulimits',
  'shm_size',
  'logging',
  'pull_policy',
  'pids_limit',
];

/** The `config` of the task, by name; blocks are maps. */
export function dockerConfig(
  service: YamlMap,
  image: string,
  ports: readonly ComposePort[],
  mounts: readonly ComposeMount[],
): [string, HclValue][] {
  const config: [string, HclValue | undefined][] = [['image', image]];
  const command = commandOf(service['command']);
  if (service['entrypoint'] !== undefined) config.push(['entrypoint', commandOf(service['entrypoint'])]);
  if (command.length > 0)
    config.push(['command', command[0]], ['args', command.length > 1 ? command.slice(1) : undefined]);
  if (ports.length > 0) config.push(['ports', ports.map((port) => port.label)]);
  for (const [key, name] of Object.entries(plain)) config.push([name, scalar(service[key])]);
  for (const [key, name] of Object.entries(lists)) {
    const items = textList(service[key]);
    if (items.length > 0)
      config.push([name, key === 'extra_hosts' ? items.map((host) => host.replace('=', ':')) : items]);
  }
  if (service['pull_policy'] === 'always') config.push(['force_pull', true]);
  config.push(['shm_size', bytesOf(service['shm_size'])], ['pids_limit', numberOf(pidsOf(service))]);
  config.push(
    ['labels', mapOf(service['labels'])],
    ['sysctl', mapOf(service['sysctls'])],
    ['ulimit', limits(service['ulimits'])],
  );
  const binds = mounts.filter((mount) => mount.kind === 'bind');
  if (binds.length > 0)
    config.push([
      'volumes',
      binds.map(({ source, target, readOnly }) => `${source}:${target}${readOnly ? ':ro' : ''}`),
    ]);
  const temporary = mounts.filter((mount) => mount.kind === 'tmpfs');
  if (temporary.length > 0) config.push(['mounts', temporary.map(({ target }) => ({ type: 'tmpfs', target }))]);
  config.push(['devices', devices(service['devices'])], ['logging', logging(service['logging'])]);
  return config.filter((entry): entry is [string, HclValue] => entry[1] !== undefined);
}

function pidsOf(service: YamlMap): Yaml | undefined {
  const deploy = isYamlMap(service['deploy']) ? service['deploy'] : {};
  const resources = isYamlMap(deploy['resources']) ? deploy['resources'] : {};
  const limits = isYamlMap(resources['limits']) ? resources['limits'] : {};
  return service['pids_limit'] ?? limits['pids'];
}

const scalar = (value: Yaml | undefined): HclValue | undefined =>
  value === undefined || value === null || typeof value === 'object' ? undefined : value;

const commandOf = (value: Yaml | undefined): string[] => (typeof value === 'string' ? words(value) : textList(value));

function mapOf(value: Yaml | undefined): HclValue | undefined {
  const entries = pairs(value);
  return entries.length === 0 ? undefined : Object.fromEntries(entries.map(([key, text]) => [key, text ?? '']));
}

/** `nofile: 1024` or `nofile: {soft: 1, hard: 2}` → `soft:hard` */
function limits(value: Yaml | undefined): HclValue | undefined {
  if (!isYamlMap(value)) return undefined;
  return Object.fromEntries(
    Object.entries(value).map(([name, limit]) => [
      name,
      isYamlMap(limit) ? `${asText(limit['soft'])}:${asText(limit['hard'])}` : asText(limit),
    ]),
  );
}

function devices(value: Yaml | undefined): HclValue | undefined {
  const items = textList(value);
  if (items.length === 0) return undefined;
  return items.map((item) => {
    const [host = '', inside = host, permissions] = item.split(':');
    return { host_path: host, container_path: inside, ...(permissions ? { cgroup_permissions: permissions } : {}) };
  });
}

function logging(value: Yaml | undefined): HclValue | undefined {
  if (!isYamlMap(value)) return undefined;
  const options = mapOf(value['options']);
  return { type: asText(value['driver']) || 'json-file', ...(options === undefined ? {} : { config: [options] }) };
}
