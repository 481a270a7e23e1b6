import { bool, duration, type Infer, int, noun, string } from './schema.ts';

export const RestartPolicy = noun('RestartPolicy', {
  Interval: duration(),
  Attempts: int(),
  Delay: duration(),
  Mode: string(),
  RenderTemplates: bool(),
});
export type RestartPolicy = Infer<typeof RestartPolicy>;
