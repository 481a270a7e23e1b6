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
  const limit = updateLimit(job, evaluation, context);
  for (const { allocation, description, lost } of [...changes.stops, ...changes.migrate]) {
    draft.stop(allocation, description, lost ? { ClientStatus: 'lost' } : {});
  }
  const placed = placeOnNodes(draft, job, changes, limit);
  for (const allocation of changes.inPlace) {
    draft.update({ ...allocation, EvalID: evaluation.ID, JobVersion: job!.Version });
  }
  const annotations = { DesiredTGUpdates: desiredOf(changes, placed), PreemptedAllocs: null };
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
  const isPartial = placed.postponed > 0 && limit > 0;
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

/** How many allocations may be replaced at once; none while another evaluation waits to go on with the update. */
function updateLimit(job: Job | undefined, evaluation: Evaluation, { snapshot }: SchedulerContext): number {
  if (job === undefined || job.Update.Stagger <= 0 || job.Update.MaxParallel <= 0) return Number.POSITIVE_INFINITY;
  for (const other of snapshot.by('evaluations', 'jobOpen', jobId(job.Namespace, job.ID))) {
    const goesOn = other.TriggeredBy === 'rolling-update' && other.JobModifyIndex >= job.JobModifyIndex;
    if (goesOn && other.Status === 'pending' && other.ID !== evaluation.ID) return 0;
  }
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
  /** Those that were replaced; a replacement that has no place leaves what runs as it is, and the next one may have its turn. */
  readonly updated: readonly SystemPlace[];
  /** Updates for which it was too early. */
  readonly postponed: number;
}

function placeOnNodes(
  draft: PlanDraft,
  job: Job | undefined,
  { updates, places }: SystemChanges,
  limit: number,
): Placed {
  const queued: { [group: string]: number } = Object.fromEntries((job?.TaskGroups ?? []).map(({ Name }) => [Name, 0]));
  const unfit = new Map<string, number>();
  const tried = new Map<string, number>();
  const updated: SystemPlace[] = [];
  let exhausted = false;
  let postponed = 0;
  const place = (wanted: SystemPlace, isUpdate: boolean): void => {
    const { Name } = wanted.group;
    tried.set(Name, (tried.get(Name) ?? 0) + 1);
    const result = placeOn(draft, job!, wanted, isUpdate);
    if (result === 'unfit') unfit.set(Name, (unfit.get(Name) ?? 0) + 1);
    if (result === 'full') queued[Name] = (queued[Name] ?? 0) + 1;
    if (result === 'full') exhausted = true;
    if (result === 'placed' && isUpdate) updated.push(wanted);
  };
  for (const update of updates) {
    if (updated.length < limit) place(update, true);
    else postponed++;
  }
  for (const wanted of places) place(wanted, false);
  for (const group of job?.TaskGroups ?? []) {
    const isNowhere = (unfit.get(group.Name) ?? 0) > 0 && unfit.get(group.Name) === tried.get(group.Name);
    if (isNowhere && draft.presence.ofGroupAnywhere(group.Name) === 0) draft.failNowhere(group);
  }
  return { queued, unfit, exhausted, updated, postponed };
}

function placeOn(draft: PlanDraft, job: Job, wanted: SystemPlace, isUpdate: boolean): 'placed' | 'unfit' | 'full' {
  const { node, group, previous } = wanted;
  if (isUpdate) draft.stop(previous!, allocationText.updating);
  const choice = draft.placer(group).tryOn(node);
  if (choice.node !== undefined) {
    const name = allocationName(job.ID, group.Name, 0);
    draft.place(group, choice, { name, previous, tracker: null, deploymentId: '', canary: false });
    return 'placed';
  }
  if (isUpdate) draft.keep(previous!);
  if (choice.metric.NodesFiltered > 0) return 'unfit';
  draft.failOn(group, choice.metric);
  return 'full';
}

type Desired = { readonly [group: string]: DesiredUpdates };

function desiredOf(changes: SystemChanges, { unfit, updated }: Placed): Desired {
  const groups = new Map<string, { -readonly [K in keyof DesiredUpdates]: DesiredUpdates[K] }>();
  const of = (name: string) => {
    const found = groups.get(name) ?? { ...noUpdates };
    groups.set(name, found);
    return found;
  };
  for (const { allocation } of changes.stops) of(allocation.TaskGroup).Stop++;
  for (const { allocation } of changes.migrate) of(allocation.TaskGroup).Migrate++;
  for (const { group } of changes.places) of(group.Name).Place++;
  for (const { TaskGroup } of changes.inPlace) of(TaskGroup).InPlaceUpdate++;
  for (const { TaskGroup } of changes.ignored) of(TaskGroup).Ignore++;
  for (const place of changes.updates) {
    if (updated.includes(place)) of(place.group.Name).DestructiveUpdate++;
    else of(place.group.Name).Ignore++;
  }
  for (const [name, count] of unfit) of(name).Place = Math.max(0, of(name).Place - count);
  return Object.fromEntries(groups);
}
