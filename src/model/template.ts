import { second } from '../lib/duration.ts';
import { attr, block, bool, duration, type Infer, int, list, noun, nullable, object, string } from './schema.ts';

export const WaitConfig = noun('WaitConfig', {
  Min: nullable(duration({ hcl: attr('min'), optional: true })),
  Max: nullable(duration({ hcl: attr('max'), optional: true })),
});
export type WaitConfig = Infer<typeof WaitConfig>;

export const ChangeScript = noun('ChangeScript', {
  Command: string({ hcl: attr('command'), optional: true }),
  Args: nullable(list(string(), { hcl: attr('args') })),
  Timeout: duration({ hcl: attr('timeout'), optional: true, fallback: 5 * second }),
  FailOnError: bool({ hcl: attr('fail_on_error'), optional: true }),
  RunOnFirstRender: bool({ hcl: attr('run_on_first_render'), optional: true }),
});
export type ChangeScript = Infer<typeof ChangeScript>;

export const Template = noun('Template', {
  SourcePath: string({ hcl: attr('source'), optional: true }),
  DestPath: string({ hcl: attr('destination'), optional: true }),
  EmbeddedTmpl: string({ hcl: attr('data'), optional: true }),
  ChangeMode: string({ hcl: attr('change_mode'), optional: true, fallback: 'restart' }),
  ChangeScript: nullable(object(ChangeScript, { hcl: block('change_script') })),
  ChangeSignal: string({ hcl: attr('change_signal'), optional: true }),
  Once: bool({ hcl: attr('once'), optional: true }),
  Splay: duration({ hcl: attr('splay'), optional: true, fallback: 5 * second }),
  Perms: string({ hcl: attr('perms'), optional: true, fallback: '0644' }),
  Uid: nullable(int({ hcl: attr('uid'), optional: true })),
  Gid: nullable(int({ hcl: attr('gid'), optional: true })),
  LeftDelim: string({ hcl: attr('left_delimiter'), optional: true, fallback: '{{' }),
  RightDelim: string({ hcl: attr('right_delimiter'), optional: true, fallback: '}}' }),
  Envvars: bool({ hcl: attr('env'), optional: true }),
  VaultGrace: duration({ hcl: attr('vault_grace'), optional: true }),
  Wait: nullable(object(WaitConfig, { hcl: block('wait') })),
  ErrMissingKey: bool({ hcl: attr('error_on_missing_key'), optional: true }),
});
export type Template = Infer<typeof Template>;
