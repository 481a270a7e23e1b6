/** Options of `driver = "auto"`: what every driver that it may choose understands. */
import { option } from './config-schema.ts';

export const autoSchema = {
  command: option.string({ required: true, doc: 'The program, as the task sees it.' }),
  args: option.list(option.string(), { doc: 'Its arguments.' }),
  image: option.string({ default: '', doc: "What drivers that run images take it from; others take the node's own." }),
  load: option.string({ default: '', doc: 'What `microvm` takes it from: an archive with the image.' }),
  rootfs: option.string({ default: '', doc: "A root file system for `microvm`, in the image's place." }),
  require_image: option.bool({ default: false, doc: 'Only drivers that run images will do.' }),
  among: option.list(option.string(), {
    doc: 'Of "microvm", "docker", "podman", "exec", "raw_exec": which may be chosen; empty: all.',
  }),
} as const;
