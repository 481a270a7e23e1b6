import { attr, blocks, type Infer, int, label, list, noun, nullable, object, string } from './schema.ts';

export const Constraint = noun('Constraint', {
  LTarget: string({ hcl: attr('attribute') }),
  RTarget: string({ hcl: attr('value') }),
  Operand: string({ hcl: attr('operator') }),
});
export type Constraint = Infer<typeof Constraint>;

export const Affinity = noun('Affinity', {
  LTarget: string({ hcl: attr('attribute') }),
  RTarget: string({ hcl: attr('value') }),
  Operand: string({ hcl: attr('operator') }),
  Weight: int({ hcl: attr('weight'), optional: true, bits: 'int8', fallback: 50 }),
});
export type Affinity = Infer<typeof Affinity>;

export const SpreadTarget = noun('SpreadTarget', {
  Value: string({ hcl: label() }),
  Percent: int({ hcl: attr('percent'), bits: 'uint8' }),
});
export type SpreadTarget = Infer<typeof SpreadTarget>;

export const Spread = noun('Spread', {
  Attribute: string({ hcl: attr('attribute') }),
  Weight: int({ hcl: attr('weight'), optional: true, bits: 'int8', fallback: 50 }),
  SpreadTarget: nullable(list(object(SpreadTarget), { hcl: blocks('target') })),
});
export type Spread = Infer<typeof Spread>;
