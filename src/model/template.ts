import { bool, duration, type Infer, int, list, noun, nullable, object, string } from './schema.ts';

export const WaitConfig = noun('WaitConfig', {
  Min: nullable(duration()),
  Max: nullable(duration()),
});
export type WaitConfig = Infer<typeof WaitConfig>;

export const ChangeScript = noun('ChangeScript', {
  Command: string(),
  Args: nullable(list(string())),
  Timeout: duration(),
  FailOnError: bool(),
  RunOnFirstRender: bool(),
});
export type ChangeScript = Infer<typeof ChangeScript>;

export const Template = noun('Template', {
  SourcePath: string(),
  DestPath: string(),
  EmbeddedTmpl: string(),
  ChangeMode: string(),
  ChangeScript: nullable(object(ChangeScript)),
  ChangeSignal: string(),
  Once: bool(),
  Splay: duration(),
  Perms: string(),
  Uid: nullable(int()),
  Gid: nullable(int()),
  LeftDelim: string(),
  RightDelim: string(),
  Envvars: bool(),
  VaultGrace: duration(),
  Wait: nullable(object(WaitConfig)),
  ErrMissingKey: bool(),
});
export type Template = Infer<typeof Template>;
