/** Options of `exec`. Source: Nomad's documentation of the isolated fork/exec driver. */
import { type ConfigOf, option } from '../../driver/config-schema.ts';
import { isolatedPluginOptions, isolatedTaskOptions } from '../../driver-kit/isolated-options.ts';

export const configSchema = {
  no_pivot_root: option.bool({
    default: false,
    doc: 'Accepted for old configurations; a sandbox always has a root of its own.',
  }),
  ...isolatedPluginOptions,
} as const;

export const taskSchema = {
  command: option.string({ required: true, doc: 'The program as the task sees it, or a name looked up in its PATH.' }),
  args: option.list(option.string(), { doc: 'Its arguments.' }),
  ...isolatedTaskOptions,
} as const;

export type TaskOptions = ConfigOf<typeof taskSchema>;
