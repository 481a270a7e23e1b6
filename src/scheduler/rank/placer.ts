/** Chooses a node for one allocation after the other of one task group. */
import type { AllocatedResources } from '../../model/allocated-resources.ts';
import type { AllocationMetric, NodeScoreMeta } from '../../model/allocation-metric.ts';
import type { Affinity } from '../../model/constraint.ts';
import type { Job } from '../../model/job.ts';
import type { Namespace } from '../../model/namespace.ts';
import type { Node } from '../../model/node.ts';
import type { TaskGroup } from '../../model/task-group.ts';
import { type DistinctRule, distinctRules } from '../feasible/distinct.ts';
import { type Feasibility, type FilterCounts, feasibility } from '../feasible/feasibility.ts';
import { groupRequirements } from '../feasible/requirements.ts';
import type { JobPresence } from '../job-presence.ts';
import { Findings, metricOf } from '../metric.ts';
import type { Rooms } from '../node-room.ts';
import type { NodeSet } from '../node-set.ts';
import { affinitiesOf, affinityScore } from './affinities.ts';
import { type Ask, askOf, take, useOn } from './ask.ts';
import type { NodeRing } from './node-ring.ts';
import { fitScore } from './score.ts';
import { type SpreadRule, spreadRules, spreadScore, spreadsOf } from './spreads.ts';

export interface PlacerContext {
  readonly job: Job;
  readonly namespace: Pick<Namespace, 'Isolation'> | undefined;
  readonly set: NodeSet;
  readonly ring: NodeRing;
  readonly rooms: Rooms;
  readonly presence: JobPresence;
  readonly algorithm: 'binpack' | 'spread';
  readonly oversubscription: boolean;
  random(): number;
}

export interface Wishes {
  /** Nodes on which this allocation failed before: others are better. */
  readonly penalties?: ReadonlySet<string>;
  /** Its data is there. */
  readonly preferred?: Node | undefined;
}

export interface Choice {
  readonly node: Node;
  readonly resources: AllocatedResources;
  readonly metric: AllocationMetric;
}

export interface NoChoice {
  readonly node: undefined;
  readonly metric: AllocationMetric;
}

interface Candidate {
  readonly node: Node;
  readonly scores: Scores;
  readonly score: number;
}

interface Scores {
  readonly fit: number;
  readonly antiAffinity: number;
  readonly penalty: number;
  readonly affinity: number;
  /** `undefined`: the group has no spread. */
  readonly spread: number | undefined;
}

/** Nodes with a score of zero or less are passed over, so many of them, in the hope of better ones. */
const maximumSkips = 3;
const nothingFiltered: FilterCounts = { nodes: 0, byReason: new Map(), byClass: new Map() };
const shownScores = 5;

export class Placer {
  readonly #context: PlacerContext;
  readonly #ask: Ask;
  readonly #distinct: readonly DistinctRule[];
  readonly #affinities: readonly Affinity[];
  readonly #spreads: readonly SpreadRule[];
  readonly #window: number;
  /** How many new nodes each placement looks at. */
  readonly #advance: number;
  /** On every node of the set. */
  readonly #isFeasibleEverywhere: boolean;
  readonly group: TaskGroup;
  readonly feasibility: Feasibility;

  constructor(context: PlacerContext, group: TaskGroup) {
    const { job, set, presence } = context;
    this.#context = context;
    this.group = group;
    this.#ask = askOf(group, context.oversubscription);
    this.feasibility = feasibility(set, groupRequirements(job, group, context.namespace));
    this.#distinct = distinctRules(job, group, presence);
    this.#affinities = affinitiesOf(job, group);
    this.#spreads = spreadRules(spreadsOf(job, group), group, (property) => presence.counts(group.Name, property));
    const comparesPlaces = this.#affinities.length + this.#spreads.length > 0;
    this.#window = windowOf(job, group, set.nodes.length, comparesPlaces);
    this.#advance = comparesPlaces ? 0 : Math.ceil(this.#window / 4);
    this.#isFeasibleEverywhere = !this.feasibility.escaped && this.feasibility.filtered.nodes === 0;
  }

  /** Nothing found: only the metric. The choice is not taken yet: that is the caller's (`rooms`, `presence`). */
  choose(wishes: Wishes = {}): Choice | NoChoice {
    const { set } = this.#context;
    const { preferred } = wishes;
    const there = preferred === undefined ? undefined : this.#consider(preferred, wishes, new Findings());
    const first =
      there === undefined
        ? undefined
        : this.#take([there], new Findings(), this.feasibility.filtered, set.nodes.length);
    if (first?.node !== undefined) return first;
    const found = new Findings();
    const candidates = this.#candidates(wishes, found, this.#window);
    const best = this.#take(candidates, found, this.feasibility.filtered, set.nodes.length);
    if (best.node !== undefined || candidates.length === 0) return best;
    // Those that were compared had no ports left: then any node that has some will do.
    const all = new Findings();
    const rest = this.#candidates(wishes, all, set.nodes.length);
    return this.#take(rest, all, this.feasibility.filtered, set.nodes.length);
  }

