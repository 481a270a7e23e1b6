/** Broker, blocked evaluations and workers, kept going by what is written: whoever writes an evaluation has it worked on. */
import { messageOf } from '../lib/fault.ts';
import type { Evaluation } from '../model/evaluation.ts';
import type { Node } from '../model/node.ts';
import { isClientTerminal, isTerminal } from '../scheduler/fit.ts';
import { BlockedEvals } from './blocked-evals.ts';
import type { Commit, CommitListener, ServerContext } from './context.ts';
import { EvalBroker } from './eval-broker.ts';
import { putEvaluation } from './rows.ts';
import { failEvaluation, runWorker, type Schedule } from './worker.ts';

export interface SchedulingOptions {
  readonly schedule: Schedule;
  /** Evaluations worked on beside each other. */
  readonly workers: number;
  readonly deliveryLimit?: number;
  readonly timeoutMs?: number;
  readonly retryDelayMs?: number;
}

/** A worker mostly waits for the disk: others decide meanwhile, and what they decide shares one commit. */
const decisionsInFlight = 16;

export class Scheduling implements CommitListener {
  readonly #context: ServerContext;
  readonly #options: SchedulingOptions;
  readonly #broker: EvalBroker;
  readonly #blocked: BlockedEvals;
  #workers: Promise<void>[] = [];

  constructor(context: ServerContext, options: SchedulingOptions) {
    this.#context = context;
    this.#options = options;
    const limit = options.deliveryLimit ?? 3;
    this.#broker = new EvalBroker({
      clock: context.clock,
      deliveryLimit: limit,
      ...(options.timeoutMs !== undefined && { timeoutMs: options.timeoutMs }),
      ...(options.retryDelayMs !== undefined && { retryDelayMs: options.retryDelayMs }),
      givenUp: (evaluation) =>
        this.#unless(failEvaluation(context, evaluation, limit), () => this.#broker.add(evaluation)),
      superseded: (evaluations) => this.#cancel(evaluations, 'canceled after more recent eval was processed'),
    });
    this.#blocked = new BlockedEvals({
      unblock: (evaluation) => this.#broker.add(evaluation),
      superseded: (evaluations) =>
        this.#cancel(evaluations, 'canceled because a newer evaluation waits for the same job'),
    });
  }

  /** Takes up what is pending and blocked in the store, and begins to work. */
  start(): void {
    const snapshot = this.#context.store.snapshot();
    this.#broker.pause(snapshot.get('schedulerConfiguration', 'scheduler')?.PauseEvalBroker ?? false);
    for (const evaluation of snapshot.by('evaluations', 'status', 'blocked')) this.#blocked.add(evaluation);
    for (const evaluation of snapshot.by('evaluations', 'status', 'pending')) this.#broker.add(evaluation);
    this.#workers = Array.from({ length: this.#options.workers * decisionsInFlight }, () =>
      runWorker(this.#context, this.#broker, this.#options.schedule),
    );
  }

  async stop(): Promise<void> {
    this.#broker.close();
    await Promise.all(this.#workers);
  }

  get counts(): {
    readonly ready: number;
    readonly inWork: number;
    readonly waiting: number;
    readonly blocked: number;
  } {
    return { ...this.#broker.counts, blocked: this.#blocked.size };
  }

  committed(commit: Commit): void {
    for (const [id, evaluation] of commit.changed('evaluations')) {
      this.#follow(evaluation ?? { ...commit.before('evaluations', id)!, Status: 'canceled' });
    }
    for (const [id, node] of commit.changed('nodes')) {
      if (node !== null && gotRoom(commit.before('nodes', id), node))
        this.#blocked.unblock(node.ComputedClass, commit.index);
    }
    for (const configuration of commit.changed('schedulerConfiguration').values())
      this.#broker.pause(configuration?.PauseEvalBroker ?? false);
    for (const name of commit.changed('namespaces').keys()) this.#blocked.unblockNamespace(name, commit.index);
    this.#freed(commit);
  }

  #follow(evaluation: Evaluation): void {
    if (evaluation.Status === 'pending') {
      this.#blocked.remove(evaluation.ID);
      this.#broker.add(evaluation);
    } else if (evaluation.Status === 'blocked') this.#blocked.add(evaluation);
    else {
      this.#blocked.remove(evaluation.ID);
      this.#broker.remove(evaluation);
    }
  }

  /** Allocations that ended leave room on their nodes; also those told to stop, which the scheduler does not count any more. */
  #freed(commit: Commit): void {
    const nodes = new Set<string>();
    for (const [id, allocation] of commit.changed('allocations')) {
      const before = commit.before('allocations', id);
      if (before === undefined || isTerminal(before)) continue;
      if (allocation === null || isTerminal(allocation) || isClientTerminal(allocation)) nodes.add(before.NodeID);
    }
    const snapshot = this.#context.store.snapshot();
    const classes = new Set([...nodes].map((id) => snapshot.get('nodes', id)?.ComputedClass ?? ''));
    for (const computedClass of classes) if (computedClass !== '') this.#blocked.unblock(computedClass, commit.index);
  }

  #cancel(evaluations: readonly Evaluation[], why: string): void {
    const cancelled = this.#context.write((draft) => {
      for (const { ID } of evaluations) {
        const evaluation = draft.get('evaluations', ID);
        if (evaluation === undefined || !['pending', 'blocked'].includes(evaluation.Status)) continue;
        putEvaluation(draft, { ...evaluation, Status: 'canceled', StatusDescription: why });
      }
    });
    this.#unless(cancelled, () => {
      for (const evaluation of evaluations) this.#broker.add(evaluation);
    });
  }

  /** What was to be written and could not be is done again in a while: nothing is forgotten because a disk was full. */
  #unless(write: Promise<unknown>, again: () => void): void {
    write.catch((error: unknown) => {
      this.#context.log.warn('the end of an evaluation could not be written', { reason: messageOf(error) });
      this.#context.clock.after(5000, again);
    });
  }
}

/** Has the node become one to place on, or other than it was where that matters for placing? */
function gotRoom(before: Node | undefined, node: Node): boolean {
  const usable = (one: Node): boolean => one.Status === 'ready' && one.SchedulingEligibility === 'eligible';
  if (!usable(node)) return false;
  if (before === undefined || !usable(before) || before.ComputedClass !== node.ComputedClass) return true;
  const room = (one: Node): string => JSON.stringify([one.NodeResources, one.ReservedResources]);
  return room(before) !== room(node);
}
