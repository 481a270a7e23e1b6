/**
 * Launches periodic jobs when their cron lines are due: one launch for all that was missed while no server ran, none while another still
 * runs where the job forbids that.
 */
import { messageOf } from '../lib/fault.ts';
import { earliestLaunch } from '../model/cron-next.ts';
import type { Job } from '../model/job.ts';
import { jobId } from '../model/job-id.ts';
import type { Commit, CommitListener, ServerContext } from './context.ts';
import { launchPeriodic } from './dispatch-job.ts';
import type { Draft } from './draft.ts';

/** Clocks are set: nothing is waited for longer than this without a look at the time. */
const longestWaitMs = 60_000;

export class Periodic implements CommitListener {
  readonly #context: ServerContext;
  /** Job → when it is due, Unix nanoseconds. */
  readonly #due = new Map<string, number>();
  #cancel: (() => void) | null = null;
  #started = false;
  #launching = false;

  constructor(context: ServerContext) {
    this.#context = context;
  }

  start(): void {
    this.#started = true;
    const snapshot = this.#context.store.snapshot();
    for (const job of snapshot.scan('jobs')) {
      if (job.Periodic === null) continue;
      const last = snapshot.get('periodicLaunches', jobId(job.Namespace, job.ID))?.Launch ?? 0;
      this.#follow(job, Math.max(last, job.SubmitTime));
    }
    this.#schedule();
  }

  stop(): void {
    this.#started = false;
    this.#cancel?.();
    this.#cancel = null;
  }

  committed(commit: Commit): void {
    for (const [key, job] of commit.changed('jobs')) {
      if (job === null) this.#due.delete(key);
      else if (job.Periodic !== null) this.#follow(job, this.#context.clock.now());
    }
    this.#schedule();
  }

  /** `after`: Unix nanoseconds. */
  #follow(job: Job, after: number): void {
    const key = jobId(job.Namespace, job.ID);
    const due = dueAfter(job, after);
    if (due === undefined) this.#due.delete(key);
    else this.#due.set(key, due);
  }

  #schedule(): void {
    this.#cancel?.();
    this.#cancel = null;
    if (!this.#started || this.#due.size === 0 || this.#launching) return;
    const waitMs = (Math.min(...this.#due.values()) - this.#context.clock.now()) / 1e6;
    this.#cancel = this.#context.clock.after(Math.min(Math.max(waitMs, 0), longestWaitMs), () => void this.#launch());
  }

  async #launch(): Promise<void> {
    const now = this.#context.clock.now();
    const due = [...this.#due].filter(([, at]) => at <= now);
    this.#launching = true;
    try {
      if (due.length > 0) await this.#context.write((draft) => this.#launchAll(draft, due));
      for (const [key] of due) {
        const job = this.#context.store.snapshot().get('jobs', key);
        if (job === undefined || job.Periodic === null) this.#due.delete(key);
        else this.#follow(job, now);
      }
    } catch (error) {
      this.#context.log.warn('periodic jobs could not be launched', { reason: messageOf(error) });
      // a full disk passes: what is due stays due
      await new Promise<void>((resolve) => this.#context.clock.after(1000, resolve));
    } finally {
      this.#launching = false;
      this.#schedule();
    }
  }

  #launchAll(draft: Draft, due: readonly (readonly [string, number])[]): void {
    for (const [key, at] of due) {
      const job = draft.get('jobs', key);
      if (job === undefined || dueAfter(job, 0) === undefined) continue;
      if (job.Periodic?.ProhibitOverlap === true && isUnderWay(draft, job)) {
        this.#context.log.info('a periodic job is not launched while its last one runs', { job: job.ID });
        continue;
      }
      launchPeriodic(draft, job, at, this.#context.newId);
    }
  }
}

/** Unix nanoseconds; undefined: it is not launched. */
export function dueAfter(job: Job, after: number): number | undefined {
  const { Periodic: periodic } = job;
  if (periodic === null || !periodic.Enabled || job.Stop) return undefined;
  const lines = periodic.Specs.length > 0 ? periodic.Specs : [periodic.Spec];
  const due = earliestLaunch(lines, after / 1e6, periodic.TimeZone);
  return due === undefined ? undefined : due * 1e6;
}

function isUnderWay(draft: Draft, parent: Job): boolean {
  for (const job of draft.scan('jobs')) {
    if (job.Namespace === parent.Namespace && job.ParentID === parent.ID && job.Status !== 'dead') return true;
  }
  return false;
}
