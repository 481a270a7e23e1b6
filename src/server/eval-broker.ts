/**
 * Which evaluation is worked on next.
 *
 *   waiting (WaitUntil) ──time──▶ ready ──take──▶ in work ──done──▶ gone
 *        another of its job is in work ▶ behind ──that one is done──▶ ready
 *                                  in work ──failed or timed out──▶ ready again (after a pause) ──too often──▶ given up
 *
 * One evaluation per job is in work at a time. Of those behind only the newest matters: the others are handed to `superseded`.
 * Lives in memory only: after a restart it is filled again from the evaluations that are pending.
 */

import { parseInstant } from '../lib/instant.ts';
import type { Evaluation } from '../model/evaluation.ts';
import { jobId } from '../model/job-id.ts';
import type { Clock } from './context.ts';

export interface Assignment {
  readonly evaluation: Evaluation;
  /** How often it was given out, this time included. */
  readonly delivery: number;
}

export interface BrokerOptions {
  readonly clock: Clock;
  /** Deliveries before an evaluation is given up. */
  readonly deliveryLimit?: number;
  /** How long a worker may take before the evaluation goes to another. */
  readonly timeoutMs?: number;
  readonly retryDelayMs?: number;
  /** Given out too often without success. */
  readonly givenUp: (evaluation: Evaluation) => void;
  /** Overtaken by a newer one of the same job, which was worked on. */
  readonly superseded: (evaluations: readonly Evaluation[]) => void;
}

interface Entry {
  evaluation: Evaluation;
  delivery: number;
}

interface InWork extends Entry {
  readonly cancelTimeout: () => void;
  /** A newer form of the same evaluation that came meanwhile. */
  again: Evaluation | null;
}

/** See the states above. Whoever takes an evaluation says `done` or `failed` within `timeoutMs`, else it is handed out again. */
export class EvalBroker {
  readonly #options: Required<BrokerOptions>;
  /** Priority → the ready ones, oldest first. */
  readonly #ready = new Map<number, Map<string, Entry>>();
  readonly #inWork = new Map<string, InWork>();
  /** Job → its one evaluation that is ready or in work. */
  readonly #busyJobs = new Map<string, string>();
  readonly #behind = new Map<string, Map<string, Entry>>();
  readonly #waiting = new Map<string, () => void>();
  readonly #takers: ((assignment: Assignment | null) => void)[] = [];
  #paused = false;
  #closed = false;

  constructor(options: BrokerOptions) {
    this.#options = { deliveryLimit: 3, timeoutMs: 60_000, retryDelayMs: 1000, ...options };
  }

  /** An evaluation that is to be worked on; known ones are only brought up to date. */
  add(evaluation: Evaluation): void {
    if (this.#closed) return;
    this.#waiting.get(evaluation.ID)?.();
    this.#waiting.delete(evaluation.ID);
    const delayMs = (parseInstant(evaluation.WaitUntil) - this.#options.clock.now()) / 1e6;
    if (delayMs > 0) this.#wait(evaluation, delayMs);
    else this.#enqueue({ evaluation, delivery: 0 });
  }

  /** It is not to be worked on any more (finished by somebody else, deleted). */
  remove(evaluation: Evaluation): void {
    this.#waiting.get(evaluation.ID)?.();
    this.#waiting.delete(evaluation.ID);
    this.#behind.get(keyOf(evaluation))?.delete(evaluation.ID);
    for (const entries of this.#ready.values()) {
      if (!entries.delete(evaluation.ID)) continue;
      this.#busyJobs.delete(keyOf(evaluation));
      this.#advance(keyOf(evaluation));
    }
  }

  /** The next evaluation, highest priority and oldest first; null once closed. */
  take(): Promise<Assignment | null> {
    return new Promise((resolve) => {
      this.#takers.push(resolve);
      this.#serve();
    });
  }

  /** `delivery` as in the assignment: a worker that was too slow has nothing to say any more. */
  done(id: string, delivery: number): void {
    const entry = this.#leave(id, delivery);
    if (entry === undefined) return;
    const key = keyOf(entry.evaluation);
    if (entry.again !== null) this.add(entry.again);
    this.#advance(key);
  }

  failed(id: string, delivery: number): void {
    const entry = this.#leave(id, delivery);
    if (entry === undefined) return;
    if (entry.delivery >= this.#options.deliveryLimit) {
      this.#options.givenUp(entry.evaluation);
    } else {
      const again = { evaluation: entry.again ?? entry.evaluation, delivery: entry.delivery };
      const cancel = this.#options.clock.after(this.#options.retryDelayMs * entry.delivery, () => {
        this.#waiting.delete(id);
        this.#enqueue(again);
      });
      this.#waiting.set(id, cancel);
    }
    this.#advance(keyOf(entry.evaluation));
  }

