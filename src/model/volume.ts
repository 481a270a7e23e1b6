import { bool, type Infer, list, noun, nullable, object, string } from './schema.ts';

export const CSIMountOptions = noun('CSIMountOptions', {
  FSType: string(),
  MountFlags: nullable(list(string())),
});
export type CSIMountOptions = Infer<typeof CSIMountOptions>;

export const VolumeRequest = noun('VolumeRequest', {
  Name: string(),
  Type: string(),
  Source: string(),
  ReadOnly: bool(),
  Sticky: bool(),
  AccessMode: string(),
  AttachmentMode: string(),
  MountOptions: nullable(object(CSIMountOptions)),
  PerAlloc: bool(),
});
export type VolumeRequest = Infer<typeof VolumeRequest>;

export const VolumeMount = noun('VolumeMount', {
  Volume: string(),
  Destination: string(),
  ReadOnly: bool(),
  PropagationMode: string(),
  SELinuxLabel: string(),
});
export type VolumeMount = Infer<typeof VolumeMount>;
