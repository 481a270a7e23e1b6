import type { Job } from '../model/job.ts';
import { jobId, jobVersionId } from '../model/job-id.ts';
import { isTerminal } from '../scheduler/fit.ts';
import type { ServerContext } from './context.ts';
import { deploymentText } from './deployment-state.ts';
import type { Draft } from './draft.ts';
import { evaluate, type JobChange } from './job-register.ts';
import { isActive } from './job-status.ts';
import { putAllocation, putDeployment, putJobVersion } from './rows.ts';

export interface DeregisterJob {
  readonly namespace: string;
  readonly id: string;
  readonly purge: boolean;
  readonly evalPriority: number;
  readonly noShutdownDelay: boolean;
}

/** Stops a job, or takes it away; its allocations are stopped by the evaluation. An unknown job: nothing, all zero. */
export async function deregisterJob(context: ServerContext, request: DeregisterJob): Promise<JobChange> {
  const evalId = context.newId();
  const { index, result } = await context.write((draft) => {
    const key = jobId(request.namespace, request.id);
    const job = draft.get('jobs', key);
    if (job === undefined) return null;
    if (request.noShutdownDelay) skipShutdownDelay(draft, key);
    const stopped = request.purge ? purgeJob(draft, job) : stopJob(draft, job);
    const evaluated = evaluate(draft, stopped, evalId, 'job-deregister', request.evalPriority);
    // Nomad names the index also where there is nothing to evaluate
    return { ...evaluated, evalCreateIndex: draft.index, jobModifyIndex: draft.index };
  });
  return result === null ? { evalId: '', evalCreateIndex: 0, jobModifyIndex: 0, index: 0 } : { ...result, index };
}

function stopJob(draft: Draft, job: Job): Job {
  for (const deployment of draft.by('deployments', 'job', jobId(job.Namespace, job.ID))) {
    if (isActive(deployment)) {
      putDeployment(draft, { ...deployment, Status: 'cancelled', StatusDescription: deploymentText.stopped });
    }
  }
  // A stop is a version of its own: to go back to the one before starts the job again.
  const version = job.Stop ? job.Version : job.Version + 1;
  // Nothing is to scale a stopped job.
  const groups = job.TaskGroups.map((group) =>
    group.Scaling === null || !group.Scaling.Enabled
      ? group
      : { ...group, Scaling: { ...group.Scaling, Enabled: false, ModifyIndex: draft.index } },
  );
  return putJobVersion(draft, { ...job, TaskGroups: groups, Stop: true, Version: version, SubmitTime: draft.now });
}

/** Its allocations keep the job they run until they are gone: another job of that name may come and begin with version 0. */
function purgeJob(draft: Draft, job: Job): Job {
  const key = jobId(job.Namespace, job.ID);
  for (const allocation of draft.by('allocations', 'job', key)) {
    if (allocation.Job !== null) continue;
    const version = draft.get('jobVersions', jobVersionId(job.Namespace, job.ID, allocation.JobVersion));
    draft.put('allocations', { ...allocation, Job: version ?? job });
  }
  for (const deployment of draft.by('deployments', 'job', key)) {
    if (isActive(deployment)) {
      putDeployment(draft, { ...deployment, Status: 'cancelled', StatusDescription: deploymentText.stopped });
    }
  }
  for (const { Version } of draft.by('jobVersions', 'job', key)) {
    draft.delete('jobVersions', jobVersionId(job.Namespace, job.ID, Version));
    draft.delete('jobSubmissions', jobVersionId(job.Namespace, job.ID, Version));
  }
  draft.delete('jobs', key);
  draft.delete('jobSummaries', key);
  draft.delete('scalingEvents', key);
  draft.delete('periodicLaunches', key);
  return { ...job, Stop: true, ModifyIndex: draft.index };
}

function skipShutdownDelay(draft: Draft, key: string): void {
  for (const allocation of draft.by('allocations', 'job', key)) {
    if (isTerminal(allocation)) continue;
    putAllocation(draft, {
      ...allocation,
      DesiredTransition: { ...allocation.DesiredTransition, NoShutdownDelay: true },
    });
  }
}
