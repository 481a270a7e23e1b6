/** Scaling policies: they stand in the jobs, and are read from there. */
import type { Job } from '../../model/job.ts';
import { jobId } from '../../model/job-id.ts';
import { ScalingPolicy } from '../../model/scaling-policy.ts';
import type { ServerSnapshot } from '../../state/server-tables.ts';
import { tablesIndex } from '../blocking.ts';
import { idOrder } from '../listing.ts';
import type { ApiRequest } from '../request.ts';
import { type Route, readMethods } from '../route.ts';
import { shapeOf } from '../visible.ts';

const access = { capability: 'list-scaling-policies', scope: 'query' } as const;

interface PolicyRow extends ScalingPolicy {
  readonly job: Job;
}

function policiesOf(job: Job): readonly PolicyRow[] {
  const groups = job.TaskGroups ?? [];
  const policies = groups.flatMap((group) => [
    ...(group.Scaling === null ? [] : [group.Scaling]),
    ...(group.Tasks ?? []).flatMap((task) => task.ScalingPolicies ?? []),
  ]);
  return policies.map((policy) => ({ ...policy, job }));
}

/** Of the jobs of the namespace the request names, or of all. */
export function* policyRows(snapshot: ServerSnapshot, { namespace }: ApiRequest): Iterable<PolicyRow> {
  const all = namespace === '*';
  for (const job of snapshot.scan('jobs', all ? {} : { prefix: jobId(namespace, '') })) yield* policiesOf(job);
}

/** `type` is the beginning of a type; `job` the whole id of a job. */
function admits({ query }: ApiRequest): (row: PolicyRow) => boolean {
  const job = query.text('job');
  const type = query.text('type');
  const prefix = query.text('prefix');
  return (row) => (job === '' || row.job.ID === job) && row.Type.startsWith(type) && row.ID.startsWith(prefix);
}

const stub = ({ ID, Enabled, Type, Target, CreateIndex, ModifyIndex }: PolicyRow): object => ({
  ID,
  Enabled,
  Type,
  Target,
  CreateIndex,
  ModifyIndex,
});

function readPolicy(snapshot: ServerSnapshot, request: ApiRequest) {
  const { params } = request;
  for (const { job, ...policy } of policyRows(snapshot, request))
    if (policy.ID === params['id'] && policy.ID !== '') return { index: policy.ModifyIndex, value: policy };
  return { index: tablesIndex(snapshot, ['jobs']), absent: 'policy not found' };
}

export const scalingRoutes: readonly Route[] = [
  {
    kind: 'read',
    methods: readMethods,
    path: '/v1/scaling/policies',
    access,
    tables: ['jobs'],
    list: {
      rows: policyRows,
      order: idOrder<PolicyRow>((row) => row.ID),
      paged: false,
      admits,
      filterShape: shapeOf(ScalingPolicy),
      stub: () => stub,
    },
  },
  { kind: 'read', methods: readMethods, path: '/v1/scaling/policy/{id}', access, tables: ['jobs'], read: readPolicy },
];
