/**
 * Moves deployments on as their allocations become healthy or do not.
 *
 *   running ──all healthy (and promoted)──▶ successful, the version is stable
 *      ├──unhealthy without a progress deadline, or the deadline passed──▶ failed ──auto_revert──▶ the last stable version is registered
 *      └──by the user: pause, promote, fail
 */
import { messageOf } from '../lib/fault.ts';
import { parseInstant } from '../lib/instant.ts';
import { formatJson } from '../lib/json.ts';
import type { Deployment } from '../model/deployment.ts';
import type { Job } from '../model/job.ts';
import { jobId } from '../model/job-id.ts';
import type { Commit, CommitListener, ServerContext } from './context.ts';
import {
  autoPromotes,
  deploymentText,
  isComplete,
  isOver,
  promoteGroups,
  succeed,
  waitsForPromotion,
} from './deployment-state.ts';
import type { Draft } from './draft.ts';
import { revertTo } from './job-commands.ts';
import { jobEvaluation, putDeployment, putEvaluation } from './rows.ts';

const checkEveryMs = 1000;

export class DeploymentWatcher implements CommitListener {
  readonly #context: ServerContext;
  /** Deployment → when it must have progressed, Unix nanoseconds (0: no deadline). */
  readonly #deadlines = new Map<string, number>();
  /** Deployment → did its health change? Else only its deadline passed. */
  readonly #concerned = new Map<string, boolean>();
  #moving = false;
  #cancel: (() => void) | null = null;

  constructor(context: ServerContext) {
    this.#context = context;
  }

  start(): void {
    const snapshot = this.#context.store.snapshot();
    for (const deployment of snapshot.by('deployments', 'status', 'running')) this.#note(deployment);
    this.#schedule();
    this.#move();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  committed(commit: Commit): void {
    for (const [id, deployment] of commit.changed('deployments')) {
      if (deployment === null || isOver(deployment)) {
        this.#deadlines.delete(id);
        this.#concerned.delete(id);
      } else {
        const before = commit.before('deployments', id);
        this.#note(deployment, before !== undefined && health(before) !== health(deployment));
      }
    }
    this.#move();
  }

  #note(deployment: Deployment, healthChanged = true): void {
    const deadlines = Object.values(deployment.TaskGroups ?? {}).map((state) => parseInstant(state.RequireProgressBy));
    this.#deadlines.set(deployment.ID, Math.min(...deadlines.filter((deadline) => deadline > 0), Number.MAX_VALUE));
    if (healthChanged) this.#concerned.set(deployment.ID, true);
  }

  #schedule(): void {
    this.#cancel = this.#context.clock.after(checkEveryMs, () => {
      const now = this.#context.clock.now();
      for (const [id, deadline] of this.#deadlines)
        if (deadline < now && !this.#concerned.has(id)) this.#concerned.set(id, false);
      this.#move();
      if (this.#cancel !== null) this.#schedule();
    });
  }

  /** One write for all deployments that something happened to. */
  #move(): void {
    if (this.#moving || this.#concerned.size === 0) return;
    this.#moving = true;
    const concerned = [...this.#concerned];
    this.#concerned.clear();
    const moved = this.#context.write((draft) => {
      for (const [id, healthChanged] of concerned) moveDeployment(this.#context, draft, id, healthChanged);
    });
    moved
      .catch((error: unknown) => {
        this.#context.log.warn('deployments could not be moved on', { reason: messageOf(error) });
        this.#context.clock.after(5000, () => {
          for (const [id, healthChanged] of concerned) this.#concerned.set(id, healthChanged);
          this.#move();
        });
      })
      .finally(() => {
        this.#moving = false;
        this.#move();
      });
  }
}

function health(deployment: Deployment): string {
  const groups = Object.entries(deployment.TaskGroups ?? {});
  const counts = groups.map(([name, state]) => [name, state.HealthyAllocs, state.UnhealthyAllocs, state.Promoted]);
  // what happened while it was paused counts once it goes on
  return formatJson([deployment.Status, counts]);
}

function moveDeployment(context: ServerContext, draft: Draft, id: string, healthChanged: boolean): void {
  const deployment = draft.get('deployments', id);
  const job = deployment && draft.get('jobs', jobId(deployment.Namespace, deployment.JobID));
  if (deployment?.Status !== 'running' || job === undefined) return;
  const why = failure(draft, deployment);
  const groups = Object.values(deployment.TaskGroups ?? {});
  if (why !== undefined) failDeployment(context, draft, deployment, job, why);
  else if (!healthChanged) return;
  else if (groups.some((state) => state.HealthyAllocs > 0) && isComplete(deployment)) succeed(draft, deployment);
  else if (autoPromotes(draft, deployment)) promoteGroups(draft, deployment, () => true);
  else if (groups.every((state) => state.HealthyAllocs + state.UnhealthyAllocs === 0)) return;
  const current = draft.get('jobs', jobId(deployment.Namespace, deployment.JobID)) ?? job;
  putEvaluation(
    draft,
    jobEvaluation(context.newId(), current, 'deployment-watcher', {
      DeploymentID: id,
      Priority: deployment.EvalPriority || job.Priority,
    }),
  );
}

function failure(draft: Draft, deployment: Deployment): string | undefined {
  for (const state of Object.values(deployment.TaskGroups ?? {})) {
    const complete = state.HealthyAllocs >= state.DesiredTotal;
    if (state.UnhealthyAllocs > 0 && state.ProgressDeadline === 0) return deploymentText.failedAllocations;
    const deadline = parseInstant(state.RequireProgressBy);
    const waitsForUser = waitsForPromotion(state) && state.HealthyAllocs >= state.DesiredCanaries;
    if (!complete && !waitsForUser && deadline > 0 && deadline <= draft.now) return deploymentText.failedProgress;
  }
  return undefined;
}

/** Fails it, and goes back to the last stable version where a group asks for that. */
export function failDeployment(
  context: ServerContext,
  draft: Draft,
  deployment: Deployment,
  job: Job,
  why: string,
): void {
  const reverts = Object.values(deployment.TaskGroups ?? {}).some((state) => state.AutoRevert);
  const description = reverts ? `${why}${revert(context, draft, deployment, job)}` : why;
  context.log.info('a deployment failed', { deployment: deployment.ID, job: job.ID, reason: description });
  putDeployment(draft, { ...deployment, Status: 'failed', StatusDescription: description });
}

/** What was done, as it stands at the end of the deployment's description. */
function revert(context: ServerContext, draft: Draft, deployment: Deployment, job: Job): string {
  const versions = [...draft.by('jobVersions', 'job', jobId(job.Namespace, job.ID))].filter(
    (version) => version.Stable,
  );
  const stable = versions
    .sort((a, b) => b.Version - a.Version)
    .find((version) => version.Version !== deployment.JobVersion);
  if (stable === undefined) return ' - no stable job version to auto revert to';
  if (job.Version !== deployment.JobVersion) return '';
  const stored = revertTo(draft, job, stable.Version, context.newId);
  return stored?.Version === job.Version
    ? ` - not rolling back to stable job version ${stable.Version} as current job has same specification`
    : ` - rolling back to job version ${stable.Version}`;
}
