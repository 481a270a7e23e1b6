import type { AllocationMetric } from '../model/allocation-metric.ts';
import type { Deployment } from '../model/deployment.ts';
import type { PlannedDriver } from '../model/driver-choice.ts';
import type { DriverConfigProblem } from '../model/driver-config-problem.ts';
import type { Evaluation } from '../model/evaluation.ts';
import type { Job, JobVersionTag } from '../model/job.ts';
import type { JobDiff } from '../model/job-diff.ts';
import type { JobExplanation } from '../model/job-explanation.ts';
import type { JobSubmission } from '../model/job-submission.ts';
import type { JobSummary } from '../model/job-summary.ts';
import type { PlanAnnotations } from '../model/plan-annotations.ts';
import type { Input } from '../model/schema.ts';
import type { AllocationStub } from './allocations.ts';
import type { ApiClient, CallOptions, ReadResult } from './client.ts';
import { path } from './path.ts';

export interface JobStub
  extends Pick<
    Job,
    | 'ID'
    | 'ParentID'
    | 'Name'
    | 'Namespace'
    | 'Datacenters'
    | 'NodePool'
    | 'Type'
    | 'Priority'
    | 'Stop'
    | 'Status'
    | 'StatusDescription'
    | 'CreateIndex'
    | 'ModifyIndex'
    | 'JobModifyIndex'
    | 'SubmitTime'
  > {
  readonly Periodic: boolean;
  readonly ParameterizedJob: boolean;
  readonly JobSummary: JobSummary | null;
  readonly Meta?: Job['Meta'];
}

export interface JobRegistration {
  readonly EvalID: string;
  readonly EvalCreateIndex: number;
  readonly JobModifyIndex: number;
  readonly Warnings: string;
}

export interface RegisterJobOptions {
  readonly submission?: Input<JobSubmission> | undefined;
  /** Only if the job's modify index is this; 0: only if there is no such job. */
  readonly enforceIndex?: number | undefined;
  readonly preserveCounts?: boolean | undefined;
  readonly preserveResources?: boolean | undefined;
  readonly evalPriority?: number | undefined;
}

export interface JobPlanAnswer {
  readonly JobModifyIndex: number;
  readonly CreatedEvals: readonly Evaluation[] | null;
  readonly Diff: JobDiff | null;
  readonly Annotations: PlanAnnotations | null;
  readonly FailedTGAllocs: { readonly [group: string]: AllocationMetric } | null;
  /** Of tasks of driver "auto"; absent where there is none. */
  readonly Drivers?: readonly PlannedDriver[];
  readonly NextPeriodicLaunch: string;
  readonly Warnings: string;
}

export interface JobValidation {
  readonly DriverConfigValidated: boolean;
  readonly ValidationErrors: readonly string[] | null;
  readonly Error: string;
  readonly Warnings: string;
  /** Unlike Nomad: what is wrong in `config` blocks by what the nodes' drivers take. */
  readonly DriverConfigProblems?: readonly DriverConfigProblem[];
}

export interface ParseJob {
  readonly JobHCL: string;
  readonly Variables?: string | undefined;
  readonly Canonicalize?: boolean | undefined;
}

export interface DispatchRequest {
  /** Base64; empty: none. */
  readonly Payload?: string | undefined;
  readonly Meta?: { readonly [key: string]: string } | undefined;
  readonly IdPrefixTemplate?: string | undefined;
  readonly Priority?: number | undefined;
}

export interface DispatchedJob {
  readonly DispatchedJobID: string;
  /** Empty where the idempotency token was used before. */
  readonly EvalID: string;
  readonly EvalCreateIndex: number;
  readonly JobCreateIndex: number;
}

type Reading<T> = Promise<ReadResult<T>>;

export class JobsClient {
  readonly #client: ApiClient;

  constructor(client: ApiClient) {
    this.#client = client;
  }

  /** `query`: `prefix`, `filter`, `per_page`, `next_token`, `meta`, `reverse`. */
  list(options?: CallOptions): Reading<readonly JobStub[]> {
    return this.#client.get('/v1/jobs', options);
  }

  read(id: string, options?: CallOptions): Reading<Job> {
    return this.#client.get(path`/v1/job/${id}`, options);
  }

  /** The body's region and namespace are the job's own; those of this client go before them. */
  register(job: Input<Job>, registration: RegisterJobOptions = {}, options?: CallOptions): Reading<JobRegistration> {
    const { submission, enforceIndex, preserveCounts, preserveResources, evalPriority } = registration;
    const body = {
      Job: job,
      Submission: submission,
      EnforceIndex: enforceIndex === undefined ? undefined : true,
      JobModifyIndex: enforceIndex,
      PreserveCounts: preserveCounts,
      PreserveResources: preserveResources,
      EvalPriority: evalPriority,
    };
    return this.#client.put('/v1/jobs', body, options);
  }

  /** Every node, every reason, and how each task would be isolated there. */
  explain(id: string, options?: CallOptions): Reading<JobExplanation> {
    return this.#client.get(path`/v1/job/${id}/explain`, options);
  }

