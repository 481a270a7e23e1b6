/**
 * The scheduler's face: (snapshot, evaluation) → decision. Pure: time and randomness are handed in.
 */
import type { Allocation } from '../model/allocation.ts';
import type { AllocationMetric } from '../model/allocation-metric.ts';
import type { Deployment } from '../model/deployment.ts';
import type { Evaluation } from '../model/evaluation.ts';
import type { PlanAnnotations } from '../model/plan-annotations.ts';
import type { ServerSnapshot } from './snapshot.ts';

export interface SchedulerContext {
  readonly snapshot: ServerSnapshot;
  /** Unix nanoseconds. */
  readonly now: number;
  /** A new UUID. */
  newId(): string;
  /** 0 … 1. */
  random(): number;
}

/** What is to change, by node; applied atomically or not at all by the plan applier. */
export interface Plan {
  readonly evaluation: Evaluation;
  /** Allocations to stop, with DesiredStatus, DesiredDescription and (for lost ones) ClientStatus set. */
  readonly stops: readonly Allocation[];
  /** New allocations and in-place updates (same ID), with `Job: null`. */
  readonly placements: readonly Allocation[];
  readonly deployment: Deployment | null;
  readonly deploymentUpdates: readonly Pick<Deployment, 'ID' | 'Status' | 'StatusDescription'>[];
  readonly annotations: PlanAnnotations | null;
}

export interface Decision {
  readonly plan: Plan;
  /** The evaluation as it is after this pass (status, failures, queued counts). */
  readonly evaluation: Evaluation;
  /** Evaluations that follow: blocked, delayed reschedules, next rolling batch. */
  readonly followUps: readonly Evaluation[];
  readonly failures: { readonly [group: string]: AllocationMetric };
}
