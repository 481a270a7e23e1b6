import { attr, bool, duration, type Infer, list, noun, nullable, string } from './schema.ts';

export const WorkloadIdentity = noun('WorkloadIdentity', {
  Name: string({ hcl: attr('name') }),
  Audience: nullable(list(string(), { hcl: attr('aud') })),
  ChangeMode: string({ hcl: attr('change_mode') }),
  ChangeSignal: string({ hcl: attr('change_signal') }),
  Env: bool({ hcl: attr('env') }),
  File: bool({ hcl: attr('file') }),
  Filepath: string({ hcl: attr('filepath') }),
  ServiceName: string({ hcl: attr('service_name') }),
  TTL: duration({ hcl: attr('ttl') }),
  ExtraClaims: nullable(list(string(), { hcl: attr('extra_claims') })),
});
export type WorkloadIdentity = Infer<typeof WorkloadIdentity>;
