import { type Infer, noun, string } from './schema.ts';

export const Consul = noun('Consul', {
  Namespace: string(),
  Cluster: string(),
  Partition: string(),
});
export type Consul = Infer<typeof Consul>;
