import { type Infer, noun, string } from './schema.ts';

export const DispatchPayloadConfig = noun('DispatchPayloadConfig', {
  File: string(),
});
export type DispatchPayloadConfig = Infer<typeof DispatchPayloadConfig>;
