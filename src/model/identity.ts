import { bool, duration, type Infer, list, noun, nullable, string } from './schema.ts';

export const WorkloadIdentity = noun('WorkloadIdentity', {
  Name: string(),
  Audience: nullable(list(string())),
  ChangeMode: string(),
  ChangeSignal: string(),
  Env: bool(),
  File: bool(),
  Filepath: string(),
  ServiceName: string(),
  TTL: duration(),
  ExtraClaims: nullable(list(string())),
});
export type WorkloadIdentity = Infer<typeof WorkloadIdentity>;
