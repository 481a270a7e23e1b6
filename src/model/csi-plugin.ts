import { second } from '../lib/duration.ts';
import { attr, duration, type Infer, noun, string } from './schema.ts';

export const TaskCSIPluginConfig = noun('TaskCSIPluginConfig', {
  ID: string({ hcl: attr('id') }),
  Type: string({ hcl: attr('type') }),
  MountDir: string({ hcl: attr('mount_dir'), fallback: '/csi' }),
  StagePublishBaseDir: string({ hcl: attr('stage_publish_base_dir'), fallback: '/local/csi' }),
  HealthTimeout: duration({ hcl: attr('health_timeout'), fallback: 30 * second }),
});
export type TaskCSIPluginConfig = Infer<typeof TaskCSIPluginConfig>;
