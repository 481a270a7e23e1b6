import { any, bool, type Infer, int, map, noun, nullable, string } from './schema.ts';

export const ScalingPolicy = noun('ScalingPolicy', {
  Min: int(),
  Max: int(),
  Policy: nullable(map(any())),
  Enabled: bool(),
  Type: string(),
  ID: string(),
  Namespace: string(),
  Target: nullable(map(string())),
  CreateIndex: int(),
  ModifyIndex: int(),
});
export type ScalingPolicy = Infer<typeof ScalingPolicy>;
