/** Options of `wasm`. Nomad has no such driver; names follow its others. */
import { type ConfigOf, option } from '../../driver/config-schema.ts';
import { strictness } from '../../driver-kit/isolated-options.ts';

const { pids_limit: _, ...strict } = strictness;

export const configSchema = {
  module_paths: option.list(option.string(), {
    doc: "Directories of the host that modules may come from, beside the task's own.",
  }),
  memory_headroom: option.number({
    default: 192,
    doc: 'MB that the process around a module may have beside the memory of the module.',
  }),
  ...strict,
  pids_limit: option.number({ default: 128, doc: 'Threads of the process around one module.' }),
} as const;

export const taskSchema = {
  module: option.string({
    required: true,
    doc: "The module, a WASI command (preview 1): in the task's directory, or below one of `module_paths`.",
  }),
  args: option.list(option.string(), { doc: 'Its arguments, after its own name.' }),
  dir: option.blocks(
    {
      path: option.string({ required: true, doc: 'A directory of the task: "local/data", "alloc/data", "secrets".' }),
      guest: option.string({ default: '', doc: 'What the module calls it; default: `/` and the path.' }),
      read_only: option.bool({ default: false, doc: 'The module may not change anything below it.' }),
    },
    { doc: 'A directory that the module may use; without any it sees no file.' },
  ),
  timeout: option.string({ default: '', doc: '"90s": the longest that the module may run; empty: no limit.' }),
} as const;

export type PluginOptions = ConfigOf<typeof configSchema>;
export type TaskOptions = ConfigOf<typeof taskSchema>;