  /** Nothing is given out while paused. */
  pause(paused: boolean): void {
    this.#paused = paused;
    this.#serve();
  }

  close(): void {
    this.#closed = true;
    for (const cancel of this.#waiting.values()) cancel();
    for (const { cancelTimeout } of this.#inWork.values()) cancelTimeout();
    for (const taker of this.#takers.splice(0)) taker(null);
  }

  get counts(): { readonly ready: number; readonly inWork: number; readonly waiting: number } {
    let ready = 0;
    for (const entries of this.#ready.values()) ready += entries.size;
    return { ready, inWork: this.#inWork.size, waiting: this.#waiting.size };
  }

  #wait(evaluation: Evaluation, delayMs: number): void {
    // Timers take at most 24.8 days; what is later is looked at again then.
    const cancel = this.#options.clock.after(Math.min(delayMs, 2 ** 31 - 1), () => {
      this.#waiting.delete(evaluation.ID);
      this.add(evaluation);
    });
    this.#waiting.set(evaluation.ID, cancel);
  }

  #enqueue(entry: Entry): void {
    const { ID } = entry.evaluation;
    const inWork = this.#inWork.get(ID);
    if (inWork !== undefined) {
      inWork.again = entry.evaluation;
      return;
    }
    const key = keyOf(entry.evaluation);
    const busy = this.#busyJobs.get(key);
    if (busy !== undefined && busy !== ID) {
      const behind = this.#behind.get(key) ?? new Map<string, Entry>();
      behind.set(ID, entry);
      this.#behind.set(key, behind);
      return;
    }
    this.#busyJobs.set(key, ID);
    const { Priority } = entry.evaluation;
    const entries = this.#ready.get(Priority) ?? new Map<string, Entry>();
    entries.set(ID, entry);
    this.#ready.set(Priority, entries);
    this.#serve();
  }

  #serve(): void {
    while (!this.#paused && this.#takers.length > 0) {
      const entry = this.#closed ? undefined : this.#best();
      if (entry === undefined) {
        if (this.#closed) for (const taker of this.#takers.splice(0)) taker(null);
        return;
      }
      this.#start(entry);
      this.#takers.shift()!({ evaluation: entry.evaluation, delivery: entry.delivery });
    }
  }

  #best(): Entry | undefined {
    let best = -1;
    for (const [priority, entries] of this.#ready) if (entries.size > 0 && priority > best) best = priority;
    return this.#ready.get(best)?.values().next().value;
  }

  #start(entry: Entry): void {
    const { ID, Priority } = entry.evaluation;
    this.#ready.get(Priority)?.delete(ID);
    entry.delivery += 1;
    const cancelTimeout = this.#options.clock.after(this.#options.timeoutMs, () => this.failed(ID, entry.delivery));
    this.#inWork.set(ID, { ...entry, cancelTimeout, again: null });
  }

  #leave(id: string, delivery: number): InWork | undefined {
    const entry = this.#inWork.get(id);
    if (entry?.delivery !== delivery) return undefined;
    entry.cancelTimeout();
    this.#inWork.delete(id);
    this.#busyJobs.delete(keyOf(entry.evaluation));
    return entry;
  }

  /** The newest of those behind is next: it sees everything the older ones were made for. */
  #advance(key: string): void {
    const behind = [...(this.#behind.get(key)?.values() ?? [])];
    this.#behind.delete(key);
    if (behind.length === 0) return;
    behind.sort((a, b) => b.evaluation.CreateIndex - a.evaluation.CreateIndex);
    const [next, ...older] = behind;
    this.#enqueue(next!);
    if (older.length > 0) this.#options.superseded(older.map((entry) => entry.evaluation));
  }
}

function keyOf(evaluation: Evaluation): string {
  return jobId(evaluation.Namespace, evaluation.JobID);
}
