/** Options of the operator for jobs that still name `rkt`. */
import { type ConfigOf, option } from '../../driver/config-schema.ts';

export const configSchema = {
  translate: option.bool({ default: false, doc: 'Jobs of rkt run, as containers of podman.' }),
  volumes_enabled: option.bool({ default: true, doc: 'Jobs may mount paths of the host.' }),
  socket_path: option.string({ default: '', doc: "Where podman's service listens; default as of `podman`." }),
} as const;

export type PluginOptions = ConfigOf<typeof configSchema>;
