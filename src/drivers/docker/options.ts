/** Options of `docker`. Source: Nomad's documentation of the Docker driver. */
import { type ConfigOf, option } from '../../driver/config-schema.ts';
import { nomadDefaultCapabilities } from '../../isolation/capabilities.ts';

function text(doc: string, fallback = '') {
  return option.string({ default: fallback, doc });
}

function flag(doc: string, fallback = false) {
  return option.bool({ default: fallback, doc });
}

function texts(doc: string) {
  return option.list(option.string(), { doc });
}

function globs(what: string) {
  return texts(`Patterns of ${what} modes that jobs may ask for.`);
}

export const configSchema = {
  endpoint: text('Where the daemon listens; default `DOCKER_HOST`, then "unix:///var/run/docker.sock".'),
  auth: option.block(
    {
      config: text("A file of credentials in the form of Docker's config.json."),
      helper: text('A credential helper: "ecr-login".'),
    },
    { doc: 'Credentials for registries.' },
  ),
  tls: option.block(
    { cert: text('PEM file.'), key: text('PEM file.'), ca: text('PEM file.') },
    { doc: 'For an endpoint over TCP.' },
  ),
  extra_labels: texts('Which labels containers get beside the allocation\'s: "job_name", "task_*".'),
  logging: option.block(
    { type: text('The logging driver.', 'json-file'), config: option.map(option.string(), { doc: 'Its options.' }) },
    { doc: 'For tasks that name none; default json-file, 2 files of 2 MB.' },
  ),
  gc: option.block(
    {
      image: flag('Images that no task uses are removed.', true),
      image_delay: text('After so long.', '3m'),
      container: flag('Containers of ended tasks are removed.', true),
      dangling_containers: option.block(
        {
          enabled: flag('Containers of this agent that no task knows are removed.', true),
          period: text('How often they are looked for.', '5m'),
          creation_grace: text('Younger ones are left alone; at least 1m.', '5m'),
          dry_run: flag('They are only named in the log.'),
        },
        { doc: 'What a life left behind that ended between two steps.' },
      ),
    },
    { doc: 'What is cleaned up.' },
  ),
  volumes: option.block(
    {
      enabled: flag('Jobs may mount paths of the host, name volume drivers and pass devices.'),
      selinuxlabel: text('Put behind each mount: "z" or "Z".'),
    },
    { doc: 'Paths of the host.' },
  ),
  allow_privileged: flag('Jobs may run privileged containers.'),
  allow_caps: option.list(option.string(), {
    default: nomadDefaultCapabilities,
    doc: 'Capabilities that jobs may add.',
  }),
  capabilities: text('"nomad": tasks keep all of `allow_caps` that Nomad gives them; the default is fewer.'),
  allow_runtimes: option.list(option.string(), { default: ['runc', 'nvidia'], doc: 'Runtimes that jobs may name.' }),
  nvidia_runtime: text('The runtime of tasks that were given a GPU.', 'nvidia'),
  allowed_modes: option.block(
    { pid: globs('pid'), ipc: globs('ipc'), userns: globs('user namespace'), uts: globs('host name') },
    { doc: "Which of the host's namespaces jobs may share; none unless privileged containers are allowed." },
  ),
  infra_image: text("Accepted: a group's network is made by the agent, without an image."),
  infra_image_pull_timeout: text('Accepted; see above.', '5m'),
  image_pull_timeout: text('How long a pull may take where the task does not say.', '5m'),
  pull_activity_timeout: text('A pull that does not move for so long is given up; at least 1m.', '2m'),
  container_exists_attempts: option.number({
    default: 5,
    doc: 'How often a container of the same name is taken away.',
  }),
  oom_score_adj: option.number({ default: 0, doc: 'For tasks that name none.' }),
  pids_limit: option.number({
    default: 0,
    doc: 'The most processes a task may ask for; 0: 4096 for tasks that ask for none.',
  }),
  no_new_privileges: flag("Set-user-id programs gain nothing; a task's security_opt may say otherwise.", true),
  disable_log_collection: flag('The output stays with the engine.'),
  windows_allow_insecure_container_admin: flag('Accepted; containers are Linux.'),
} as const;

const mount = {
  type: text('"volume", "bind" or "tmpfs".', 'volume'),
  target: text('Where, inside.'),
  source: text('A path of the host (relative: of the task), or the name of a volume.'),
  readonly: flag('Not to be written.'),
  bind_options: option.block({ propagation: text('"rprivate", "rslave", …') }, { doc: 'For type bind.' }),
  tmpfs_options: option.block(
    { size: option.number({ default: 0, doc: 'Bytes.' }), mode: option.number({ default: 0, doc: 'Decimal.' }) },
    { doc: 'For type tmpfs.' },
  ),
  volume_options: option.block(
    {
      no_copy: flag('The volume begins empty.'),
      labels: option.map(option.string(), { doc: 'Of the volume.' }),
      driver_config: option.block(
        { name: text('The volume driver.'), options: option.map(option.string(), { doc: 'Its options.' }) },
        { doc: 'How the volume is made.' },
      ),
    },
    { doc: 'For type volume.' },
  ),
} as const;

