/**
 * Everything the API may ask a server to change. Each resolves once durable, with the index of the change.
 * Faults carry Nomad's text and status where its clients read them.
 */

import type { AllocationMetric } from '../model/allocation-metric.ts';
import type { DrainSpec } from '../model/drain.ts';
import type { PlannedDriver } from '../model/driver-choice.ts';
import type { DriverConfigProblem } from '../model/driver-config-problem.ts';
import type { Evaluation } from '../model/evaluation.ts';
import type { Job, JobVersionTag } from '../model/job.ts';
import type { JobDiff } from '../model/job-diff.ts';
import type { JobExplanation } from '../model/job-explanation.ts';
import type { JobSubmission } from '../model/job-submission.ts';
import type { Namespace } from '../model/namespace.ts';
import type { NodePool } from '../model/node-pool.ts';
import type { PlanAnnotations } from '../model/plan-annotations.ts';
import type { Input } from '../model/schema.ts';
import type { EvaluationChoice } from './delete-evaluations.ts';
import type { DeploymentChange } from './deployment-commands.ts';
import type { DispatchedJob, DispatchJob } from './dispatch-job.ts';
import type { EventBatch } from './event-stream.ts';
import type { TagVersion } from './job-tags.ts';
import type { SetSchedulerConfiguration } from './scheduler-configuration.ts';

export interface RegisterJob {
  readonly job: Input<Job>;
  readonly submission: Input<JobSubmission> | null;
  readonly enforceIndex: boolean;
  readonly jobModifyIndex: number;
  readonly preserveCounts: boolean;
  readonly preserveResources: boolean;
  readonly evalPriority: number;
}

export interface JobPlan {
  readonly jobModifyIndex: number;
  readonly createdEvals: readonly Evaluation[] | null;
  readonly diff: JobDiff | null;
  readonly annotations: PlanAnnotations | null;
  readonly failures: { readonly [group: string]: AllocationMetric } | null;
  readonly nextPeriodicLaunch: string;
  readonly warnings: string;
  /** Of tasks of driver "auto". */
  readonly drivers: readonly PlannedDriver[];
}

export interface ServerCommands {
  registerJob(
    request: RegisterJob,
  ): Promise<{ evalId: string; evalCreateIndex: number; jobModifyIndex: number; index: number; warnings: string }>;
  /** Canonical form and every problem at once; never writes. */
  validateJob(job: Input<Job>): Promise<{
    errors: readonly string[];
    warnings: string;
    /** Named among the warnings, too. */
    driverConfig?: readonly DriverConfigProblem[];
  }>;
  /** Why each group of a job that is not (yet) submitted would be placed where, and how it would be isolated; never writes. */
  explainJob(job: Input<Job>, signal: AbortSignal): Promise<JobExplanation>;
  /** The same of one that was; `Fault('not_found')`: it is not there. */
  explainRegistered(namespace: string, id: string, signal: AbortSignal): Promise<JobExplanation>;
  planJob(request: { job: Input<Job>; diff: boolean }): Promise<JobPlan & { index: number }>;
  deregisterJob(request: {
    namespace: string;
    id: string;
    purge: boolean;
    evalPriority: number;
    noShutdownDelay: boolean;
  }): Promise<{ evalId: string; evalCreateIndex: number; jobModifyIndex: number; index: number }>;
  evaluateJob(request: { namespace: string; id: string; forceReschedule: boolean }): Promise<{
    evalId: string;
    evalCreateIndex: number;
    jobModifyIndex: number;
    index: number;
  }>;
  revertJob(request: { namespace: string; id: string; version: number; enforcePriorVersion: number | null }): Promise<{
    evalId: string;
    evalCreateIndex: number;
    jobModifyIndex: number;
    index: number;
    warnings: string;
  }>;
  scaleGroup(request: {
    namespace: string;
    id: string;
    group: string;
    count: number | null;
    message: string;
    error: boolean;
    meta: { readonly [key: string]: unknown } | null;
  }): Promise<{
    evalId: string;
    evalCreateIndex: number;
    jobModifyIndex: number;
    index: number;
  }>;
  dispatchJob(request: DispatchJob): Promise<DispatchedJob>;
  forcePeriodic(request: { readonly namespace: string; readonly id: string }): Promise<{
    readonly evalId: string;
    readonly evalCreateIndex: number;
    readonly index: number;
  }>;
  tagVersion(request: TagVersion): Promise<{ readonly index: number; readonly tag: JobVersionTag }>;
  untagVersion(request: Pick<TagVersion, 'namespace' | 'id' | 'name'>): Promise<{ readonly index: number }>;
  promoteDeployment(request: {
    readonly id: string;
    readonly groups: readonly string[] | null;
  }): Promise<DeploymentChange>;
  pauseDeployment(request: { readonly id: string; readonly pause: boolean }): Promise<DeploymentChange>;
  failDeployment(request: { readonly id: string }): Promise<DeploymentChange>;
  setAllocationHealth(request: {
    readonly id: string;
    readonly healthy: readonly string[];
    readonly unhealthy: readonly string[];
  }): Promise<DeploymentChange>;
  /** Says of a version that it is (not) one to revert to. */
  setJobStability(request: {
    readonly namespace: string;
    readonly id: string;
    readonly version: number;
    readonly stable: boolean;
  }): Promise<{ readonly index: number }>;
  stopAllocation(request: { id: string; noShutdownDelay: boolean }): Promise<{ evalId: string; index: number }>;
  setEligibility(request: {
    nodeId: string;
    eligible: boolean;
  }): Promise<{ evalIds: readonly string[]; evalCreateIndex: number; index: number }>;
  drainNode(request: {
    nodeId: string;
    spec: Input<DrainSpec> | null;
    markEligible: boolean;
    meta: { readonly [key: string]: string };
  }): Promise<{ evalIds: readonly string[]; evalCreateIndex: number; index: number }>;
  evaluateNode(request: {
    nodeId: string;
  }): Promise<{ evalIds: readonly string[]; evalCreateIndex: number; index: number }>;
  purgeNode(request: {
    nodeId: string;
  }): Promise<{ evalIds: readonly string[]; evalCreateIndex: number; index: number }>;
  /** The whole of it, new or in place of what is there; so with `putNodePool`. */
  putNamespace(namespace: Input<Namespace>): Promise<{ readonly index: number }>;
  deleteNamespace(name: string): Promise<{ readonly index: number }>;
  putNodePool(pool: Input<NodePool>): Promise<{ readonly index: number }>;
  deleteNodePool(name: string): Promise<{ readonly index: number }>;
  /** What writes changed, from this index on as far as it is kept; 0: from now on. Ends with the signal. */
  followEvents(from: number, signal: AbortSignal): AsyncIterable<EventBatch>;
  setSchedulerConfiguration(request: SetSchedulerConfiguration): Promise<{
    readonly updated: boolean;
    readonly index: number;
  }>;
  /** Only while the broker is paused. */
  deleteEvaluations(choice: EvaluationChoice): Promise<{ readonly count: number; readonly index: number }>;
  collectGarbage(): Promise<void>;
  reconcileSummaries(): Promise<void>;
}
