import { type Infer, list, noun, nullable, string } from './schema.ts';

export const Action = noun('Action', {
  Name: string(),
  Command: string(),
  Args: nullable(list(string())),
});
export type Action = Infer<typeof Action>;
