import { bool, type Infer, noun, string } from './schema.ts';

export const TaskLifecycle = noun('TaskLifecycle', {
  Hook: string(),
  Sidecar: bool(),
});
export type TaskLifecycle = Infer<typeof TaskLifecycle>;
