import { duration, type Infer, noun, string } from './schema.ts';

export const TaskCSIPluginConfig = noun('TaskCSIPluginConfig', {
  ID: string(),
  Type: string(),
  MountDir: string(),
  StagePublishBaseDir: string(),
  HealthTimeout: duration(),
});
export type TaskCSIPluginConfig = Infer<typeof TaskCSIPluginConfig>;
