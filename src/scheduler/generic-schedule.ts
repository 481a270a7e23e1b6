/** Service and batch jobs: so many allocations of each group, wherever there is room. */
import type { Allocation } from '../model/allocation.ts';
import type { Evaluation } from '../model/evaluation.ts';
import type { Job } from '../model/job.ts';
import { tasksUpdated } from '../model/job-changes.ts';
import { jobId, jobVersionId } from '../model/job-id.ts';
import type { Node } from '../model/node.ts';
import type { TaskGroup } from '../model/task-group.ts';
import { allocationText } from './descriptions.ts';
import { isTerminal } from './fit.ts';
import { isInDatacenters, isInPool, type NodeSets } from './node-set.ts';
import { delayedEvaluation, outcomeOf } from './outcome.ts';
import { PlanDraft } from './plan-draft.ts';
import type { Later, Place, Reconciled, UpdateKind } from './reconcile/changes.ts';
import { reconcile } from './reconcile/reconcile.ts';
import { trackerAfter } from './reconcile/reschedule.ts';
import type { Decision, SchedulerContext } from './scheduler.ts';

/** Failures that come back within this time come back together, in nanoseconds. */
const batchWindowNs = 5e9;

export function scheduleGeneric(evaluation: Evaluation, context: SchedulerContext, sets: NodeSets): Decision {
  const { snapshot } = context;
  const key = jobId(evaluation.Namespace, evaluation.JobID);
  const job = snapshot.get('jobs', key);
  const allocations = [...snapshot.by('allocations', 'job', key)];
  const draft = new PlanDraft(evaluation, job, allocations, context, sets);
  const latest = latestDeployment(context, key);
  const changes = reconcile({
    job,
    allocations,
    latestDeployment: latest,
    evaluationId: evaluation.ID,
    priority: evaluation.Priority,
    now: context.now,
    nodeOf: (id) => snapshot.get('nodes', id),
    updateKind: (allocation, group) => updateKind(allocation, job!, group, draft, context),
    isAwaited: (id) => isAwaited(context, id),
    newId: () => context.newId(),
  });
  applyStops(draft, changes);
  const delayed = applyLater(draft, changes.later, evaluation, context);
  const queued = placeAll(draft, job, changes, context);
  // an evaluation that changes nothing still belongs to the latest roll-out: who follows it sees how that ended
  const deploymentId = changes.deployment?.ID ?? latest?.ID ?? '';
  updateInPlace(draft, job, changes, evaluation);
  const annotations = { DesiredTGUpdates: changes.desired, PreemptedAllocs: null };
  const { failures } = draft;
  const feasibilities = draft.feasibilitiesOfFailures;
  const pass = { failures, feasibilities, waits: true, queued, annotations, deploymentId };
  const outcome = outcomeOf(evaluation, pass, context);
  return {
    plan: {
      evaluation,
      stops: draft.stops,
      placements: draft.placements,
      deployment: changes.newDeployment,
      deploymentUpdates: changes.deploymentUpdates,
      annotations,
    },
    evaluation: outcome.evaluation,
    followUps: [...outcome.followUps, ...delayed],
    failures,
  };
}

function latestDeployment({ snapshot }: SchedulerContext, key: string) {
  return [...snapshot.by('deployments', 'job', key)].sort((a, b) => b.CreateIndex - a.CreateIndex)[0];
}

function isAwaited({ snapshot }: SchedulerContext, id: string): boolean {
  return id !== '' && snapshot.get('evaluations', id)?.Status === 'pending';
}

function updateKind(
  allocation: Allocation,
  job: Job,
  group: TaskGroup,
  draft: PlanDraft,
  { snapshot }: SchedulerContext,
): UpdateKind {
  // Of a job of the same name that was purged.
  if (allocation.CreateIndex < job.CreateIndex) return 'destructive';
  if (allocation.JobVersion === job.Version) return 'none';
  const runs = snapshot.get('jobVersions', jobVersionId(job.Namespace, job.ID, allocation.JobVersion));
  if (runs === undefined || tasksUpdated(runs, job, group.Name)) return 'destructive';
  if (isTerminal(allocation)) return 'none';
  const node = snapshot.get('nodes', allocation.NodeID);
  return node !== undefined && mayStay(node, job, group, draft) ? 'in-place' : 'destructive';
}

/** The node is still one that the job may run on. Whether it is ready does not matter: the allocation is there. */
function mayStay(node: Node, job: Job, group: TaskGroup, draft: PlanDraft): boolean {
  if (!isInPool(node, job.NodePool) || !isInDatacenters(node, job.Datacenters)) return false;
  return draft.placer(group).feasibility.isFeasible(node);
}

function applyStops(draft: PlanDraft, { stops }: Reconciled): void {
  for (const { allocation, description, lost } of stops) {
    draft.stop(allocation, description, lost ? { ClientStatus: 'lost' } : {});
  }
}

