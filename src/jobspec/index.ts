// HCL job files → the API's job, with diagnostics.
export { notServed } from '../model/not-served.ts';
export { apiJobSchema } from './api-schema.ts';
export { type AttributeShape, type BlockShape, blockShape, type NounShape } from './block-shape.ts';
export { checkJobJson } from './job-json.ts';
export { jobSchema } from './job-schema.ts';
export { type JobFile, type ParsedJob, parseJob } from './parse-job.ts';
export { type ParsedSpec, parseNamespaceFile, parseNodePoolFile } from './spec-file.ts';
export type { Submission } from './submission.ts';
export type { VariableFile, VariableSources } from './variable-values.ts';
