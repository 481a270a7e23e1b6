import { Fault } from '../lib/fault.ts';
import type { Evaluation } from '../model/evaluation.ts';
import { jobId } from '../model/job-id.ts';
import { isClientTerminal } from '../scheduler/fit.ts';
import type { ServerSnapshot } from '../state/server-tables.ts';
import type { ServerContext } from './context.ts';
import type { Draft } from './draft.ts';

/** Evaluations by their ids, or all for which something holds. */
export type EvaluationChoice = readonly string[] | ((evaluation: Evaluation) => boolean);

/** Rows taken away in one write: others write in between. */
const batchSize = 1000;

/**
 * Takes evaluations away while the broker is paused: nobody works on them meanwhile. Their allocations stay. One whose allocations still
 * run, or wait to be placed again, is needed: named by its id that is an error, and nothing is deleted; chosen by a test it is passed over.
 */
export async function deleteEvaluations(
  context: ServerContext,
  choice: EvaluationChoice,
): Promise<{ readonly count: number; readonly index: number }> {
  if (typeof choice !== 'function') {
    const { index } = await context.write((draft) => {
      for (const id of choice) draft.delete('evaluations', deletable(draft, id));
    });
    return { count: choice.length, index };
  }
  const snapshot = context.store.snapshot();
  checkPaused(snapshot);
  const chosen = [...snapshot.scan('evaluations')].filter(choice);
  let count = 0;
  let { index } = snapshot;
  for (let at = 0; at < chosen.length; at += batchSize) {
    const done = await context.write((draft) => {
      checkPaused(draft);
      const unneeded = chosen.slice(at, at + batchSize).filter((evaluation) => !isNeeded(draft, evaluation));
      for (const { ID } of unneeded) draft.delete('evaluations', ID);
      return unneeded.length;
    });
    count += done.result;
    index = done.index;
  }
  return { count, index };
}

/** Faults, with Nomad's text where its clients know it: the broker is not paused. */
function checkPaused(rows: Pick<ServerSnapshot, 'get'>): void {
  if (rows.get('schedulerConfiguration', 'scheduler')?.PauseEvalBroker === true) return;
  throw new Fault('unavailable', 'eval broker is enabled; eval broker must be paused to delete evals');
}

function deletable(draft: Draft, id: string): string {
  checkPaused(draft);
  const evaluation = draft.get('evaluations', id);
  if (evaluation === undefined) throw new Fault('not_found', `eval not found: ${id}`);
  if (isNeeded(draft, evaluation))
    throw new Fault('invalid', `evaluation ${id} has allocations that run or may be placed again; stop them first`);
  return id;
}

function isNeeded(draft: Draft, { ID, Namespace, JobID }: Evaluation): boolean {
  const job = draft.get('jobs', jobId(Namespace, JobID));
  if (job === undefined || job.Stop || job.Status === 'dead') return false;
  for (const allocation of draft.by('allocations', 'evaluation', ID)) {
    const { ClientStatus, DesiredStatus, NextAllocation } = allocation;
    if (!isClientTerminal(allocation)) return true;
    if (ClientStatus === 'failed' && DesiredStatus === 'run' && NextAllocation === '') return true;
  }
  return false;
}
