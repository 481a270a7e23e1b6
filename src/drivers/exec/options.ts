/** Options of `exec`. Source: Nomad's documentation of the isolated fork/exec driver. */
import { type ConfigOf, option } from '../../driver/config-schema.ts';
import { nomadDefaultCapabilities } from '../../isolation/capabilities.ts';

const mode = (what: string, fallback: string) =>
  option.string({ default: fallback, doc: `"private" or "host": whether tasks share the host's ${what}.` });

export const configSchema = {
  no_pivot_root: option.bool({
    default: false,
    doc: 'Accepted for old configurations; a sandbox always has a root of its own.',
  }),
  default_pid_mode: mode('processes', 'private'),
  default_ipc_mode: mode('shared memory', 'private'),
  allow_caps: option.list(option.string(), {
    default: nomadDefaultCapabilities,
    doc: 'Capabilities that jobs may add.',
  }),
  capabilities: option.string({
    default: '',
    doc: '"nomad": tasks keep the set that Nomad gives them; the default is none.',
  }),
  denied_host_uids: option.string({ default: '', doc: 'Users no task may run as: "0,10-20".' }),
  denied_host_gids: option.string({ default: '', doc: 'Groups no task may run as.' }),
  isolation: option.block(
    {
      prefer: option.string({
        default: 'container',
        doc: 'The strictest rung to try: "process", "sandbox", "container".',
      }),
      runtimes: option.list(option.string(), {
        doc: 'Of "bwrap", "crun", "runc": which may isolate; empty: all, the best first.',
      }),
    },
    { doc: 'How strict to be.' },
  ),
  pids_limit: option.number({ default: 4096, doc: 'Processes and threads of one task.' }),
} as const;

export const taskSchema = {
  command: option.string({ required: true, doc: 'The program as the task sees it, or a name looked up in its PATH.' }),
  args: option.list(option.string(), { doc: 'Its arguments.' }),
  pid_mode: mode('processes', ''),
  ipc_mode: mode('shared memory', ''),
  cap_add: option.list(option.string(), { doc: 'Capabilities to add to the empty set, of those the operator allows.' }),
  cap_drop: option.list(option.string(), { doc: 'Capabilities to take away again.' }),
  work_dir: option.string({ default: '', doc: 'Absolute, inside; default: the root, which is the task directory.' }),
} as const;

export type PluginOptions = ConfigOf<typeof configSchema>;
export type TaskOptions = ConfigOf<typeof taskSchema>;
