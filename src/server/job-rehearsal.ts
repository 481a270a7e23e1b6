/**
 * What nodes would refuse of a job's starts, asked of each that would take it. Many are asked side by side; who has not answered when the time
 * is over is said to be not asked.
 */
import { setMaxListeners } from 'node:events';
import { abortable } from '../lib/abortable.ts';
import { Fault, messageOf } from '../lib/fault.ts';
import { Turns } from '../lib/turns.ts';
import type { Job } from '../model/job.ts';
import type { JobExplanation, TaskPrediction } from '../model/job-explanation.ts';
import type { Node } from '../model/node.ts';
import type { RehearsalAnswer, TaskRehearsal } from '../model/rehearsal.ts';
import type { ExplainedJob, Place } from '../scheduler/explain-job.ts';
import { newAllocation } from '../scheduler/new-allocation.ts';
import type { ServerContext } from './context.ts';
import type { NodeConnection } from './node-connection.ts';

/** Of all that explain at the same time. */
const atOnce = 32;
const limitMs = 15_000;

/** What a node said, or why it was not asked. */
type Said = RehearsalAnswer | string;

export class JobRehearsal {
  readonly #context: ServerContext;
  readonly #nodes: NodeConnection;
  readonly #turns = new Turns(atOnce);

  constructor(context: ServerContext, nodes: NodeConnection) {
    this.#context = context;
    this.#nodes = nodes;
  }

  /** The explanation with what each node in it says. `caller`: nobody is asked any more once it fires. */
  async completed(job: Job, { explanation, places }: ExplainedJob, caller: AbortSignal): Promise<JobExplanation> {
    const limit = new AbortController();
    const cancel = this.#context.clock.after(limitMs, () => limit.abort());
    const signal = AbortSignal.any([caller, limit.signal]);
    setMaxListeners(0, signal);
    try {
      const said = await this.#answers(job, places, signal);
      caller.throwIfAborted();
      return withAnswers(explanation, said);
    } finally {
      cancel();
    }
  }

  async #answers(job: Job, places: readonly Place[], signal: AbortSignal): Promise<ReadonlyMap<string, Said>> {
    const byNode = new Map<Node, Place[]>();
    for (const place of places) byNode.set(place.node, [...(byNode.get(place.node) ?? []), place]);
    const asked = ofEachClassFirst([...byNode.keys()]).map(
      async (node) => [node.ID, await this.#turns.run(() => this.#ask(job, byNode.get(node)!, signal))] as const,
    );
    return new Map(await Promise.all(asked));
  }

  async #ask(job: Job, places: readonly Place[], signal: AbortSignal): Promise<Said> {
    const { node } = places[0]!;
    try {
      signal.throwIfAborted();
      const ask = { Job: job, Allocations: this.#allocations(job, places) };
      return await abortable(this.#nodes.rehearse(node, ask, signal), signal);
    } catch (error) {
      return signal.aborted ? `no answer within ${limitMs / 1000} s` : messageOf(error);
    }
  }

  #allocations(job: Job, places: readonly Place[]) {
    const namespace = this.#context.store.snapshot().get('namespaces', job.Namespace);
    return places.map(({ node, group, resources }) =>
      newAllocation({
        ...{ id: this.#context.newId(), name: `${job.ID}.${group.Name}[0]`, group: group.Name },
        ...{ job, namespace, node, resources, now: this.#context.clock.now() },
        ...{ evaluationId: '', metric: null, previous: null, tracker: null, deploymentId: '', canary: false },
      }),
    );
  }
}

export const asksNobody: NodeConnection = {
  rehearse: async () => {
    throw new Fault('unsupported', 'this server asks no nodes');
  },
};

/** Where the time is too short for all, something is known of each kind of node. */
function ofEachClassFirst(nodes: readonly Node[]): readonly Node[] {
  const seen = new Map<string, number>();
  const ranked = nodes.map((node) => {
    const rank = seen.get(node.ComputedClass) ?? 0;
    seen.set(node.ComputedClass, rank + 1);
    return { node, rank };
  });
  return ranked.sort((one, other) => one.rank - other.rank).map(({ node }) => node);
}

function withAnswers(explanation: JobExplanation, said: ReadonlyMap<string, Said>): JobExplanation {
  const Groups = explanation.Groups.map((group) => ({
    ...group,
    Nodes: group.Nodes.map((node) => {
      const answer = node.Reasons.length > 0 ? undefined : said.get(node.NodeID);
      if (answer === undefined) return node;
      return { ...node, Tasks: node.Tasks.map((task) => ({ ...task, ...rowOf(answer, group.Name, task) })) };
    }),
  }));
  return { ...explanation, Groups };
}

function rowOf(said: Said, group: string, { Name }: Pick<TaskPrediction, 'Name'>): Omit<TaskRehearsal, 'Name'> {
  if (typeof said === 'string') return { Refusals: [], NotAsked: said };
  const tasks = said.Groups.find((each) => each.Name === group)?.Tasks;
  const row = tasks?.find((each) => each.Name === Name);
  if (row === undefined) return { Refusals: [], NotAsked: 'the node said nothing of it' };
  return { Refusals: row.Refusals, NotAsked: row.NotAsked };
}
