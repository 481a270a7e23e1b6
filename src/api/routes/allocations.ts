import { Fault } from '../../lib/fault.ts';
import { isUuid } from '../../lib/ids.ts';
import { Allocation } from '../../model/allocation.ts';
import type { Job } from '../../model/job.ts';
import { allocationJob, type ServerSnapshot } from '../../state/server-tables.ts';
import { creationOrIdOrder } from '../listing.ts';
import type { ApiRequest } from '../request.ts';
import { type Route, readMethods, writeMethods } from '../route.ts';
import { prefixTest, rowAnswer } from '../shared-answers.ts';
import { shapeOf, visibleForm } from '../visible.ts';
import { checkUuidPrefix } from './uuid-prefix.ts';

const visible = visibleForm(Allocation);

export function jobOfAllocation(snapshot: ServerSnapshot, allocation: Allocation): Job | null {
  return allocationJob(snapshot, allocation);
}

/** The whole allocation, its job put in. */
export function wholeAllocation(snapshot: ServerSnapshot, allocation: Allocation): object {
  return { ...visible(allocation), Job: allocationJob(snapshot, allocation) };
}

/** A row of a list. `resources` and `task_states` of the query say how much of it. */
export function allocationStub(
  request: Pick<ApiRequest, 'query'>,
  snapshot: ServerSnapshot,
): (row: Allocation) => unknown {
  const withResources = request.query.boolean('resources');
  const withStates = request.query.boolean('task_states', true);
  return (row) => ({
    ID: row.ID,
    EvalID: row.EvalID,
    Name: row.Name,
    Namespace: row.Namespace,
    NodeID: row.NodeID,
    NodeName: row.NodeName,
    JobID: row.JobID,
    JobType: allocationJob(snapshot, row)?.Type ?? '',
    JobVersion: row.JobVersion,
    TaskGroup: row.TaskGroup,
    ...(withResources ? { AllocatedResources: row.AllocatedResources } : {}),
    DesiredStatus: row.DesiredStatus,
    DesiredDescription: row.DesiredDescription,
    DesiredTransition: row.DesiredTransition,
    ClientStatus: row.ClientStatus,
    ClientDescription: row.ClientDescription,
    TaskStates: withStates ? row.TaskStates : null,
    DeploymentStatus: row.DeploymentStatus,
    FollowupEvalID: row.FollowupEvalID,
    NextAllocation: row.NextAllocation,
    RescheduleTracker: row.RescheduleTracker,
    PreemptedAllocations: row.PreemptedAllocations,
    PreemptedByAllocation: row.PreemptedByAllocation,
    CreateIndex: row.CreateIndex,
    ModifyIndex: row.ModifyIndex,
    CreateTime: row.CreateTime,
    ModifyTime: row.ModifyTime,
  });
}

/** What all lists of allocation rows share: how they are filtered, and that their encoded form is kept. */
export const allocationForm = {
  filterShape: shapeOf(Allocation),
  // the job is looked up only for filters that ask for it
  filterDatum: (row: Allocation, snapshot: ServerSnapshot): object =>
    Object.create(row, { Job: { get: () => allocationJob(snapshot, row) } }) as object,
  kept: ({ query }: Pick<ApiRequest, 'query'>): string =>
    `allocation ${query.boolean('resources')} ${query.boolean('task_states', true)}`,
};

function checkId(id: string): string {
  // the reference's own words
  if (id.length !== 36)
    throw new Fault('invalid', 'alloc lookup failed: index error: UUID must be 36 characters', { status: 500 });
  return id;
}

const findAllocation = (snapshot: ServerSnapshot, request: ApiRequest) =>
  snapshot.get('allocations', request.params['id'] ?? '');

const readJobOfAllocation = { capability: 'read-job', scope: 'object', find: findAllocation } as const;

export const allocationRoutes: readonly Route[] = [
  {
    kind: 'read',
    methods: readMethods,
    path: '/v1/allocations',
    access: { capability: 'read-job', scope: 'each-row' },
    tables: ['allocations'],
    list: {
      rows: (snapshot, { query }) => snapshot.scan('allocations', { prefix: query.text('prefix') }),
      order: creationOrIdOrder,
      admits: (request) => {
        allocationForm.kept(request);
        checkUuidPrefix(request, 'alloc');
        return prefixTest<Allocation>(request, (row) => row.ID);
      },
      namespaceOf: (row: Allocation) => row.Namespace,
      ...allocationForm,
      stub: allocationStub,
    },
  },
  {
    kind: 'read',
    methods: readMethods,
    path: '/v1/allocation/{id}',
    access: readJobOfAllocation,
    tables: ['allocations'],
    rows: ({ params }) => [{ table: 'allocations', id: params['id'] ?? '' }],
    read: (snapshot, { params }) =>
      rowAnswer(
        snapshot,
        ['allocations'],
        snapshot.get('allocations', checkId(params['id'] ?? '')),
        'alloc not found',
        (row) => wholeAllocation(snapshot, row),
      ),
  },
  {
    kind: 'write',
    methods: writeMethods,
    path: '/v1/allocation/{id}/stop',
    access: { capability: 'alloc-lifecycle', scope: 'object', find: findAllocation },
    run: async ({ params, query }, { commands, store }) => {
      const id = params['id'] ?? '';
      if (!isUuid(id) || store.snapshot().get('allocations', id) === undefined)
        throw new Fault('not_found', 'allocation not found');
      const done = await commands.stopAllocation({ id, noShutdownDelay: query.boolean('no_shutdown_delay') });
      return { index: done.index, value: { EvalID: done.evalId, Index: done.index } };
    },
  },
  {
    kind: 'read',
    methods: readMethods,
    path: '/v1/allocation/{id}/services',
    access: readJobOfAllocation,
    tables: ['allocations'],
    // no service registrations are kept yet: an allocation that is there has none
    read: (snapshot, { params }) =>
      snapshot.get('allocations', params['id'] ?? '') === undefined
        ? { index: 0, absent: 'allocation not found' }
        : { index: snapshot.tableIndex('allocations'), value: [] },
  },
  {
    kind: 'ask',
    methods: readMethods,
    path: '/v1/allocation/{id}/checks',
    access: readJobOfAllocation,
    // no checks are run yet
    ask: () => ({ value: null }),
  },
];