export const taskSchema = {
  image: option.string({ required: true, doc: 'Name, with tag or digest.' }),
  load: text('A tar in the task\'s directory that holds the image: "local/app.tar".'),
  force_pull: flag('Pull though the image is there.'),
  image_pull_timeout: text('How long the pull may take.'),
  auth: option.block(
    {
      username: text('Who.'),
      password: text('Their password.'),
      email: text('Their address.'),
      server_address: text('Of which registry.'),
    },
    { doc: 'Credentials of this task.' },
  ),
  auth_soft_fail: flag('Without credentials it is tried all the same.'),
  command: text('What to run in place of what the image says.'),
  args: texts('Its arguments.'),
  entrypoint: texts("In place of the image's own."),
  work_dir: text('Where it begins.'),
  hostname: text('What it believes to be called.'),
  interactive: flag('Its stdin stays open.'),
  tty: flag('It gets a terminal.'),
  init: flag('A small init beside it reaps what it leaves.'),
  labels: option.map(option.string(), { doc: 'Of the container.' }),
  network_mode: text('"bridge", "host", "none", "container:<id>" or a network\'s name.'),
  network_aliases: texts('Further names in a network of its own.'),
  mac_address: text('Of its interface.'),
  ipv4_address: text('In a network of its own.'),
  ipv6_address: text('In a network of its own.'),
  advertise_ipv6_address: flag("Services get the container's IPv6 address."),
  ports: texts("Labels of the group's ports that are published."),
  port_map: option.map(option.number(), { doc: 'Port label to port inside, for ports of the task itself.' }),
  dns_servers: texts('Name servers.'),
  dns_search_domains: texts('Domains tried for short names.'),
  dns_options: texts("The resolver's options."),
  extra_hosts: texts('"name:address" for /etc/hosts.'),
  volumes: texts('"source:target[:ro]".'),
  volume_driver: text('Of named volumes.'),
  mounts: option.blocks(mount, { doc: 'What is mounted.' }),
  mount: option.blocks(mount, { doc: 'The same, by its other name.' }),
  devices: option.blocks(
    {
      host_path: text('Of the host.'),
      container_path: text('Inside; default the same.'),
      cgroup_permissions: text('Of "r", "w", "m".', 'rwm'),
    },
    { doc: 'Devices of the host.' },
  ),
  memory_hard_limit: option.number({ default: 0, doc: 'MB; `memory` is then what it is sure to have.' }),
  cpu_hard_limit: flag('No more processor time than asked for.'),
  cpu_cfs_period: option.number({ default: 100_000, doc: 'Microseconds, up to 1,000,000.' }),
  cpuset_cpus: text('Ignored: `cores` reserves processors.'),
  pids_limit: option.number({ default: 0, doc: 'Processes and threads.' }),
  shm_size: option.number({ default: 0, doc: 'Bytes of /dev/shm.' }),
  oom_score_adj: option.number({ default: 0, doc: 'How readily it is ended when memory is short.' }),
  ulimit: option.map(option.string(), { doc: '{ nofile = "1024:2048" }' }),
  sysctl: option.map(option.string(), { doc: 'Kernel settings of its namespaces.' }),
  storage_opt: option.map(option.string(), { doc: 'Of the storage driver.' }),
  privileged: flag("All of the host's devices and capabilities."),
  cap_add: texts('Capabilities to add, of those the operator allows.'),
  cap_drop: texts('Capabilities to take away; "all".'),
  security_opt: texts('"seccomp=<file>", "apparmor=<profile>", "no-new-privileges=false".'),
  readonly_rootfs: flag('The image is not to be written.'),
  group_add: texts('Further groups of its user.'),
  pid_mode: text('"host".'),
  ipc_mode: text('"host", "private", "shareable".'),
  uts_mode: text('"host".'),
  userns_mode: text('"host".'),
  cgroupns: text('"host" or "private".'),
  runtime: text('Of those the operator allows.'),
  isolation: text('Accepted; containers are Linux.'),
  healthchecks: option.block({ disable: flag("The image's own check is not run.") }, { doc: "The image's own check." }),
  logging: option.block(
    {
      type: text('The logging driver.'),
      driver: text('The same.'),
      config: option.map(option.string(), { doc: 'Its options.' }),
    },
    { doc: 'How the engine keeps the output.' },
  ),
  container_exists_attempts: option.number({ default: 0, doc: "Accepted; the operator's counts." }),
} as const;

export type PluginOptions = ConfigOf<typeof configSchema>;
export type TaskOptions = ConfigOf<typeof taskSchema>;
export type MountOption = TaskOptions['mounts'][number];
