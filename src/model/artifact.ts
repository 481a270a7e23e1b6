import { bool, type Infer, map, noun, nullable, string } from './schema.ts';

export const TaskArtifact = noun('TaskArtifact', {
  GetterSource: string(),
  GetterOptions: nullable(map(string())),
  GetterHeaders: nullable(map(string())),
  GetterMode: string(),
  GetterInsecure: bool(),
  RelativeDest: string(),
  Chown: bool(),
});
export type TaskArtifact = Infer<typeof TaskArtifact>;
