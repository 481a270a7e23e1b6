/** Options of `qemu`. Source: Nomad's documentation of the QEMU driver. */
import { type ConfigOf, option } from '../../driver/config-schema.ts';
import { strictness } from '../../driver-kit/isolated-options.ts';

const { pids_limit: _, ...strict } = strictness;

export const configSchema = {
  image_paths: option.list(option.string(), {
    doc: "Directories of the host that images may come from, beside the task's own.",
  }),
  args_allowlist: option.list(option.string(), {
    doc: 'Flags that jobs may add ("-smbios"); empty: all.',
  }),
  emulators_allowlist: option.list(option.string(), {
    doc: 'Of "x86_64", "aarch64", …: which jobs may use; empty: all.',
  }),
  memory_headroom: option.number({
    default: 160,
    doc: 'MB that the emulator itself may have beside the memory of its guest.',
  }),
  ...strict,
  pids_limit: option.number({ default: 512, doc: 'Processes and threads of one emulator.' }),
} as const;

export const taskSchema = {
  image_path: option.string({
    required: true,
    doc: "The disk: in the task's directory, or below one of `image_paths`.",
  }),
  drive_interface: option.string({
    default: 'ide',
    doc: '"ide", "scsi", "sd", "mtd", "floppy", "pflash", "virtio" or "none".',
  }),
  accelerator: option.string({ default: 'tcg', doc: '"kvm" where the host has it; "tcg" emulates.' }),
  graceful_shutdown: option.bool({ default: false, doc: 'A stop presses the power button first.' }),
  guest_agent: option.bool({
    default: false,
    doc: 'A channel for an agent in the guest: `qa.sock` in the task directory.',
  }),
  args: option.list(option.string(), { doc: 'Further arguments of the emulator, of those the operator allows.' }),
  port_map: option.map(option.number(), { doc: 'Port label to port in the guest; tcp and udp.' }),
  emulator: option.string({ default: 'x86_64', doc: 'Which emulator: `qemu-system-<emulator>`.' }),
  machine_type: option.string({ default: 'pc', doc: 'The machine: "pc", "q35", "microvm", "virt".' }),
} as const;

export type PluginOptions = ConfigOf<typeof configSchema>;
export type TaskOptions = ConfigOf<typeof taskSchema>;
