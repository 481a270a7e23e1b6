import { attr, bool, type Infer, inputOnly, list, noun, nullable, string } from './schema.ts';

export const Vault = noun('Vault', {
  Policies: inputOnly(nullable(list(string(), { hcl: attr('policies') }))),
  Role: string({ hcl: attr('role') }),
  Namespace: string({ hcl: attr('namespace'), optional: true }),
  Cluster: string({ hcl: attr('cluster'), fallback: 'default' }),
  Env: bool({ hcl: attr('env'), optional: true, fallback: true }),
  DisableFile: bool({ hcl: attr('disable_file'), optional: true }),
  ChangeMode: string({ hcl: attr('change_mode'), optional: true, fallback: 'restart' }),
  ChangeSignal: string({ hcl: attr('change_signal'), optional: true, fallback: 'SIGHUP' }),
  AllowTokenExpiration: bool({ hcl: attr('allow_token_expiration'), optional: true }),
});
export type Vault = Infer<typeof Vault>;
