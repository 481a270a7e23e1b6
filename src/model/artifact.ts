import { attr, block, bool, type Infer, map, noun, nullable, string } from './schema.ts';

export const TaskArtifact = noun('TaskArtifact', {
  GetterSource: string({ hcl: attr('source'), optional: true }),
  GetterOptions: nullable(map(string(), { hcl: block('options') })),
  GetterHeaders: nullable(map(string(), { hcl: block('headers') })),
  GetterMode: string({ hcl: attr('mode'), optional: true, fallback: 'any' }),
  GetterInsecure: bool({ hcl: attr('insecure'), optional: true }),
  RelativeDest: string({ hcl: attr('destination'), optional: true }),
  Chown: bool({ hcl: attr('chown') }),
});
export type TaskArtifact = Infer<typeof TaskArtifact>;
