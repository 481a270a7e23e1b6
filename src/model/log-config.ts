import { bool, type Infer, int, noun, nullable } from './schema.ts';

export const LogConfig = noun('LogConfig', {
  MaxFiles: int(),
  MaxFileSizeMB: int(),
  Enabled: nullable(bool()),
  Disabled: bool(),
});
export type LogConfig = Infer<typeof LogConfig>;
