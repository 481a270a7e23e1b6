/** The explicit list of routes. `routes.golden.json` repeats it with who may use what: a change of either shows in review. */
import type { Job } from '../model/job.ts';
import type { Input } from '../model/schema.ts';
import type { Route } from './route.ts';
import { agentRoutes } from './routes/agent.ts';
import { allocationRoutes } from './routes/allocations.ts';
import { clientAllocationRoutes } from './routes/client-allocations.ts';
import { clientFileRoutes } from './routes/client-files.ts';
import { clientNodeRoutes } from './routes/client-nodes.ts';
import { deploymentWriteRoutes } from './routes/deployment-writes.ts';
import { deploymentRoutes } from './routes/deployments.ts';
import { evaluationRoutes } from './routes/evaluations.ts';
import { eventRoutes } from './routes/events.ts';
import { internalNodeRoutes, type NodeGate } from './routes/internal-node.ts';
import { jobReadRoutes } from './routes/job.ts';
import { jobInstanceRoutes } from './routes/job-instances.ts';
import { jobStatusRoutes } from './routes/job-statuses.ts';
import { jobWriteRoutes } from './routes/job-writes.ts';
import { jobsRoutes } from './routes/jobs.ts';
import { namespaceRoutes } from './routes/namespaces.ts';
import { nodeRoutes } from './routes/nodes.ts';
import { operatorRoutes } from './routes/operator.ts';
import { poolRoutes } from './routes/pools.ts';
import { scalingRoutes } from './routes/scaling.ts';
import { searchRoutes } from './routes/search.ts';
import { systemRoutes } from './routes/system.ts';
import { unservedRoutes } from './routes/unserved.ts';

/** A job file → its job, canonical where asked. File functions are off. Faults: `invalid`, all diagnostics in the text. */
export type JobParser = (source: {
  readonly JobHCL: string;
  readonly Variables: string;
  readonly Canonicalize: boolean;
}) => Promise<Input<Job>>;

export interface RouteParts {
  readonly parseJob?: JobParser;
  readonly nodes?: NodeGate;
}

/** Every route of an agent, served or not; `routes.golden.json` pins them. Without `nodes` no other agent can join as a client. */
export function allRoutes({ parseJob, nodes }: RouteParts): readonly Route[] {
  return [
    ...jobsRoutes(parseJob),
    ...jobStatusRoutes,
    ...jobReadRoutes,
    ...jobWriteRoutes,
    ...jobInstanceRoutes,
    ...allocationRoutes,
    ...evaluationRoutes,
    ...deploymentRoutes,
    ...deploymentWriteRoutes,
    ...nodeRoutes,
    ...poolRoutes,
    ...namespaceRoutes,
    ...clientFileRoutes,
    ...clientAllocationRoutes,
    ...clientNodeRoutes,
    ...agentRoutes,
    ...systemRoutes,
    ...scalingRoutes,
    ...searchRoutes,
    ...operatorRoutes,
    ...eventRoutes,
    ...internalNodeRoutes(nodes),
    ...unservedRoutes,
  ];
}
