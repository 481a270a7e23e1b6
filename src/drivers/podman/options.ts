/** Options of `podman`. Source: the documentation of Nomad's Podman driver. */
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

export const configSchema = {
  socket_path: text(
    'Where the service listens; default "unix:///run/podman/podman.sock", without root that of the user.',
  ),
  socket: option.blocks(
    {
      name: text('What tasks call it.', 'default'),
      socket_path: option.string({ required: true, doc: 'Where it listens.' }),
    },
    { doc: 'Several services, in place of `socket_path`: a task names one by `socket`.' },
  ),
  auth: option.block(
    {
      config: text("A file of credentials in the form of Docker's config.json."),
      helper: text('A credential helper.'),
    },
    { doc: 'Credentials for registries.' },
  ),
  volumes: option.block(
    {
      enabled: flag('Jobs may mount paths of the host.', true),
      selinuxlabel: text('Put behind each mount: "z" or "Z".'),
    },
    { doc: 'Paths of the host.' },
  ),
  gc: option.block({ container: flag('Containers of ended tasks are removed.', true) }, { doc: 'What is cleaned up.' }),
  recover_stopped: flag('Accepted: the end of a container is always found again.'),
  extra_labels: texts('Which labels containers get beside the allocation\'s: "job_name", "task_*".'),
  logging: option.block(
    {
      driver: text('Of the engine: "k8s-file", "journald".'),
      options: option.map(option.string(), { doc: 'Its options.' }),
    },
    { doc: 'How the engine keeps the output.' },
  ),
  networking: option.block(
    {
      default_rootless_mode: text(
        '"slirp4netns", "pasta" or "bridge", for tasks that name none where podman has no root.',
      ),
    },
    { doc: 'Of containers without a group network.' },
  ),
  dns_servers: texts('Name servers of tasks that name none.'),
  disable_log_collection: flag('The output stays with the engine.'),
  client_http_timeout: text('Accepted; each call has a limit of its own.', '60s'),
  allow_privileged: flag('Jobs may run privileged containers.'),
  allow_caps: option.list(option.string(), {
    default: nomadDefaultCapabilities,
    doc: 'Capabilities that jobs may add.',
  }),
  pids_limit: option.number({
    default: 0,
    doc: 'The most processes a task may ask for; 0: 4096 for tasks that ask for none.',
  }),
} as const;

export const taskSchema = {
  image: option.string({
    required: true,
    doc: 'Name, with tag or digest; or an archive with it: "docker-archive:local/app.tar", "oci-archive:…".',
  }),
  socket: text("Which of the operator's services runs it, by its name.", 'default'),
  arch: text('Of the image that is pulled, where it is not that of the host.'),
  os: text('The same.'),
  variant: text('The same.'),
  force_pull: flag('Pull though the image is there.'),
  image_pull_timeout: text('How long the pull may take.', '5m'),
  auth: option.block(
    {
      username: text('Who.'),
      password: text('Their password.'),
      tls_verify: flag('The registry shows a certificate that this host trusts.', true),
    },
    { doc: 'Credentials of this task.' },
  ),
  auth_soft_fail: flag('Without credentials it is tried all the same.'),
  command: text('What to run in place of what the image says.'),
  args: texts('Its arguments.'),
  entrypoint: option.any({ doc: "In place of the image's own: a text or a list of texts." }),
  working_dir: text('Where it begins.'),
  hostname: text('What it believes to be called.'),
  tty: flag('It gets a terminal.'),
  init: flag('A small init beside it reaps what it leaves.'),
  init_path: text('Which, of the host; default the one podman has.'),
  labels: option.map(option.string(), { doc: 'Of the container.' }),
  network_mode: text(
    '"bridge", "host", "none", "container:<id>", "task:<name>" (of the same group) or a network\'s name.',
  ),
  ipv4_address: text('In a network of its own.'),
  ipv6_address: text('In a network of its own.'),
  static_ips: texts('Addresses in a network of its own: one of IPv4, one of IPv6.'),
  static_mac: text('Of its interface.'),
  ports: texts("Labels of the group's ports that are published."),
  port_map: option.map(option.number(), { doc: 'Port label to port inside, for ports of the task itself.' }),
  extra_hosts: texts('"name:address" for /etc/hosts.'),
  volumes: texts('"source:target[:ro]".'),
  tmpfs: texts('Targets of a tmpfs each.'),
  devices: texts('"/dev/x[:/dev/y[:rwm]]".'),
  memory_reservation: text('What it is sure to have: "64m"; `memory` is then the limit.'),
  memory_swap: text('Memory and swap together: "128m"; default as much as `memory`: no swap.'),
  memory_swappiness: option.number({ doc: '0 to 100, where control groups are of version 1.' }),
  cpu_hard_limit: flag('No more processor time than asked for.'),
  cpu_cfs_period: option.number({ default: 100_000, doc: 'Microseconds, up to 1,000,000.' }),
  pids_limit: option.number({ default: 0, doc: 'Processes and threads.' }),
  shm_size: text('Of /dev/shm: "64m".'),
  ulimit: option.map(option.string(), { doc: '{ nofile = "1024:2048" }' }),
  sysctl: option.map(option.string(), { doc: 'Kernel settings of its namespaces.' }),
  oom_score_adj: option.number({ default: 0, doc: 'How readily it is ended when memory is short.' }),
  privileged: flag("All of the host's devices and capabilities."),
  cap_add: texts('Capabilities to add, of those the operator allows.'),
  cap_drop: texts('Capabilities to take away; "all".'),
  apparmor_profile: text('The profile of AppArmor.'),
  selinux_opts: texts('Labels of SELinux.'),
  security_opt: texts('"seccomp=<file>", "no-new-privileges=false".'),
  readonly_rootfs: flag('The image is not to be written.'),
  ipc_mode: text('"host", "private".'),
  userns: text('"host", "auto", "keep-id".'),
  logging: option.block(
    { driver: text('Of the engine.'), options: option.map(option.string(), { doc: 'Its options.' }) },
    { doc: 'How the engine keeps the output.' },
  ),
} as const;

export type PluginOptions = ConfigOf<typeof configSchema>;
export type TaskOptions = ConfigOf<typeof taskSchema>;
