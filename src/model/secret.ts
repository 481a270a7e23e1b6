import { any, attr, block, free, type Infer, label, map, noun, nullable, string } from './schema.ts';

export const Secret = noun('Secret', {
  Name: string({ hcl: label() }),
  Provider: string({ hcl: attr('provider') }),
  Path: string({ hcl: attr('path') }),
  Config: nullable(map(any(), { hcl: free('config') })),
  Env: nullable(map(string(), { hcl: block('env') })),
});
export type Secret = Infer<typeof Secret>;
