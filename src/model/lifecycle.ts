import { attr, bool, type Infer, noun, string } from './schema.ts';

export const TaskLifecycle = noun('TaskLifecycle', {
  Hook: string({ hcl: attr('hook', { required: true }) }),
  Sidecar: bool({ hcl: attr('sidecar') }),
});
export type TaskLifecycle = Infer<typeof TaskLifecycle>;
