import { bool, type Infer, list, noun, nullable, string } from './schema.ts';

export const Vault = noun('Vault', {
  Policies: nullable(list(string())),
  Role: string(),
  Namespace: string(),
  Cluster: string(),
  Env: bool(),
  DisableFile: bool(),
  ChangeMode: string(),
  ChangeSignal: string(),
  AllowTokenExpiration: bool(),
});
export type Vault = Infer<typeof Vault>;
