// What operators and jobs may say. Source: the options of nomad-driver-lxc 0.3; those marked "ours" are not there.
import { option } from 'drover/driver';

/** plugin "nomad-driver-lxc" { config { … } } */
export const pluginOptions = {
  enabled: option.bool({ default: true, doc: 'False: the driver is not there.' }),
  lxc_path: option.string({ default: '/var/lib/lxc', doc: 'Where containers are kept.' }),
  default_config: option.string({ doc: 'A file that every configuration begins with; default none.' }),
  network_mode: option.string({ default: 'bridge', doc: '"bridge", "host" or "none", for tasks that say nothing.' }),
  bridge: option.string({ default: 'lxcbr0', doc: 'The bridge of network_mode "bridge". Ours.' }),
  volumes_enabled: option.bool({ default: true, doc: 'Tasks may mount directories of the host.' }),
  gc: option.block(
    { container: option.bool({ default: true, doc: 'Remove containers of ended tasks.' }) },
    { doc: 'What is cleaned up.' },
  ),
  templates: option.list(option.string(), {
    default: ['busybox', 'download'],
    doc: 'Templates that jobs may use: names, or paths of programs. They run as root. Ours.',
  }),
  rootfs_paths: option.list(option.string(), {
    doc: "Directories that root file systems may come from, beside the task's own. Ours.",
  }),
  allow_privileged: option.bool({
    default: false,
    doc: "Tasks may ask that root of the container be the host's. Ours.",
  }),
  id_first: option.number({
    default: 1_879_048_192,
    doc: "The first of the host's ids that containers' ids are mapped to; 65,536 for each task. Ours.",
  }),
  pids_limit: option.number({ default: 4096, doc: 'Processes and threads of one task. Ours.' }),
  id_ranges: option.number({ default: 4094, doc: 'How many tasks get ids at the same time. Ours.' }),
};

/** config { … } of a task */
export const taskOptions = {
  template: option.string({ doc: 'The template that makes the root file system: "busybox", "download", …' }),
  template_args: option.list(option.string(), { doc: 'Further arguments of the template.' }),
  distro: option.string({ doc: 'For "download": the distribution.' }),
  release: option.string({ doc: 'For "download": its release.' }),
  arch: option.string({ doc: 'For "download": the architecture.' }),
  image_variant: option.string({ doc: 'For "download": the variant, e.g. "default".' }),
  image_server: option.string({ doc: 'For "download": the host name of the server.' }),
  gpg_key_id: option.string({ doc: 'For "download": the key that signed.' }),
  gpg_key_server: option.string({ doc: 'For "download": where keys are found.' }),
  disable_gpg: option.bool({ default: false, doc: 'For "download": do not check the signature.' }),
  flush_cache: option.bool({ default: false, doc: 'For "download": forget what was downloaded before.' }),
  force_cache: option.bool({ default: false, doc: 'For "download": use what was downloaded before, however old.' }),
  rootfs: option.string({
    doc: 'In place of a template: a directory, in the task directory or below one of `rootfs_paths`; the container gets a copy. Ours.',
  }),
  command: option.string({ doc: "What runs; default: the root file system's own /sbin/init. Ours." }),
  args: option.list(option.string(), { doc: 'Its arguments. Ours.' }),
  network_mode: option.string({ doc: '"bridge", "host" or "none"; default: as the operator says.' }),
  volumes: option.list(option.string(), {
    doc: '"/host/path:path/in/container", also with ":ro"; a relative first path is in the task directory.',
  }),
  privileged: option.bool({ default: false, doc: 'No id mapping, where the operator allows that. Ours.' }),
  log_level: option.string({
    default: 'error',
    doc: 'How much lxc says in its own log: trace, debug, info, …, fatal.',
  }),
  verbosity: option.string({ default: 'quiet', doc: '"quiet", or "verbose": lxc speaks on stderr of the task too.' }),
};
