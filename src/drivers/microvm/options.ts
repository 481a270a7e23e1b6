/** Options of `microvm`: ours, with qemu's names for qemu's things. */
import { type ConfigOf, option } from '../../driver/config-schema.ts';
import { strictness } from '../../driver-kit/isolated-options.ts';

const { pids_limit: _, ...strict } = strictness;

export const configSchema = {
  enabled: option.bool({ default: true, doc: 'False: the driver is not there.' }),
  kernel: option.string({
    doc: 'The kernel that machines boot; its modules are in /lib/modules. Default: the newest /boot/vmlinuz-*.',
  }),
  image_paths: option.list(option.string(), {
    doc: "Directories of the host that root file systems, images and kernels may come from, beside the task's own.",
  }),
  image_limit_mb: option.number({
    default: 2048,
    doc: 'The largest image that is unpacked, or directory of the allocation that is copied, for a machine, in MB of files.',
  }),
  memory_headroom: option.number({
    default: 192,
    doc: 'MB that the machine monitor itself may have beside the memory of its guest.',
  }),
  ...strict,
  pids_limit: option.number({ default: 512, doc: 'Processes and threads of one machine monitor.' }),
} as const;

export const taskSchema = {
  rootfs: option.string({
    doc: "The root file system: a directory, or an ext4 image, in the task's directory or below one of `image_paths`. It is never written.",
  }),
  load: option.string({
    doc: 'An archive with an image, as `docker save`, `podman save` and OCI layouts are, in place of `rootfs` and where that may be.',
  }),
  image: option.string({ doc: 'Which image of `load`; needed where it holds several.' }),
  kernel: option.string({
    doc: "A kernel in place of the operator's, with its virtio drivers built in; where `rootfs` may be.",
  }),
  command: option.string({
    doc: "What runs: a path, or a name looked up in PATH, in the root file system. With an image it replaces the image's own command.",
  }),
  args: option.list(option.string(), { doc: 'Its arguments.' }),
  work_dir: option.string({ doc: "Where it runs; default: the image's own, or /." }),
  ports: option.list(option.string(), {
    doc: "Labels of the group's ports that lead into the machine; default: all. Name them where other tasks of the group have some.",
  }),
  accelerator: option.string({
    default: 'auto',
    doc: '"kvm", "tcg" (emulated), or "auto": kvm where this kernel booted under it.',
  }),
  disk_mb: option.number({
    default: 256,
    doc: 'Room on the root file system beside what is in it, in MB; it goes with the task.',
  }),
  local_mb: option.number({ default: 64, doc: 'Room in /local beside what is in it, in MB.' }),
} as const;

export type PluginOptions = ConfigOf<typeof configSchema>;
export type TaskOptions = ConfigOf<typeof taskSchema>;
