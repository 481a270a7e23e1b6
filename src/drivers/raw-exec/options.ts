/** Options of `raw_exec`. Source: Nomad's documentation of the raw_exec driver. */
import { type ConfigOf, option } from '../../driver/config-schema.ts';

export const configSchema = {
  enabled: option.bool({ default: false, doc: 'Whether tasks may run without isolation on this node.' }),
  no_cgroups: option.bool({
    default: false,
    doc: 'Accepted for old configurations; cgroups are used wherever there are any.',
  }),
  denied_host_uids: option.string({ default: '', doc: 'Users no task may run as: "0,10-20".' }),
  denied_host_gids: option.string({ default: '', doc: 'Groups no task may run as.' }),
  default_user: option.string({
    default: '',
    doc: "Whom a task runs as that names nobody; empty: the agent's own user.",
  }),
  allowed_commands: option.list(option.string(), {
    doc: 'Patterns of programs that may run, by absolute path after links are followed: ["/usr/bin/*"]; empty: all.',
  }),
  pids_limit: option.number({ default: 0, doc: 'Processes and threads of one task; 0: no limit.' }),
  denied_envvars: option.list(option.string(), { doc: 'Patterns of variables that no task gets: ["AWS_*"].' }),
} as const;

export const taskSchema = {
  command: option.string({
    required: true,
    doc: 'The program: a path, or a name looked up in the task directory and in PATH.',
  }),
  args: option.list(option.string(), { doc: 'Its arguments.' }),
  cgroup_v2_override: option.string({ doc: 'A cgroup of the operator to run in.' }),
  cgroup_v1_override: option.list(option.map(option.string()), {
    doc: 'The same by v1 controller: { memory = "app" }.',
  }),
  cpu_hard_limit: option.bool({
    default: false,
    doc: 'Whether `resources { cpu }` is all the task may use, even where the rest is idle.',
  }),
  oom_score_adj: option.number({
    default: 0,
    doc: '0 to 1000: how soon the kernel ends the task when memory is short.',
  }),
  work_dir: option.string({ default: '', doc: 'Absolute; default: the task directory.' }),
  denied_envvars: option.list(option.string(), { doc: 'Patterns of variables the task does not get.' }),
} as const;

export type PluginOptions = ConfigOf<typeof configSchema>;
export type TaskOptions = ConfigOf<typeof taskSchema>;
