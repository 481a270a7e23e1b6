import { attr, bool, type Infer, int, noun } from './schema.ts';

export const EphemeralDisk = noun('EphemeralDisk', {
  Sticky: bool({ hcl: attr('sticky'), optional: true }),
  Migrate: bool({ hcl: attr('migrate'), optional: true }),
  SizeMB: int({ hcl: attr('size'), optional: true, fallback: 300 }),
});
export type EphemeralDisk = Infer<typeof EphemeralDisk>;