  /** For one given node: system jobs. */
  tryOn(node: Node): Choice | NoChoice {
    const found = new Findings();
    const reasons = this.feasibility.reasons(node);
    if (reasons.length > 0) found.filter(node.NodeClass, reasons);
    const candidate = reasons.length > 0 ? undefined : this.#consider(node, {}, found);
    return this.#take(candidate === undefined ? [] : [candidate], found, nothingFiltered, 1);
  }

  /** The best of them that has ports for it. */
  #take(candidates: Candidate[], found: Findings, before: FilterCounts, evaluated: number): Choice | NoChoice {
    const { job, set, rooms, random } = this.#context;
    candidates.sort((a, b) => b.score - a.score);
    const metric = (): AllocationMetric => {
      const scores = candidates.length === 0 ? null : candidates.slice(0, shownScores).map(scoreMeta);
      return { ...metricOf(job.NodePool, set, before, found, scores), NodesEvaluated: evaluated };
    };
    for (const { node } of candidates) {
      const resources = take(this.#ask, rooms.of(node), random);
      if (typeof resources !== 'string') return { node, resources, metric: metric() };
      found.exhaust(node.NodeClass, [resources]);
    }
    return { node: undefined, metric: { ...metric(), ScoreMetaData: null } };
  }

  #candidates(wishes: Wishes, found: Findings, window: number): Candidate[] {
    const candidates: Candidate[] = [];
    const skipped: Candidate[] = [];
    for (const node of this.#context.ring.walk(this.#advance)) {
      const candidate = this.#consider(node, wishes, found);
      if (candidate === undefined) continue;
      if (candidate.score <= 0 && skipped.length < maximumSkips) skipped.push(candidate);
      else candidates.push(candidate);
      if (candidates.length >= window) break;
    }
    return candidates.length >= window ? candidates : [...candidates, ...skipped];
  }

  #consider(node: Node, wishes: Wishes, found: Findings): Candidate | undefined {
    if (!this.#isFeasibleEverywhere && !this.feasibility.isFeasible(node)) return undefined;
    if (this.#distinct.length > 0) {
      const reasons = this.#distinct.map((rule) => rule(node)).filter((reason) => reason !== undefined);
      if (reasons.length > 0) {
        found.filter(node.NodeClass, reasons);
        return undefined;
      }
    }
    const room = this.#context.rooms.of(node);
    const use = useOn(this.#ask, room);
    if (!('cpu' in use)) {
      found.exhaust(node.NodeClass, use);
      return undefined;
    }
    const beside = this.#context.presence.ofGroup(node.ID, this.group.Name);
    const scores: Scores = {
      fit: fitScore(room, use, this.#context.algorithm),
      antiAffinity: beside === 0 ? 0 : -(beside + 1) / this.group.Count,
      penalty: wishes.penalties?.has(node.ID) ? -1 : 0,
      affinity: this.#affinities.length === 0 ? 0 : affinityScore(this.#affinities, node),
      spread: this.#spreads.length === 0 ? undefined : spreadScore(this.#spreads, node),
    };
    return { node, scores, score: mean(scores) };
  }
}

/** How many fitting nodes to compare: two are nearly as good as all (the power of two choices), log2 for those that are to stay. */
function windowOf(job: Job, group: TaskGroup, nodes: number, comparesPlaces: boolean): number {
  if (comparesPlaces) return Math.max(group.Count, 100);
  return job.Type === 'batch' ? 2 : Math.max(2, Math.ceil(Math.log2(Math.max(1, nodes))));
}

/** Of those that say anything. */
function mean({ fit, antiAffinity, penalty, affinity, spread }: Scores): number {
  let sum = fit;
  let count = 1;
  for (const score of [antiAffinity, penalty, affinity, spread ?? 0]) {
    sum += score;
    if (score !== 0) count++;
  }
  return sum / count;
}

function scoreMeta({ node, scores, score }: Candidate): NodeScoreMeta {
  return {
    NodeID: node.ID,
    Scores: {
      binpack: scores.fit,
      'job-anti-affinity': scores.antiAffinity,
      'node-reschedule-penalty': scores.penalty,
      'node-affinity': scores.affinity,
      ...(scores.spread !== undefined && { 'allocation-spread': scores.spread }),
    },
    NormScore: score,
  };
}