  /** The same of a job that is not submitted. */
  explainFile(job: Input<Job>, options?: CallOptions): Reading<JobExplanation> {
    return this.#client.put(path`/v1/job/${job.ID ?? ''}/explain`, { Job: job }, options);
  }

  plan(job: Input<Job>, plan: { readonly diff?: boolean } = {}, options?: CallOptions): Reading<JobPlanAnswer> {
    const body = { Job: job, Diff: plan.diff ?? true };
    return this.#client.put(path`/v1/job/${job.ID ?? ''}/plan`, body, options);
  }

  validate(job: Input<Job>, options?: CallOptions): Reading<JobValidation> {
    return this.#client.put('/v1/validate/job', { Job: job }, options);
  }

  parse(request: ParseJob, options?: CallOptions): Reading<Input<Job>> {
    return this.#client.put('/v1/jobs/parse', request, options);
  }

  deregister(
    id: string,
    stop: { readonly purge?: boolean; readonly evalPriority?: number; readonly noShutdownDelay?: boolean } = {},
    options: CallOptions = {},
  ): Reading<Omit<JobRegistration, 'Warnings'>> {
    const query = {
      purge: stop.purge,
      eval_priority: stop.evalPriority,
      no_shutdown_delay: stop.noShutdownDelay,
      ...options.query,
    };
    return this.#client.delete(path`/v1/job/${id}`, { ...options, query });
  }

  summary(id: string, options?: CallOptions): Reading<JobSummary> {
    return this.#client.get(path`/v1/job/${id}/summary`, options);
  }

  /** `query.all`: also those of an earlier job of the same name. */
  allocations(id: string, options?: CallOptions): Reading<readonly AllocationStub[]> {
    return this.#client.get(path`/v1/job/${id}/allocations`, options);
  }

  evaluations(id: string, options?: CallOptions): Reading<readonly Evaluation[]> {
    return this.#client.get(path`/v1/job/${id}/evaluations`, options);
  }

  deployments(id: string, options?: CallOptions): Reading<readonly Deployment[]> {
    return this.#client.get(path`/v1/job/${id}/deployments`, options);
  }

  latestDeployment(id: string, options?: CallOptions): Reading<Deployment | null> {
    return this.#client.get(path`/v1/job/${id}/deployment`, options);
  }

  /** Newest first. `query.diffs`: each with what changed since the one before. */
  versions(
    id: string,
    options?: CallOptions,
  ): Reading<{ readonly Versions: readonly Job[] | null; readonly Diffs: readonly JobDiff[] | null }> {
    return this.#client.get(path`/v1/job/${id}/versions`, options);
  }

  /** The job file a version was made from. */
  submission(id: string, version: number, options: CallOptions = {}): Reading<JobSubmission> {
    return this.#client.get(path`/v1/job/${id}/submission`, { ...options, query: { version, ...options.query } });
  }

  evaluate(id: string, forceReschedule = false, options?: CallOptions): Reading<JobRegistration> {
    const body = { JobID: id, EvalOptions: { ForceReschedule: forceReschedule } };
    return this.#client.put(path`/v1/job/${id}/evaluate`, body, options);
  }

  dispatch(id: string, request: DispatchRequest, options?: CallOptions): Reading<DispatchedJob> {
    return this.#client.put(path`/v1/job/${id}/dispatch`, request, options);
  }

  forcePeriodic(id: string, options?: CallOptions): Reading<JobRegistration> {
    return this.#client.put(path`/v1/job/${id}/periodic/force`, undefined, options);
  }

  /** Names a version. */
  tag(
    id: string,
    name: string,
    tag: { readonly Version: number; readonly Description: string },
    options?: CallOptions,
  ): Reading<JobVersionTag> {
    return this.#client.put(path`/v1/job/${id}/versions/${name}/tag`, tag, options);
  }

  untag(id: string, name: string, options?: CallOptions): Reading<unknown> {
    return this.#client.delete(path`/v1/job/${id}/versions/${name}/tag`, options);
  }

  revert(id: string, version: number, enforcePriorVersion?: number, options?: CallOptions): Reading<JobRegistration> {
    const body = { JobID: id, JobVersion: version, EnforcePriorVersion: enforcePriorVersion ?? null };
    return this.#client.put(path`/v1/job/${id}/revert`, body, options);
  }

  scale(
    id: string,
    scaling: {
      readonly group: string;
      readonly count?: number;
      readonly message?: string;
      readonly error?: boolean;
      /** Only if the job's modify index is this. */
      readonly enforceIndex?: number;
    },
    options?: CallOptions,
  ): Reading<JobRegistration> {
    const body = {
      Count: scaling.count ?? null,
      Target: { Group: scaling.group },
      Message: scaling.message ?? '',
      Error: scaling.error ?? false,
      JobModifyIndex: scaling.enforceIndex,
    };
    return this.#client.put(path`/v1/job/${id}/scale`, body, options);
  }
}
