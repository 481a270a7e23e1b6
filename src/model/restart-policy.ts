import { attr, bool, duration, type Infer, int, noun, string } from './schema.ts';

export const RestartPolicy = noun('RestartPolicy', {
  Interval: duration({ hcl: attr('interval'), optional: true }),
  Attempts: int({ hcl: attr('attempts'), optional: true }),
  Delay: duration({ hcl: attr('delay'), optional: true }),
  Mode: string({ hcl: attr('mode'), optional: true }),
  RenderTemplates: bool({ hcl: attr('render_templates'), optional: true }),
});
export type RestartPolicy = Infer<typeof RestartPolicy>;
