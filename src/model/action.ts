import { attr, type Infer, label, list, noun, nullable, string } from './schema.ts';

export const Action = noun('Action', {
  Name: string({ hcl: label() }),
  Command: string({ hcl: attr('command', { required: true }) }),
  Args: nullable(list(string(), { hcl: attr('args') })),
});
export type Action = Infer<typeof Action>;
