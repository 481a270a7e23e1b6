import { any, attr, bool, free, type Infer, inputOnly, int, map, noun, nullable, string } from './schema.ts';

export const ScalingPolicy = noun('ScalingPolicy', {
  Min: int({ hcl: attr('min'), optional: true, bits: 'int64' }),
  Max: int({ hcl: attr('max'), optional: true, bits: 'int64' }),
  Policy: nullable(map(any(), { hcl: free('policy') })),
  Enabled: bool({ hcl: attr('enabled'), optional: true, fallback: true }),
  Type: string({ hcl: attr('type') }),
  ID: string(),
  Namespace: inputOnly(string()),
  Target: nullable(map(string())),
  CreateIndex: int({ bits: 'uint64' }),
  ModifyIndex: int({ bits: 'uint64' }),
});
export type ScalingPolicy = Infer<typeof ScalingPolicy>;
