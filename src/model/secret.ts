import { any, type Infer, map, noun, nullable, string } from './schema.ts';

export const Secret = noun('Secret', {
  Name: string(),
  Provider: string(),
  Path: string(),
  Config: nullable(map(any())),
  Env: nullable(map(string())),
});
export type Secret = Infer<typeof Secret>;
