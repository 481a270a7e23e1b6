/** What becomes of the evaluation, and which ones follow from it. */
import { formatInstant, zeroInstant } from '../lib/instant.ts';
import type { AllocationMetric } from '../model/allocation-metric.ts';
import type { Evaluation } from '../model/evaluation.ts';
import type { PlanAnnotations } from '../model/plan-annotations.ts';
import { evaluationText } from './descriptions.ts';
import type { Feasibility } from './feasible/feasibility.ts';
import type { SchedulerContext } from './scheduler.ts';

/** Group → why it could not be placed. */
export type Failures = { readonly [group: string]: AllocationMetric };

export interface Pass {
  readonly failures: Failures;
  /** Of the groups that failed. */
  readonly feasibilities: readonly Feasibility[];
  /** Failed groups that may be placed later, as nodes change. */
  readonly waits: boolean;
  /** Group → allocations still to be placed. */
  readonly queued: { readonly [group: string]: number };
  readonly annotations: PlanAnnotations;
  readonly deploymentId: string;
}

export interface Outcome {
  readonly evaluation: Evaluation;
  readonly followUps: readonly Evaluation[];
}

/** Done, or – an evaluation that waited for room and still has not found all of it – waiting on. */
export function outcomeOf(evaluation: Evaluation, pass: Pass, context: SchedulerContext): Outcome {
  const { failures, queued, annotations, deploymentId } = pass;
  const hasFailures = Object.keys(failures).length > 0;
  const result = {
    ...evaluation,
    DeploymentID: deploymentId || evaluation.DeploymentID,
    FailedTGAllocs: hasFailures ? failures : null,
    PlanAnnotations: annotations,
    QueuedAllocations: queued,
    SnapshotIndex: context.snapshot.index,
    ModifyTime: context.now,
  };
  if (!hasFailures || !pass.waits) return { evaluation: { ...result, ...complete }, followUps: [] };
  const eligibility = eligibilityOf(pass.feasibilities);
  if (evaluation.Status === 'blocked') {
    // it goes on waiting: what it waits for is not of one roll-out
    const { DeploymentID } = evaluation;
    return { evaluation: { ...result, ...eligibility, DeploymentID, PlanAnnotations: null }, followUps: [] };
  }
  const blocked: Evaluation = {
    ...follower(evaluation, context),
    TriggeredBy: 'queued-allocs',
    Status: 'blocked',
    StatusDescription: evaluationText.failedPlacements,
    FailedTGAllocs: failures,
    ...eligibility,
  };
  return { evaluation: { ...result, ...complete, BlockedEval: blocked.ID }, followUps: [blocked] };
}

const complete = { Status: 'complete', StatusDescription: '' } as const;

/** A class that could take any of the failed groups, if it had room, is worth waiting for. */
function eligibilityOf(
  feasibilities: readonly Feasibility[],
): Pick<Evaluation, 'ClassEligibility' | 'EscapedComputedClass'> {
  if (feasibilities.some(({ escaped }) => escaped)) return { ClassEligibility: null, EscapedComputedClass: true };
  const classes: { [name: string]: boolean } = {};
  for (const feasibility of feasibilities) {
    for (const [name, isEligible] of feasibility.classes) classes[name] = (classes[name] ?? false) || isEligible;
  }
  return { ClassEligibility: Object.keys(classes).length > 0 ? classes : null, EscapedComputedClass: false };
}

/** An evaluation of the same job that is to be worked on at a later time. */
export function delayedEvaluation(evaluation: Evaluation, at: number, context: SchedulerContext): Evaluation {
  return {
    ...follower(evaluation, context),
    TriggeredBy: 'alloc-failure',
    Status: 'pending',
    StatusDescription: evaluationText.delayedReschedule,
    WaitUntil: formatInstant(at),
  };
}

/** The next step of an update of a system job. */
export function rollingEvaluation(evaluation: Evaluation, wait: number, context: SchedulerContext): Evaluation {
  return {
    ...follower(evaluation, context),
    TriggeredBy: 'rolling-update',
    Status: 'pending',
    Wait: wait,
    WaitUntil: formatInstant(context.now + wait),
  };
}

function follower(evaluation: Evaluation, context: SchedulerContext): Evaluation {
  return {
    ...evaluation,
    ID: context.newId(),
    NodeID: '',
    NodeModifyIndex: 0,
    DeploymentID: '',
    StatusDescription: '',
    Wait: 0,
    WaitUntil: zeroInstant,
    NextEval: '',
    PreviousEval: evaluation.ID,
    BlockedEval: '',
    RelatedEvals: null,
    FailedTGAllocs: null,
    PlanAnnotations: null,
    ClassEligibility: null,
    EscapedComputedClass: false,
    QuotaLimitReached: '',
    AnnotatePlan: false,
    QueuedAllocations: null,
    SnapshotIndex: 0,
    CreateIndex: 0,
    ModifyIndex: 0,
    CreateTime: context.now,
    ModifyTime: context.now,
  };
}
