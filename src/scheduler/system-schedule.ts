/** System and sysbatch jobs: one allocation of each group on every node that will do. */
import type { Evaluation } from '../model/evaluation.ts';
import type { Job } from '../model/job.ts';
import { tasksUpdated } from '../model/job-changes.ts';
import { jobId, jobVersionId } from '../model/job-id.ts';
import type { DesiredUpdates } from '../model/plan-annotations.ts';
import { allocationText } from './descriptions.ts';
import type { NodeSets } from './node-set.ts';
import { outcomeOf, rollingEvaluation } from './outcome.ts';
import { PlanDraft } from './plan-draft.ts';
import { allocationName } from './reconcile/allocation-names.ts';
import { noUpdates } from './reconcile/changes.ts';
import {
  reconcileSystem,
  type SystemChanges,
  type SystemInput,
  type SystemPlace,
} from './reconcile/reconcile-system.ts';
import type { Decision, SchedulerContext } from './scheduler.ts';

export function scheduleSystem(evaluation: Evaluation, context: SchedulerContext, sets: NodeSets): Decision {
  const { snapshot } = context;
  const key = jobId(evaluation.Namespace, evaluation.JobID);
  const job = snapshot.get('jobs', key);
  const allocations = [...snapshot.by('allocations', 'job', key)];
  const draft = new PlanDraft(evaluation, job, allocations, context, sets);
  const changes = reconcileSystem({
    job,
    allocations,
    nodes: draft.set.nodes,
    nodeOf: (id) => snapshot.get('nodes', id),
    updateKind: systemUpdateKind(job, draft, context),
    mayRun: (node, group) => draft.placer(group).feasibility.isFeasible(node),
  });
  const limit = updateLimit(job);
  const updates = changes.updates.slice(0, limit);
  const isPartial = updates.length < changes.updates.length;
  for (const { allocation, description, lost } of [...changes.stops, ...changes.migrate]) {
    draft.stop(allocation, description, lost ? { ClientStatus: 'lost' } : {});
  }
  const placed = placeOnNodes(draft, job, [...updates, ...changes.places], new Set(updates));
  for (const allocation of changes.inPlace) {
    draft.update({ ...allocation, EvalID: evaluation.ID, JobVersion: job!.Version });
  }
  const annotations = { DesiredTGUpdates: desiredOf(changes, updates, placed), PreemptedAllocs: null };
  const outcome = outcomeOf(
    evaluation,
    {
      failures: draft.failures,
      feasibilities: draft.feasibilitiesOfFailures,
      // Where nodes are filtered a new one brings its own evaluation; only full ones are worth waiting for.
      waits: placed.exhausted,
      queued: placed.queued,
      annotations,
      deploymentId: '',
    },
    context,
  );
  const next = isPartial ? [rollingEvaluation(evaluation, job!.Update.Stagger, context)] : [];
  return {
    plan: {
      evaluation,
      stops: draft.stops,
      placements: draft.placements,
      deployment: null,
      deploymentUpdates: [],
      annotations,
    },
    evaluation: isPartial ? { ...outcome.evaluation, NextEval: next[0]!.ID } : outcome.evaluation,
    followUps: [...outcome.followUps, ...next],
    failures: draft.failures,
  };
}

/** How many allocations may be replaced at once. */
function updateLimit(job: Job | undefined): number {
  if (job === undefined || job.Update.Stagger <= 0 || job.Update.MaxParallel <= 0) return Number.POSITIVE_INFINITY;
  return job.Update.MaxParallel;
}

function systemUpdateKind(
  job: Job | undefined,
  draft: PlanDraft,
  { snapshot }: SchedulerContext,
): SystemInput['updateKind'] {
  return (allocation, group) => {
    if (job === undefined || allocation.CreateIndex < job.CreateIndex) return 'destructive';
    if (allocation.JobVersion === job.Version) return 'none';
    const runs = snapshot.get('jobVersions', jobVersionId(job.Namespace, job.ID, allocation.JobVersion));
    if (runs === undefined || tasksUpdated(runs, job, group.Name)) return 'destructive';
    const node = snapshot.get('nodes', allocation.NodeID);
    return node !== undefined && draft.placer(group).feasibility.isFeasible(node) ? 'in-place' : 'destructive';
  };
}

interface Placed {
  readonly queued: { readonly [group: string]: number };
  /** Group → nodes that the group will never run on: not wanted there. */
  readonly unfit: ReadonlyMap<string, number>;
  readonly exhausted: boolean;
}

function placeOnNodes(
  draft: PlanDraft,
  job: Job | undefined,
  places: readonly SystemPlace[],
  updates: ReadonlySet<SystemPlace>,
): Placed {
  const queued: { [group: string]: number } = Object.fromEntries((job?.TaskGroups ?? []).map(({ Name }) => [Name, 0]));
  const unfit = new Map<string, number>();
  const tried = new Map<string, number>();
  let exhausted = false;
  for (const place of places) {
    const { node, group, previous } = place;
    tried.set(group.Name, (tried.get(group.Name) ?? 0) + 1);
    if (updates.has(place)) draft.stop(previous!, allocationText.updating);
    const choice = draft.placer(group).tryOn(node);
    if (choice.node !== undefined) {
      const name = allocationName(job!.ID, group.Name, 0);
      draft.place(group, choice, { name, previous, tracker: null, deploymentId: '' });
      continue;
    }
    if (updates.has(place)) draft.keep(previous!);
    if (choice.metric.NodesFiltered > 0) {
      unfit.set(group.Name, (unfit.get(group.Name) ?? 0) + 1);
      continue;
    }
    exhausted = true;
    queued[group.Name] = (queued[group.Name] ?? 0) + 1;
    draft.failOn(group, choice.metric);
  }
  for (const group of job?.TaskGroups ?? []) {
    const isNowhere = (unfit.get(group.Name) ?? 0) > 0 && unfit.get(group.Name) === tried.get(group.Name);
    const runs = draft.presence.ofGroupAnywhere(group.Name) > 0;
    if (isNowhere && !runs) draft.failNowhere(group);
  }
  return { queued, unfit, exhausted };
}

function desiredOf(
  changes: SystemChanges,
  updates: readonly SystemPlace[],
  { unfit }: Placed,
): { readonly [group: string]: DesiredUpdates } {
  const groups = new Map<string, { -readonly [K in keyof DesiredUpdates]: DesiredUpdates[K] }>();
  const of = (name: string) => {
    const found = groups.get(name) ?? { ...noUpdates };
    groups.set(name, found);
    return found;
  };
  for (const { allocation } of changes.stops) of(allocation.TaskGroup).Stop++;
  for (const { allocation } of changes.migrate) of(allocation.TaskGroup).Migrate++;
  for (const { group } of changes.places) of(group.Name).Place++;
  for (const { group } of updates) of(group.Name).DestructiveUpdate++;
  for (const { TaskGroup } of changes.inPlace) of(TaskGroup).InPlaceUpdate++;
  for (const { TaskGroup } of changes.ignored) of(TaskGroup).Ignore++;
  for (const { group } of changes.updates.slice(updates.length)) of(group.Name).Ignore++;
  for (const [name, count] of unfit) of(name).Place = Math.max(0, of(name).Place - count);
  return Object.fromEntries(groups);
}
