import { attr, type Infer, noun, string } from './schema.ts';

export const Consul = noun('Consul', {
  Namespace: string({ hcl: attr('namespace') }),
  Cluster: string({ hcl: attr('cluster'), fallback: 'default' }),
  Partition: string({ hcl: attr('partition') }),
});
export type Consul = Infer<typeof Consul>;
