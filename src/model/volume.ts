import { attr, block, bool, type Infer, label, list, noun, nullable, object, string } from './schema.ts';

export const CSIMountOptions = noun('CSIMountOptions', {
  FSType: string({ hcl: attr('fs_type') }),
  MountFlags: nullable(list(string(), { hcl: attr('mount_flags') })),
});
export type CSIMountOptions = Infer<typeof CSIMountOptions>;

export const VolumeRequest = noun('VolumeRequest', {
  Name: string({ hcl: label() }),
  Type: string({ hcl: attr('type') }),
  Source: string({ hcl: attr('source') }),
  ReadOnly: bool({ hcl: attr('read_only') }),
  Sticky: bool({ hcl: attr('sticky') }),
  AccessMode: string({ hcl: attr('access_mode') }),
  AttachmentMode: string({ hcl: attr('attachment_mode') }),
  MountOptions: nullable(object(CSIMountOptions, { hcl: block('mount_options') })),
  PerAlloc: bool({ hcl: attr('per_alloc') }),
});
export type VolumeRequest = Infer<typeof VolumeRequest>;

export const VolumeMount = noun('VolumeMount', {
  Volume: string({ hcl: attr('volume'), optional: true }),
  Destination: string({ hcl: attr('destination'), optional: true }),
  ReadOnly: bool({ hcl: attr('read_only'), optional: true }),
  PropagationMode: string({ hcl: attr('propagation_mode'), optional: true, fallback: 'private' }),
  SELinuxLabel: string({ hcl: attr('selinux_label'), optional: true }),
});
export type VolumeMount = Infer<typeof VolumeMount>;
