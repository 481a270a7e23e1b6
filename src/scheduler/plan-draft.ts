/** The plan in the making: stops and placements, and what they leave of the nodes and of the job's presence on them. */
import type { Allocation } from '../model/allocation.ts';
import type { AllocationMetric } from '../model/allocation-metric.ts';
import type { Evaluation } from '../model/evaluation.ts';
import type { Job } from '../model/job.ts';
import type { Node } from '../model/node.ts';
import type { RescheduleTracker } from '../model/reschedule-tracker.ts';
import type { TaskGroup } from '../model/task-group.ts';
import type { Feasibility } from './feasible/feasibility.ts';
import { isTerminal } from './fit.ts';
import { JobPresence } from './job-presence.ts';
import { addCounts, Findings, metricOf, withExhausted } from './metric.ts';
import { newAllocation } from './new-allocation.ts';
import { Rooms } from './node-room.ts';
import type { NodeSet, NodeSets } from './node-set.ts';
import type { Failures } from './outcome.ts';
import { oversubscribes } from './oversubscribes.ts';
import { NodeRing } from './rank/node-ring.ts';
import { type Choice, Placer } from './rank/placer.ts';
import type { SchedulerContext } from './scheduler.ts';

export interface Placement {
  readonly name: string;
  readonly previous: Allocation | null;
  readonly tracker: RescheduleTracker | null;
  readonly deploymentId: string;
  readonly canary: boolean;
}

export class PlanDraft {
  readonly #context: SchedulerContext;
  readonly #evaluation: Evaluation;
  readonly #job: Job | undefined;
  readonly #stops = new Map<string, Allocation>();
  readonly #placements = new Map<string, Allocation>();
  readonly #failures: { [group: string]: AllocationMetric } = {};
  readonly #placers = new Map<string, Placer>();
  readonly #rooms: Rooms;
  readonly presence = new JobPresence();
  readonly set: NodeSet;
  readonly #ring: NodeRing;

  constructor(
    evaluation: Evaluation,
    job: Job | undefined,
    allocations: readonly Allocation[],
    context: SchedulerContext,
    sets: NodeSets,
  ) {
    this.#context = context;
    this.#evaluation = evaluation;
    this.#job = job;
    this.#rooms = new Rooms(context.snapshot);
    this.set = job === undefined ? { nodes: [], classes: new Map(), available: {} } : sets.of(context.snapshot, job);
    this.#ring = new NodeRing(this.set.nodes, () => context.random());
    for (const allocation of allocations) if (!isTerminal(allocation)) this.#appear(allocation);
  }

  #appear(allocation: Allocation): void {
    const node = this.#context.snapshot.get('nodes', allocation.NodeID);
    if (node !== undefined) this.presence.add(allocation, node);
  }

  /** `job`: an older version that `group` is of. */
  placer(group: TaskGroup, job: Job = this.#job!): Placer {
    const key = job === this.#job ? group.Name : `${group.Name} of version ${job.Version}`;
    const found = this.#placers.get(key);
    if (found !== undefined) return found;
    const { snapshot } = this.#context;
    const configuration = snapshot.get('schedulerConfiguration', 'scheduler');
    const pool = snapshot.get('nodePools', job.NodePool)?.SchedulerConfiguration;
    const algorithm = pool?.SchedulerAlgorithm || configuration?.SchedulerAlgorithm;
    const placer = new Placer(
      {
        job,
        namespace: snapshot.get('namespaces', job.Namespace),
        set: this.set,
        ring: this.#ring,
        rooms: this.#rooms,
        presence: this.presence,
        algorithm: algorithm === 'spread' ? 'spread' : 'binpack',
        oversubscription: oversubscribes(snapshot, job),
        random: () => this.#context.random(),
      },
      group,
    );
    this.#placers.set(key, placer);
    return placer;
  }

  stop(allocation: Allocation, description: string, changes: Partial<Allocation> = {}): void {
    this.#rooms.stop(allocation);
    this.presence.remove(allocation.ID);
    this.#stops.set(allocation.ID, {
      ...allocation,
      DesiredStatus: 'stop',
      DesiredDescription: description,
      ModifyTime: this.#context.now,
      ...changes,
    });
  }

  /** Takes a stop back: nothing could take the allocation's place. */
  keep(allocation: Allocation): void {
    this.#stops.delete(allocation.ID);
    this.#rooms.keep(allocation);
    if (!isTerminal(allocation)) this.#appear(allocation);
  }

  /** The same allocation with other fields; it takes what it took. */
  update(allocation: Allocation): void {
    this.#placements.set(allocation.ID, { ...allocation, ModifyTime: this.#context.now });
  }

  place(
    group: TaskGroup,
    { node, resources, metric }: Choice,
    placement: Placement,
    job: Job = this.#job!,
  ): Allocation {
    const allocation = newAllocation({
      ...placement,
      id: this.#context.newId(),
      group: group.Name,
      job,
      namespace: this.#context.snapshot.get('namespaces', job.Namespace),
      evaluationId: this.#evaluation.ID,
      node,
      resources,
      metric,
      now: this.#context.now,
    });
    this.#placements.set(allocation.ID, allocation);
    this.#rooms.of(node).add(allocation);
    this.presence.add(allocation, node);
    return allocation;
  }

  hasFailed(group: TaskGroup): boolean {
    return this.#failures[group.Name] !== undefined;
  }

  /** One more allocation of the group has no place; the reasons are those of the first. */
  fail(group: TaskGroup, metric: AllocationMetric): void {
    const known = this.#failures[group.Name];
    const next = known === undefined ? metric : { ...known, CoalescedFailures: known.CoalescedFailures + 1 };
    this.#failures[group.Name] = withExhausted(next, group);
  }

  failAgain(group: TaskGroup): void {
    const known = this.#failures[group.Name];
    if (known !== undefined) this.fail(group, known);
  }

  /** A group has no place on one node of many: the reasons of all its nodes are added up. */
  failOn(group: TaskGroup, metric: AllocationMetric): void {
    const known = this.#failures[group.Name] ?? this.#metricOfAll(group);
    const { DimensionExhausted, ClassExhausted } = known;
    this.#failures[group.Name] = withExhausted(
      {
        ...known,
        CoalescedFailures: this.#failures[group.Name] === undefined ? 0 : known.CoalescedFailures + 1,
        NodesExhausted: known.NodesExhausted + metric.NodesExhausted,
        DimensionExhausted: addCounts(DimensionExhausted, metric.DimensionExhausted),
        ClassExhausted: addCounts(ClassExhausted, metric.ClassExhausted),
      },
      group,
    );
  }

  /** No node at all will do for a group. */
  failNowhere(group: TaskGroup): void {
    this.#failures[group.Name] = this.#metricOfAll(group);
  }

  #metricOfAll(group: TaskGroup): AllocationMetric {
    return metricOf(this.#job!.NodePool, this.set, this.placer(group).feasibility.filtered, new Findings(), null);
  }

  get failures(): Failures {
    return this.#failures;
  }

  get feasibilitiesOfFailures(): readonly Feasibility[] {
    return Object.keys(this.#failures).flatMap((name) => this.#placers.get(name)?.feasibility ?? []);
  }

  get stops(): readonly Allocation[] {
    return [...this.#stops.values()];
  }

  get placements(): readonly Allocation[] {
    return [...this.#placements.values()];
  }

  nodeOf(id: string): Node | undefined {
    return this.#context.snapshot.get('nodes', id);
  }
}
