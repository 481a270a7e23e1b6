/**
 * Makes a decision real, in one write: the plan's changes, the evaluation's outcome and what follows from it. Every node a plan touches is
 * checked again on the newest state inside that write; what does not fit there is left out, and the worker decides again on a newer snapshot.
 */
import type { Allocation } from '../model/allocation.ts';
import type { Evaluation } from '../model/evaluation.ts';
import { jobId, jobVersionId } from '../model/job-id.ts';
import { allocationsFit, isClientTerminal } from '../scheduler/fit.ts';
import type { Decision, Plan } from '../scheduler/scheduler.ts';
import type { ServerContext } from './context.ts';
import { countPlacement, isOver } from './deployment-state.ts';
import type { Draft } from './draft.ts';
import { putAllocation, putDeployment, putEvaluation } from './rows.ts';

export interface Applied {
  readonly index: number;
  /** Nodes whose part of the plan was left out: decide again on a snapshot at least as new as `index`. */
  readonly rejectedNodes: readonly string[];
}

/** Resolves once durable. Where something was rejected, the evaluation and its followers are not written: the next pass does. */
export async function applyDecision(context: ServerContext, decision: Decision): Promise<Applied> {
  const { index, result } = await context.write((draft) => {
    const rejected = rejectedNodes(draft, decision.plan);
    const nothing = rejected.size > 0 && wantsAllAtOnce(draft, decision.plan);
    if (!nothing) applyPlan(draft, decision.plan, rejected);
    if (rejected.size === 0) finish(draft, decision);
    return [...rejected];
  });
  return { index, rejectedNodes: result };
}

function wantsAllAtOnce(draft: Draft, { evaluation }: Plan): boolean {
  return draft.get('jobs', jobId(evaluation.Namespace, evaluation.JobID))?.AllAtOnce ?? false;
}

function rejectedNodes(draft: Draft, plan: Plan): ReadonlySet<string> {
  const rejected = new Set<string>();
  const stopped = new Set(plan.stops.map((allocation) => allocation.ID));
  for (const [nodeId, placements] of byNode(plan.placements)) {
    if (!fits(draft, nodeId, placements, stopped)) rejected.add(nodeId);
  }
  return rejected;
}

function byNode(allocations: readonly Allocation[]): ReadonlyMap<string, readonly Allocation[]> {
  const nodes = new Map<string, Allocation[]>();
  for (const allocation of allocations) {
    const there = nodes.get(allocation.NodeID);
    if (there === undefined) nodes.set(allocation.NodeID, [allocation]);
    else there.push(allocation);
  }
  return nodes;
}

function fits(draft: Draft, nodeId: string, placements: readonly Allocation[], stopped: ReadonlySet<string>): boolean {
  const node = draft.get('nodes', nodeId);
  const added = placements.filter((placement) => draft.get('allocations', placement.ID) === undefined);
  if (node === undefined) return false;
  // In place: the allocation is there already; only a node for new ones must be ready for them.
  if (added.length > 0 && (node.Status !== 'ready' || node.SchedulingEligibility !== 'eligible')) return false;
  const planned = new Map(placements.map((placement) => [placement.ID, placement]));
  for (const there of draft.by('allocations', 'nodeLive', nodeId)) {
    if (!stopped.has(there.ID) && !planned.has(there.ID)) planned.set(there.ID, there);
  }
  return allocationsFit(node, planned.values()).fits;
}

function applyPlan(draft: Draft, plan: Plan, rejected: ReadonlySet<string>): void {
  if (plan.deployment !== null) putDeployment(draft, plan.deployment);
  for (const update of plan.deploymentUpdates) {
    const deployment = draft.get('deployments', update.ID);
    if (deployment !== undefined && !isOver(deployment)) putDeployment(draft, { ...deployment, ...update });
  }
  for (const stop of plan.stops) {
    if (!rejected.has(stop.NodeID)) stopAllocation(draft, stop);
  }
  for (const placement of plan.placements) {
    if (!rejected.has(placement.NodeID)) place(draft, placement);
  }
}

/** Of a stop only the server's part counts: the client may have reported since the snapshot. */
function stopAllocation(draft: Draft, stop: Allocation): void {
  const there = draft.get('allocations', stop.ID);
  if (there === undefined) return;
  const isOverThere = isClientTerminal(there);
  putAllocation(draft, {
    ...there,
    DesiredStatus: stop.DesiredStatus,
    DesiredDescription: stop.DesiredDescription,
    DesiredTransition: stop.DesiredTransition,
    ClientStatus: isOverThere ? there.ClientStatus : stop.ClientStatus,
    ClientDescription: isOverThere ? there.ClientDescription : stop.ClientDescription,
    FollowupEvalID: stop.FollowupEvalID,
    RescheduleTracker: stop.RescheduleTracker,
    PreemptedByAllocation: stop.PreemptedByAllocation,
    AllocStates: stop.AllocStates,
  });
}

function place(draft: Draft, placement: Allocation): void {
  const there = draft.get('allocations', placement.ID);
  if (there !== undefined) {
    // An update in place: what the client reported stays.
    const { ClientStatus, ClientDescription, TaskStates, NetworkStatus } = there;
    const sameDeployment = there.DeploymentID === placement.DeploymentID;
    putAllocation(draft, {
      ...placement,
      ClientStatus,
      ClientDescription,
      TaskStates,
      NetworkStatus,
      DeploymentStatus: sameDeployment ? there.DeploymentStatus : placement.DeploymentStatus,
    });
    if (!sameDeployment) countPlacement(draft, placement);
    return;
  }
  // Purged since the plan was made: the evaluation that came with that stops the rest.
  if (draft.get('jobVersions', jobVersionId(placement.Namespace, placement.JobID, placement.JobVersion)) === undefined)
    return;
  putAllocation(draft, { ...placement, Job: null });
  const previous =
    placement.PreviousAllocation === '' ? undefined : draft.get('allocations', placement.PreviousAllocation);
  if (previous !== undefined && previous.NextAllocation !== placement.ID) {
    putAllocation(draft, { ...previous, NextAllocation: placement.ID });
  }
  countPlacement(draft, placement);
}

function finish(draft: Draft, decision: Decision): void {
  for (const evaluation of decision.followUps) putEvaluation(draft, evaluation);
  const there = draft.get('evaluations', decision.evaluation.ID);
  // Deleted or cancelled meanwhile: it stays so.
  if (there === undefined || there.Status === 'canceled') return;
  const { CreateIndex, CreateTime } = there;
  putEvaluation(draft, { ...decision.evaluation, CreateIndex, CreateTime } satisfies Evaluation);
}
