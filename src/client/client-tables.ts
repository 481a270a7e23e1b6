/** What the client keeps over restarts: a Store of its own, apart from the servers'. */
import type { Allocation, AllocDeploymentStatus } from '../model/allocation.ts';
import type { Job } from '../model/job.ts';
import type { Store, TableSpecs } from '../state/store.ts';
import type { TaskRun } from './task-decide.ts';

/** Who this node is; made at its first start. */
export interface NodeIdentity {
  readonly ID: string;
  readonly SecretID: string;
}

export interface StoredAllocation {
  readonly ID: string;
  /** As the servers gave it, but `Job` null: see `JobKey`. */
  readonly Allocation: Allocation;
  /** Into `jobs`: allocations of one job version share it. */
  readonly JobKey: string;
  readonly DeploymentStatus: AllocDeploymentStatus | null;
  /** Unix milliseconds; 0: it has not ended. */
  readonly EndedAtMs: number;
  /** Its directory is gone. */
  readonly Collected: boolean;
}

export interface StoredTask {
  readonly AllocID: string;
  readonly Task: string;
  readonly Run: TaskRun;
}

/** Metadata set at run time; null: what the configuration says of the key does not count. */
export interface StoredNodeMeta {
  readonly Meta: { readonly [key: string]: string | null };
}

export interface ClientTables {
  readonly identity: NodeIdentity;
  readonly allocations: StoredAllocation;
  readonly jobs: Job;
  readonly tasks: StoredTask;
  readonly nodeMeta: StoredNodeMeta;
}

export type ClientStore = Store<ClientTables>;

export const clientTables: TableSpecs<ClientTables> = {
  identity: {},
  allocations: { indexes: { job: (row) => [row.JobKey] } },
  jobs: {},
  tasks: { indexes: { allocation: (row) => [row.AllocID] } },
  nodeMeta: {},
};

export function taskKey(allocId: string, task: string): string {
  return `${allocId}\u0000${task}`;
}

/** A purged job that comes again counts its versions from 0: its create index tells the two apart. */
export function jobKey(job: Job): string {
  return [job.Namespace, job.ID, job.CreateIndex, job.Version].join('\u0000');
}
