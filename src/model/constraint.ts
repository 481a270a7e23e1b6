import { type Infer, int, list, noun, nullable, object, string } from './schema.ts';

export const Constraint = noun('Constraint', {
  LTarget: string(),
  RTarget: string(),
  Operand: string(),
});
export type Constraint = Infer<typeof Constraint>;

export const Affinity = noun('Affinity', {
  LTarget: string(),
  RTarget: string(),
  Operand: string(),
  Weight: int(),
});
export type Affinity = Infer<typeof Affinity>;

export const SpreadTarget = noun('SpreadTarget', {
  Value: string(),
  Percent: int(),
});
export type SpreadTarget = Infer<typeof SpreadTarget>;

export const Spread = noun('Spread', {
  Attribute: string(),
  Weight: int(),
  SpreadTarget: nullable(list(object(SpreadTarget))),
});
export type Spread = Infer<typeof Spread>;
