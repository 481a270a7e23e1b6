/** Options of `java`. Source: Nomad's documentation of the Java driver. */
import { type ConfigOf, option } from '../../driver/config-schema.ts';
import { isolatedPluginOptions, isolatedTaskOptions } from '../../driver-kit/isolated-options.ts';

export const configSchema = { ...isolatedPluginOptions } as const;

export const taskSchema = {
  class: option.string({ default: '', doc: 'The class whose `main` runs; this or `jar_path` is needed.' }),
  class_path: option.string({ default: '', doc: 'Where classes are looked for, as the task sees it.' }),
  jar_path: option.string({ default: '', doc: 'The archive to run, as the task sees it: "local/app.jar".' }),
  jvm_options: option.list(option.string(), { doc: 'Options of the virtual machine itself: ["-Xmx256m"].' }),
  args: option.list(option.string(), { doc: "The program's arguments." }),
  ...isolatedTaskOptions,
} as const;

export type TaskOptions = ConfigOf<typeof taskSchema>;
