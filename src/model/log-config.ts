import { attr, bool, type Infer, inputOnly, int, noun, nullable } from './schema.ts';

export const LogConfig = noun('LogConfig', {
  MaxFiles: int({ hcl: attr('max_files'), optional: true, fallback: 10 }),
  MaxFileSizeMB: int({ hcl: attr('max_file_size'), optional: true, fallback: 10 }),
  Enabled: inputOnly(nullable(bool({ hcl: attr('enabled'), optional: true }))),
  Disabled: bool({ hcl: attr('disabled'), optional: true }),
});
export type LogConfig = Infer<typeof LogConfig>;
