import type { Allocation } from '../model/allocation.ts';
import type { IsolationReport } from '../model/isolation-report.ts';
import type { AllocResourceUsage } from '../model/resource-usage.ts';
import type { ApiClient, CallOptions, ReadResult } from './client.ts';
import { path } from './path.ts';

/** A row of a list; `AllocatedResources` only with `resources=true`. */
export interface AllocationStub
  extends Pick<
    Allocation,
    | 'ID'
    | 'EvalID'
    | 'Name'
    | 'Namespace'
    | 'NodeID'
    | 'NodeName'
    | 'JobID'
    | 'JobVersion'
    | 'TaskGroup'
    | 'DesiredStatus'
    | 'DesiredDescription'
    | 'DesiredTransition'
    | 'ClientStatus'
    | 'ClientDescription'
    | 'TaskStates'
    | 'DeploymentStatus'
    | 'FollowupEvalID'
    | 'NextAllocation'
    | 'RescheduleTracker'
    | 'PreemptedAllocations'
    | 'PreemptedByAllocation'
    | 'CreateIndex'
    | 'ModifyIndex'
    | 'CreateTime'
    | 'ModifyTime'
  > {
  readonly JobType: string;
  readonly AllocatedResources?: Allocation['AllocatedResources'];
}

type Reading<T> = Promise<ReadResult<T>>;

export class AllocationsClient {
  readonly #client: ApiClient;

  constructor(client: ApiClient) {
    this.#client = client;
  }

  /** `query`: `prefix`, `filter`, `per_page`, `next_token`, `reverse`, `resources`, `task_states`. */
  list(options?: CallOptions): Reading<readonly AllocationStub[]> {
    return this.#client.get('/v1/allocations', options);
  }

  /** With its job. */
  read(id: string, options?: CallOptions): Reading<Allocation> {
    return this.#client.get(path`/v1/allocation/${id}`, options);
  }

  stop(
    id: string,
    noShutdownDelay = false,
    options: CallOptions = {},
  ): Reading<{ readonly EvalID: string; readonly Index: number }> {
    const query = { no_shutdown_delay: noShutdownDelay || undefined, ...options.query };
    return this.#client.put(path`/v1/allocation/${id}/stop`, undefined, { ...options, query });
  }

  /** `task` empty: all. */
  stats(id: string, task = '', options: CallOptions = {}): Reading<AllocResourceUsage> {
    const query = { task: task || undefined, ...options.query };
    return this.#client.get(path`/v1/client/allocation/${id}/stats`, { ...options, query });
  }

  /** What isolates each task, with the evidence; null where the driver cannot tell. */
  isolation(id: string, options?: CallOptions): Reading<{ readonly [task: string]: IsolationReport | null }> {
    return this.#client.get(path`/v1/client/allocation/${id}/isolation`, options);
  }

  /** `task` empty: the tasks that run; `allTasks`: also those that ended. */
  restart(
    id: string,
    restart: { readonly task?: string; readonly allTasks?: boolean } = {},
    options?: CallOptions,
  ): Reading<unknown> {
    const body = { TaskName: restart.task ?? '', AllTasks: restart.allTasks ?? false };
    return this.#client.put(path`/v1/client/allocation/${id}/restart`, body, options);
  }

  /** `task` empty: all. */
  signal(id: string, signal: string, task = '', options?: CallOptions): Reading<unknown> {
    return this.#client.put(path`/v1/client/allocation/${id}/signal`, { Task: task, Signal: signal }, options);
  }

  collectGarbage(id: string, options?: CallOptions): Reading<null> {
    return this.#client.get(path`/v1/client/allocation/${id}/gc`, options);
  }
}
