/** What every cluster has from the beginning. */
import { fill } from '../model/fill.ts';
import { Namespace } from '../model/namespace.ts';
import { NodePool } from '../model/node-pool.ts';
import { defaultIdentityTtl } from '../model/node-pool-validate.ts';
import { SchedulerConfiguration } from '../model/scheduler-configuration.ts';
import { contentHash } from './content-hash.ts';
import type { ServerContext } from './context.ts';

export async function putInitialRows(context: ServerContext): Promise<void> {
  await context.write((draft) => {
    const stamp = { CreateIndex: draft.index, ModifyIndex: draft.index };
    if (draft.get('namespaces', 'default') === undefined) {
      draft.put('namespaces', fill(Namespace, { ...defaultNamespace, Hash: contentHash(defaultNamespace), ...stamp }));
    }
    for (const [name, description] of pools) {
      if (draft.get('nodePools', name) !== undefined) continue;
      draft.put(
        'nodePools',
        fill(NodePool, { Name: name, Description: description, NodeIdentityTTL: defaultIdentityTtl, ...stamp }),
      );
    }
    if (draft.get('schedulerConfiguration', 'scheduler') !== undefined) return;
    const configuration = fill(SchedulerConfiguration, {
      SchedulerAlgorithm: 'binpack',
      PreemptionConfig: { SystemSchedulerEnabled: true },
      NodeLimitForFeasibilityChecks: 0,
      ...stamp,
    });
    draft.put('schedulerConfiguration', configuration);
  });
}

const defaultNamespace = { Name: 'default', Description: 'Default shared namespace' };

const pools: readonly (readonly [string, string])[] = [
  ['all', 'Node pool with all nodes in the cluster.'],
  ['default', 'Default node pool.'],
];
