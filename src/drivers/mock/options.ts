/** Options of `mock_driver`, as Nomad's own test driver has them. */
import { type ConfigOf, option } from '../../driver/config-schema.ts';

export const configSchema = {
  fs_isolation: option.string({
    default: 'none',
    doc: '"none", "chroot", "image" or "unveil": what the driver claims.',
  }),
  shutdown_periodic_after: option.bool({
    default: false,
    doc: 'Accepted; a driver in process does not end by itself.',
  }),
  shutdown_periodic_duration: option.number({ default: 0, doc: 'Accepted; see above.' }),
} as const;

const ending = {
  run_for: option.string({ default: '', doc: 'How long the task runs: "10s"; empty: it ends at once.' }),
  exit_code: option.number({ default: 0, doc: 'Its exit code.' }),
  exit_signal: option.number({ default: 0, doc: 'The signal it says it was ended by.' }),
  exit_err_msg: option.string({ default: '', doc: 'The message of its end.' }),
  signal_error: option.string({ default: '', doc: 'What signalling it answers.' }),
  stdout_string: option.string({ default: '', doc: 'What it prints.' }),
  stdout_repeat: option.number({ default: 0, doc: 'How often it prints that again.' }),
  stdout_repeat_duration: option.string({ default: '', doc: 'The pause between.' }),
  stderr_string: option.string({ default: '' }),
  stderr_repeat: option.number({ default: 0 }),
  stderr_repeat_duration: option.string({ default: '' }),
} as const;

export const taskSchema = {
  ...ending,
  start_error: option.string({ default: '', doc: 'The start fails with this.' }),
  start_error_recoverable: option.bool({ default: false, doc: 'That failure may be tried again.' }),
  start_block_for: option.string({ default: '', doc: 'How long the start takes.' }),
  kill_after: option.string({ default: '', doc: 'How long the task goes on after it was told to stop.' }),
  plugin_exit_after: option.string({ default: '', doc: 'Accepted; a driver in process does not end by itself.' }),
  driver_ip: option.string({ default: '', doc: 'The address the driver says the task has.' }),
  driver_advertise: option.bool({ default: false, doc: 'Whether services use that address by default.' }),
  port_map: option.string({ default: '', doc: '"web:8080 db:5432": what the driver says its ports are.' }),
  exec_command: option.block(ending, { doc: 'What a command run inside the task does.' }),
} as const;

export type PluginOptions = ConfigOf<typeof configSchema>;
export type TaskOptions = ConfigOf<typeof taskSchema>;
export type Ending = ConfigOf<typeof ending>;
