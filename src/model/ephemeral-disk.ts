import { bool, type Infer, int, noun } from './schema.ts';

export const EphemeralDisk = noun('EphemeralDisk', {
  Sticky: bool(),
  Migrate: bool(),
  SizeMB: int(),
});
export type EphemeralDisk = Infer<typeof EphemeralDisk>;