/** Evaluations for those that may be tried again later; each allocation remembers which one it waits for. */
function applyLater(
  draft: PlanDraft,
  later: readonly Later[],
  evaluation: Evaluation,
  context: SchedulerContext,
): readonly Evaluation[] {
  const evaluations: Evaluation[] = [];
  let until = Number.NEGATIVE_INFINITY;
  for (const { allocation, at } of [...later].sort((a, b) => a.at - b.at)) {
    if (at > until) {
      evaluations.push(delayedEvaluation(evaluation, at, context));
      until = at + batchWindowNs;
    }
    draft.update({ ...allocation, FollowupEvalID: evaluations.at(-1)!.ID });
  }
  return evaluations;
}

function placeAll(
  draft: PlanDraft,
  job: Job | undefined,
  { places, deployment }: Reconciled,
  context: SchedulerContext,
): { readonly [group: string]: number } {
  const queued: { [group: string]: number } = Object.fromEntries((job?.TaskGroups ?? []).map(({ Name }) => [Name, 0]));
  const deploymentId = deployment !== null && deployment.Status !== 'failed' ? deployment.ID : '';
  for (const place of places) {
    const version = place.keepsVersion ? versionOf(place, context) : undefined;
    if (!placeOne(draft, place, version ?? { job: job!, group: place.group, deploymentId }, context))
      queued[place.group.Name] = (queued[place.group.Name] ?? 0) + 1;
  }
  return queued;
}

/** What a placement is to run. */
interface Version {
  readonly job: Job;
  readonly group: TaskGroup;
  readonly deploymentId: string;
}

/** What the previous allocation ran; undefined: there was none, it is the job as it is now, or that version is not kept any more. */
function versionOf({ previous, group }: Place, { snapshot }: SchedulerContext): Version | undefined {
  if (previous === null) return undefined;
  const { Namespace, JobID, JobVersion, DeploymentID } = previous;
  const job = snapshot.get('jobVersions', jobVersionId(Namespace, JobID, JobVersion));
  const before = job?.TaskGroups.find(({ Name }) => Name === group.Name);
  const isCurrent = job === undefined || job.Version === snapshot.get('jobs', jobId(Namespace, JobID))?.Version;
  return isCurrent || before === undefined ? undefined : { job, group: before, deploymentId: DeploymentID };
}

function placeOne(draft: PlanDraft, place: Place, version: Version, context: SchedulerContext): boolean {
  const { previous, kind, name } = place;
  const { job, group, deploymentId } = version;
  if (draft.hasFailed(group)) {
    draft.failAgain(group);
    return false;
  }
  // What it has is free for its replacement; where none is found it stays.
  const replaces = kind === 'update' || kind === 'reschedule';
  if (replaces) draft.stop(previous!, kind === 'update' ? allocationText.updating : allocationText.rescheduled);
  const choice = draft.placer(group, job).choose({
    penalties: kind === 'reschedule' ? failedOn(previous!) : new Set<string>(),
    preferred: previous !== null && group.EphemeralDisk.Sticky ? readyNode(draft, previous.NodeID) : undefined,
  });
  if (choice.node === undefined) {
    if (replaces) draft.keep(previous!);
    draft.fail(group, choice.metric);
    return false;
  }
  const tracker = trackerOf(place, context.now);
  draft.place(group, choice, { name, previous, tracker, deploymentId, canary: place.canary ?? false }, job);
  return true;
}

function readyNode(draft: PlanDraft, id: string): Node | undefined {
  const node = draft.nodeOf(id);
  return node !== undefined && draft.set.nodes.includes(node) ? node : undefined;
}

function failedOn({ NodeID, RescheduleTracker }: Allocation): ReadonlySet<string> {
  return new Set([NodeID, ...(RescheduleTracker?.Events ?? []).map(({ PrevNodeID }) => PrevNodeID)]);
}

/** A replacement of the same version goes on with the record of attempts, so that a crash loop does not begin anew elsewhere. */
function trackerOf({ kind, previous, group }: Place, now: number) {
  if (previous === null || kind === 'update') return null;
  if (kind === 'reschedule') return trackerAfter(previous, group.ReschedulePolicy, now);
  return previous.RescheduleTracker;
}

function updateInPlace(
  draft: PlanDraft,
  job: Job | undefined,
  { inPlace, deployment }: Reconciled,
  evaluation: Evaluation,
): void {
  const deploymentId = deployment?.ID ?? '';
  for (const allocation of inPlace) {
    const isNew = allocation.DeploymentID !== deploymentId;
    draft.update({
      ...allocation,
      EvalID: evaluation.ID,
      JobVersion: job!.Version,
      DeploymentID: deploymentId,
      DeploymentStatus: isNew ? null : allocation.DeploymentStatus,
    });
  }
}
