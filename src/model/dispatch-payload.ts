import { attr, type Infer, noun, string } from './schema.ts';

export const DispatchPayloadConfig = noun('DispatchPayloadConfig', {
  File: string({ hcl: attr('file') }),
});
export type DispatchPayloadConfig = Infer<typeof DispatchPayloadConfig>;
