/**
 * One scheduling worker: takes an evaluation, decides on a snapshot, has the decision applied; where part of it was rejected, decides again
 * on a newer snapshot, a few times. Several run beside each other: while one waits for the disk, others decide.
 */
import { isFault, messageOf } from '../lib/fault.ts';
import { formatInstant } from '../lib/instant.ts';
import type { Evaluation } from '../model/evaluation.ts';
import type { Decision, SchedulerContext } from '../scheduler/scheduler.ts';
import type { ServerContext } from './context.ts';
import type { EvalBroker } from './eval-broker.ts';
import { applyDecision } from './plan-applier.ts';
import { putEvaluation } from './rows.ts';

/** The pure scheduler. */
export type Schedule = (evaluation: Evaluation, context: SchedulerContext) => Decision;

const minuteNs = 60e9;

/** Resolves when the broker is closed. */
export async function runWorker(context: ServerContext, broker: EvalBroker, schedule: Schedule): Promise<void> {
  for (;;) {
    const assignment = await broker.take();
    if (assignment === null) return;
    const {
      evaluation: { ID },
      delivery,
    } = assignment;
    try {
      await work(context, schedule, assignment.evaluation);
      broker.done(ID, delivery);
    } catch (error) {
      const level = isFault(error, 'unavailable') ? 'warn' : 'error';
      context.log[level]('an evaluation was not worked out; it is tried again', {
        evaluation: ID,
        reason: messageOf(error),
      });
      broker.failed(ID, delivery);
    }
  }
}

/** Service jobs get more passes than the others: they are to be up. */
const passes = (type: string): number => (type === 'service' ? 5 : 2);

async function work(context: ServerContext, schedule: Schedule, evaluation: Evaluation): Promise<void> {
  for (let pass = 1; ; pass++) {
    const snapshot = context.store.snapshot();
    const current = snapshot.get('evaluations', evaluation.ID);
    if (current === undefined || !['pending', 'blocked'].includes(current.Status)) return;
    const decision = schedule(current, {
      snapshot,
      now: context.clock.now(),
      newId: context.newId,
      random: context.random,
    });
    const outcome = { ...decision.evaluation, SnapshotIndex: snapshot.index };
    const followUps = decision.followUps.map((next) => ({ ...next, SnapshotIndex: snapshot.index }));
    const { rejectedNodes } = await applyDecision(context, { ...decision, evaluation: outcome, followUps });
    if (rejectedNodes.length === 0) return;
    context.log.debug('part of a plan was rejected', { evaluation: evaluation.ID, nodes: rejectedNodes.length, pass });
    if (pass >= passes(evaluation.Type)) return giveUpPasses(context, current, decision);
  }
}

/** Others were faster every time: what is left waits until there is room again. */
async function giveUpPasses(
  context: ServerContext,
  evaluation: Evaluation,
  { evaluation: outcome }: Decision,
): Promise<void> {
  const blocked = {
    ...evaluation,
    ID: context.newId(),
    TriggeredBy: 'max-plan-attempts',
    Status: 'blocked',
    StatusDescription: 'created due to placement conflicts',
    PreviousEval: evaluation.ID,
    EscapedComputedClass: true,
    FailedTGAllocs: null,
    QueuedAllocations: null,
  };
  await context.write((draft) => {
    if (draft.get('evaluations', evaluation.ID) === undefined) return;
    putEvaluation(draft, { ...blocked, SnapshotIndex: draft.index });
    putEvaluation(draft, {
      ...evaluation,
      Status: 'failed',
      StatusDescription: `maximum attempts reached (${passes(evaluation.Type)})`,
      QueuedAllocations: outcome.QueuedAllocations,
      BlockedEval: blocked.ID,
    });
  });
}

/** An evaluation that no worker could work out: it failed, and is tried again later as a new one. */
export async function failEvaluation(
  context: ServerContext,
  evaluation: Evaluation,
  deliveryLimit: number,
): Promise<void> {
  const followUp: Evaluation = {
    ...evaluation,
    ID: context.newId(),
    TriggeredBy: 'failed-follow-up',
    Status: 'pending',
    StatusDescription: '',
    PreviousEval: evaluation.ID,
    NextEval: '',
    BlockedEval: '',
    // Between one and ten minutes: many that failed together do not come back together.
    WaitUntil: formatInstant(context.clock.now() + minuteNs * (1 + 9 * context.random())),
  };
  await context.write((draft) => {
    const current = draft.get('evaluations', evaluation.ID);
    if (current === undefined || !['pending', 'blocked'].includes(current.Status)) return;
    putEvaluation(draft, followUp);
    putEvaluation(draft, {
      ...current,
      Status: 'failed',
      StatusDescription: `evaluation reached delivery limit (${deliveryLimit})`,
      NextEval: followUp.ID,
    });
  });
}
