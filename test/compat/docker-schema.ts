// The options of a task of Nomad's Docker driver, as a specification: what the recorded cases were decoded against.
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type Spec, SpecSchema } from '../../src/driver/gen/nomad/hclspec_pb.ts';

type Part = MessageInitShape<typeof SpecSchema>;

const attributes = (type: string, names: string): Record<string, Part> =>
  Object.fromEntries(names.split(' ').map((name) => [name, attribute(name, type)]));

export const attribute = (name: string, type: string, required = false): Part => ({
  block: { case: 'Attr', value: { name, type, required } },
});
export const object = (parts: Record<string, Part>): Part => ({
  block: {
    case: 'object',
    value: {
      attributes: Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, create(SpecSchema, part)])),
    },
  },
});
export const block = (name: string, parts: Record<string, Part>): Part => ({
  block: { case: 'blockValue', value: { name, required: false, nested: create(SpecSchema, object(parts)) } },
});
const blocks = (name: string, parts: Record<string, Part>): Part => ({
  block: { case: 'blockList', value: { name, nested: create(SpecSchema, object(parts)) } },
});
export const otherwise = (primary: Part, literal: string): Part => ({
  block: {
    case: 'default',
    value: {
      primary: create(SpecSchema, primary),
      default: create(SpecSchema, { block: { case: 'literal', value: { value: literal } } }),
    },
  },
});
export const blockAttributes = (name: string, type: string): Part => ({
  block: { case: 'blockAttrs', value: { name, type, required: false } },
});
export const blockMap = (name: string, labels: string[], parts: Record<string, Part>): Part => ({
  block: { case: 'blockMap', value: { name, labels, nested: create(SpecSchema, object(parts)) } },
});

const mountParts = {
  type: otherwise(attribute('type', 'string'), '"volume"'),
  ...attributes('string', 'target source'),
  ...attributes('bool', 'readonly'),
  bind_options: block('bind_options', attributes('string', 'propagation')),
  tmpfs_options: block('tmpfs_options', attributes('number', 'size mode')),
  volume_options: block('volume_options', {
    ...attributes('bool', 'no_copy'),
    ...attributes('list(map(string))', 'labels'),
    driver_config: block('driver_config', {
      ...attributes('string', 'name'),
      ...attributes('list(map(string))', 'options'),
    }),
  }),
};

export const dockerSchema: Spec = create(
  SpecSchema,
  object({
    image: attribute('image', 'string', true),
    ...attributes(
      'string',
      'command work_dir hostname mac_address ipv4_address ipv6_address network_mode pid_mode ipc_mode uts_mode userns_mode volume_driver load cpuset_cpus runtime isolation image_pull_timeout cgroupns',
    ),
    ...attributes(
      'list(string)',
      'args entrypoint cap_add cap_drop dns_servers dns_search_domains dns_options extra_hosts network_aliases security_opt volumes ports group_add',
    ),
    ...attributes(
      'bool',
      'auth_soft_fail advertise_ipv6_address force_pull interactive tty privileged readonly_rootfs cpu_hard_limit init',
    ),
    ...attributes('number', 'pids_limit shm_size memory_hard_limit oom_score_adj container_exists_attempts'),
    ...attributes('list(map(string))', 'labels sysctl ulimit'),
    ...attributes('list(map(number))', 'port_map'),
    cpu_cfs_period: otherwise(attribute('cpu_cfs_period', 'number'), '100000'),
    auth: block('auth', attributes('string', 'username password email server_address')),
    storage_opt: blockAttributes('storage_opt', 'string'),
    devices: blocks('devices', {
      ...attributes('string', 'host_path container_path'),
      cgroup_permissions: otherwise(attribute('cgroup_permissions', 'string'), '"rwm"'),
    }),
    logging: block('logging', { ...attributes('string', 'type driver'), ...attributes('list(map(string))', 'config') }),
    mounts: blocks('mounts', mountParts),
    mount: blocks('mount', mountParts),
    healthchecks: block('healthchecks', attributes('bool', 'disable')),
  }),
);
