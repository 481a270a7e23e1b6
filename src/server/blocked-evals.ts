/**
 * Evaluations that wait for room: some node could not take all they want. They go back to work when a node comes, changes or gets room,
 * if the node is of a class they may run on (or they cannot say which those are).
 */
import type { Evaluation } from '../model/evaluation.ts';
import { jobId } from '../model/job-id.ts';

export interface BlockedOptions {
  /** Works on it again. */
  readonly unblock: (evaluation: Evaluation) => void;
  /** A job has one blocked evaluation; the older one is not needed any more. */
  readonly superseded: (evaluations: readonly Evaluation[]) => void;
}

export class BlockedEvals {
  readonly #options: BlockedOptions;
  readonly #blocked = new Map<string, Evaluation>();
  /** Job → its blocked evaluation. */
  readonly #jobs = new Map<string, string>();
  /** Class → the index at which it last got room: a snapshot older than that may have missed it. */
  readonly #roomAt = new Map<string, number>();
  /** Namespace → the index at which its demands last changed. */
  readonly #changedAt = new Map<string, number>();

  constructor(options: BlockedOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#blocked.size;
  }

  add(evaluation: Evaluation): void {
    const key = keyOf(evaluation);
    const other = this.#blocked.get(this.#jobs.get(key) ?? '');
    if (other !== undefined && other.ID !== evaluation.ID) {
      const [older, newer] = other.CreateIndex <= evaluation.CreateIndex ? [other, evaluation] : [evaluation, other];
      this.remove(older.ID);
      this.#hold(key, newer);
      this.#options.superseded([older]);
      return;
    }
    this.#hold(key, evaluation);
  }

  remove(id: string): void {
    const evaluation = this.#blocked.get(id);
    if (evaluation === undefined) return;
    this.#blocked.delete(id);
    if (this.#jobs.get(keyOf(evaluation)) === id) this.#jobs.delete(keyOf(evaluation));
  }

  /** A node of the class has room that it had not before, as of the index. */
  unblock(computedClass: string, index: number): void {
    this.#roomAt.set(computedClass, index);
    for (const evaluation of [...this.#blocked.values()]) {
      if (!mayRunOn(evaluation, computedClass)) continue;
      this.remove(evaluation.ID);
      this.#options.unblock(evaluation);
    }
  }

  /** The namespace may demand less of nodes than before, as of the index. */
  unblockNamespace(namespace: string, index: number): void {
    this.#changedAt.set(namespace, index);
    for (const evaluation of [...this.#blocked.values()]) {
      if (evaluation.Namespace !== namespace) continue;
      this.remove(evaluation.ID);
      this.#options.unblock(evaluation);
    }
  }

  #hold(key: string, evaluation: Evaluation): void {
    if (this.#missedRoom(evaluation)) {
      this.#options.unblock(evaluation);
      return;
    }
    this.#blocked.set(evaluation.ID, evaluation);
    this.#jobs.set(key, evaluation.ID);
  }

  #missedRoom(evaluation: Evaluation): boolean {
    if ((this.#changedAt.get(evaluation.Namespace) ?? 0) > evaluation.SnapshotIndex) return true;
    for (const [computedClass, index] of this.#roomAt) {
      if (index > evaluation.SnapshotIndex && mayRunOn(evaluation, computedClass)) return true;
    }
    return false;
  }
}

/** A class it has never seen may be right. */
function mayRunOn(evaluation: Evaluation, computedClass: string): boolean {
  return evaluation.EscapedComputedClass || evaluation.ClassEligibility?.[computedClass] !== false;
}

function keyOf(evaluation: Evaluation): string {
  return jobId(evaluation.Namespace, evaluation.JobID);
}
