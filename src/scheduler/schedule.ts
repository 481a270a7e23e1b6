import type { Evaluation } from '../model/evaluation.ts';
import { scheduleGeneric } from './generic-schedule.ts';
import { NodeSets } from './node-set.ts';
import type { Decision, SchedulerContext } from './scheduler.ts';
import { scheduleSystem } from './system-schedule.ts';

/** Decides one evaluation: what to start, stop and change, and what becomes of the evaluation itself. The same input gives the same decision. */
export function schedule(evaluation: Evaluation, context: SchedulerContext): Decision {
  return decide(evaluation, context, new NodeSets());
}

/**
 * The same for one state that is asked again and again: what it read of the nodes is kept while they do not change. Wants snapshots with
 * `tableIndex`; never shared between two states.
 */
export function createSchedule(): typeof schedule {
  const sets = new NodeSets();
  return (evaluation, context) => decide(evaluation, context, sets);
}

function decide(evaluation: Evaluation, context: SchedulerContext, sets: NodeSets): Decision {
  const isSystem = evaluation.Type === 'system' || evaluation.Type === 'sysbatch';
  return isSystem ? scheduleSystem(evaluation, context, sets) : scheduleGeneric(evaluation, context, sets);
}
