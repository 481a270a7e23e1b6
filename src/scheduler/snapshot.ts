/**
 * The part of the state the scheduler reads. Declared here because the scheduler calls it and must not import the state floor
 * (it is pure and stands below); the server's snapshot satisfies it as it is.
 */
import type { Allocation } from '../model/allocation.ts';
import type { Deployment } from '../model/deployment.ts';
import type { Evaluation } from '../model/evaluation.ts';
import type { Job } from '../model/job.ts';
import type { Namespace } from '../model/namespace.ts';
import type { Node } from '../model/node.ts';
import type { NodePool } from '../model/node-pool.ts';
import type { SchedulerConfiguration } from '../model/scheduler-configuration.ts';

interface Tables {
  readonly jobs: Job;
  readonly jobVersions: Job;
  readonly allocations: Allocation;
  readonly evaluations: Evaluation;
  readonly deployments: Deployment;
  readonly nodes: Node;
  readonly nodePools: NodePool;
  readonly namespaces: Namespace;
  readonly schedulerConfiguration: SchedulerConfiguration;
}

export interface ServerSnapshot {
  readonly index: number;
  get<T extends keyof Tables>(table: T, id: string): Tables[T] | undefined;
  scan<T extends keyof Tables>(table: T): Iterable<Tables[T]>;
  /**
   * Allocations by `job` (`namespace NUL id`), `node`, `nodeLive` (those of a node that neither ended nor are to), `deployment`;
   * deployments and job versions by `job`; evaluations by `jobOpen` (those of a job that are not finished).
   */
  by<T extends keyof Tables>(table: T, index: string, key: string): Iterable<Tables[T]>;
  /** The index of the last change of a table; without it nothing is kept from one evaluation to the next. */
  tableIndex?(table: 'nodes' | 'allocations'): number;
}
