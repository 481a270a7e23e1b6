/** Options that every driver has whose tasks run in the isolation of this host: `exec`, `java`, and those like them. */
import { type ConfigOf, option } from '../driver/config-schema.ts';
import { nomadDefaultCapabilities } from '../isolation/capabilities.ts';

const mode = (what: string, fallback: string) =>
  option.string({ default: fallback, doc: `"private" or "host": whether tasks share the host's ${what}.` });

/** How strict to be, and with what. */
export const strictness = {
  denied_host_uids: option.string({ default: '', doc: 'Users no task may run as: "0,10-20".' }),
  denied_host_gids: option.string({ default: '', doc: 'Groups no task may run as.' }),
  isolation: option.block(
    {
      prefer: option.string({
        default: 'container',
        doc: 'The strictest rung to try: "process", "sandbox", "container".',
      }),
      min: option.string({
        default: 'none',
        doc: 'Tasks below this rung are refused on this node; the driver is unhealthy where no task can have it.',
      }),
      runtimes: option.list(option.string(), {
        doc: 'Of "bwrap", "crun", "runc", "unshare": which may isolate; empty: all, the best first.',
      }),
    },
    { doc: 'How strict to be.' },
  ),
  core_dumps: option.bool({
    default: false,
    doc: 'Whether tasks in a sandbox may leave images of their memory, in files or to the program that core_pattern of the host names.',
  }),
  pids_limit: option.number({ default: 4096, doc: 'Processes and threads of one task.' }),
} as const;

/** Of the operator's `plugin` block. */
export const isolatedPluginOptions = {
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
  ...strictness,
} as const;

/** Of a task's `config`. */
export const isolatedTaskOptions = {
  pid_mode: mode('processes', ''),
  ipc_mode: mode('shared memory', ''),
  cap_add: option.list(option.string(), { doc: 'Capabilities to add to the empty set, of those the operator allows.' }),
  cap_drop: option.list(option.string(), { doc: 'Capabilities to take away again.' }),
  cpu_hard_limit: option.bool({
    default: false,
    doc: 'Whether `resources { cpu }` is all the task may use, even where the rest is idle.',
  }),
  io_weight: option.number({
    default: 0,
    doc: 'Its weight among those who use the disks, 1 to 10000 (100 is ordinary); refused where no disk heeds one (scheduler bfq, of which 1000 is the most, or io.cost.qos); 0: none of its own.',
  }),
  work_dir: option.string({ default: '', doc: 'Absolute, inside; default: the root, which is the task directory.' }),
} as const;

export type Strictness = ConfigOf<typeof strictness>;
export type IsolatedPluginOptions = ConfigOf<typeof isolatedPluginOptions>;
export type IsolatedTaskOptions = ConfigOf<typeof isolatedTaskOptions>;
