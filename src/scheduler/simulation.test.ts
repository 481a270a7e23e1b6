import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jobId } from '../model/job-id.ts';
import type { Input } from '../model/schema.ts';
import type { TaskGroup } from '../model/task-group.ts';
import { isTerminal } from './fit.ts';
import { isActive } from './reconcile/deployments.ts';
import { TestCluster, testJob, testNode } from './test-cluster.ts';

const types = ['service', 'service', 'batch', 'system', 'sysbatch'] as const;

/** A cluster to which something happens at every step; clients and the evaluations that follow keep up more or less. */
class Simulation {
  readonly cluster: TestCluster;
  readonly log: string[] = [];
  #nodes = 0;

  constructor(seed: number) {
    this.cluster = new TestCluster(seed);
    for (let at = 0; at < 4; at++) this.#addNode();
  }

  #below(count: number): number {
    return Math.floor(this.cluster.random() * count);
  }

  #pick<T>(items: Iterable<T>): T | undefined {
    const all = [...items];
    return all[this.#below(all.length)];
  }

  #addNode(): void {
    const at = this.#nodes++;
    this.cluster.putNode(testNode(`n${at}`, { Meta: { rack: `r${at % 3}` }, Datacenter: `dc${1 + (at % 2)}` }));
  }

  #group(): Input<TaskGroup> {
    const Resources = { CPU: 100 * (1 + this.#below(15)), MemoryMB: 128 * (1 + this.#below(8)) };
    const cores = this.#below(8) === 0 ? { Cores: 1, CPU: null } : {};
    const ports = {
      Networks: [{ DynamicPorts: [{ Label: 'a' }], ReservedPorts: [{ Label: 'b', Value: 8000 + this.#below(3) }] }],
    };
    const distinct = { Constraints: [{ LTarget: '', Operand: 'distinct_hosts', RTarget: 'true' }] };
    return {
      Count: this.#below(8),
      Tasks: [
        { Name: 't', Driver: 'mock_driver', Env: { V: String(this.#below(3)) }, Resources: { ...Resources, ...cores } },
      ],
      Update: { MaxParallel: this.#below(4), Canary: this.#below(2) * this.#below(5) },
      ...(this.#below(3) === 0 && ports),
      ...(this.#below(5) === 0 && distinct),
      ...(this.#below(6) === 0 && { EphemeralDisk: { Sticky: true } }),
    };
  }

  #register(): string {
    const at = this.#below(8);
    const type = types[at % types.length]!;
    const isSystem = type === 'system' || type === 'sysbatch';
    const { Update, ...group } = this.#group();
    const job = testJob(
      `job${at}`,
      { ...group, ...(isSystem && { Count: 1 }), ...(type === 'service' && { Update: Update! }) },
      { Type: type, Datacenters: [this.#below(4) === 0 ? 'dc1' : '*'], Stop: this.#below(8) === 0 },
    );
    const { evaluation } = this.cluster.register(job);
    return `register ${job.ID} (${type}) → ${evaluation.Status}`;
  }

  #evaluateAll(): void {
    for (const job of [...this.cluster.rows.jobs.values()]) this.cluster.evaluate(job, { TriggeredBy: 'node-update' });
  }

  #change(): string {
    const { cluster } = this;
    const node = this.#pick(cluster.rows.nodes.values())!;
    const allocation = this.#pick([...cluster.rows.allocations.values()].filter((each) => !isTerminal(each)));
    switch (this.#below(10)) {
      case 0:
        this.#addNode();
        return 'a node comes';
      case 1:
        cluster.putNode({ ...node, Status: node.Status === 'down' ? 'ready' : 'down' });
        return `${node.ID} changes its status`;
      case 2:
        cluster.putNode({
          ...node,
          SchedulingEligibility: node.SchedulingEligibility === 'eligible' ? 'ineligible' : 'eligible',
        });
        return `${node.ID} changes its eligibility`;
      case 3:
        for (const each of [...cluster.rows.allocations.values()]) {
          if (each.NodeID === node.ID && each.DesiredStatus === 'run') {
            cluster.report(each.ID, { DesiredTransition: { ...each.DesiredTransition, Migrate: true } });
          }
        }
        cluster.putNode({ ...node, SchedulingEligibility: 'ineligible' });
        return `${node.ID} drains`;
      case 4:
      case 5:
        if (allocation !== undefined) {
          cluster.report(cluster.fail(allocation.ID).ID, cluster.health(allocation.ID, false));
        }
        return 'an allocation fails';
      case 6:
        if (allocation !== undefined) cluster.report(allocation.ID, { ClientStatus: 'complete' });
        return 'an allocation ends';
      case 7:
        return this.#moveDeployment();
      default:
        return this.#register();
    }
  }

  /** A user promotes, pauses, resumes or fails one. */
  #moveDeployment(): string {
    const { deployments } = this.cluster.rows;
    const deployment = this.#pick([...deployments.values()].filter(isActive));
    if (deployment === undefined) return 'no deployment goes on';
    const Status = (['promoted', 'promoted', 'paused', 'running', 'failed'] as const)[this.#below(5)]!;
    if (Status === 'promoted') this.cluster.promote(deployment);
    else deployments.set(deployment.ID, { ...deployment, Status });
    return `the deployment ${deployment.ID} is ${Status}`;
  }

  step(): void {
    const { cluster } = this;
    cluster.now += this.#below(40) * 1e9;
    this.log.push(this.#change());
    this.#evaluateAll();
    for (const evaluation of [...cluster.rows.evaluations.values()]) {
      const isDue = evaluation.Status === 'pending' && Date.parse(evaluation.WaitUntil) * 1e6 <= cluster.now;
      if (isDue || (evaluation.Status === 'blocked' && this.#below(2) === 0)) cluster.run(evaluation);
    }
    if (this.#below(3) > 0) cluster.settle();
  }

  /** Nothing happens any more, and all that was to happen has: every service has what it wants, or says why not. */
  come(): void {
    const { cluster } = this;
    for (let round = 0; round < 40; round++) {
      cluster.settle();
      cluster.now += 3600e9;
      for (const deployment of [...cluster.rows.deployments.values()].filter(isActive)) {
        cluster.rows.deployments.set(deployment.ID, { ...deployment, Status: 'running' });
        cluster.promote(deployment);
      }
      this.#evaluateAll();
    }
  }

  unserved(): readonly string[] {
    const problems: string[] = [];
    for (const job of this.cluster.rows.jobs.values()) {
      if (job.Type !== 'service') continue;
      const wanted = job.Stop ? 0 : job.TaskGroups[0]!.Count;
      const live = this.cluster.live(job.ID);
      // what failed is not tried any further until there is a new version
      const latest = [...this.cluster.rows.deployments.values()].filter(({ JobID }) => JobID === job.ID).at(-1);
      const isStuck = latest?.Status === 'failed' && latest.JobVersion === job.Version;
      const excused = this.cluster.evaluate(job).failures['g'] !== undefined || (isStuck && !job.Stop);
      if (live.length !== wanted && !excused) problems.push(`${job.ID}: ${live.length} of ${wanted}`);
      if (!excused && live.some(({ JobVersion }) => JobVersion !== job.Version))
        problems.push(`${job.ID}: an old version runs`);
    }
    return problems;
  }
}

describe('a cluster to which anything happens', () => {
  it.each([1, 2, 3, 4, 5, 6])(
    'never has too much on a node, a port twice or more than was asked for (seed %i)',
    (seed) => {
      const simulation = new Simulation(seed);
      for (let step = 0; step < 120; step++) {
        simulation.step();
        const violations = simulation.cluster.violations();
        expect(violations, simulation.log.slice(-5).join('\n')).toEqual([]);
      }
      simulation.come();
      expect(simulation.cluster.violations()).toEqual([]);
      expect(simulation.unserved()).toEqual([]);
    },
  );

  it('is the same again for the same seed', () => {
    const history = (): unknown => {
      const simulation = new Simulation(42);
      for (let step = 0; step < 40; step++) simulation.step();
      return [
        simulation.log,
        [...simulation.cluster.rows.allocations.values()],
        [...simulation.cluster.rows.evaluations.values()],
      ];
    };
    expect(history()).toEqual(history());
  });
});

describe('a plan', () => {
  const cpu = fc.integer({ min: 1, max: 3000 });
  const group = fc.record({
    cpu,
    memory: fc.integer({ min: 10, max: 6000 }),
    count: fc.integer({ min: 0, max: 12 }),
    ports: fc.integer({ min: 0, max: 3 }),
  });

  it('fits on its nodes, has every name once, and says what it left out', () => {
    fc.assert(
      fc.property(
        fc.array(group, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 6 }),
        fc.integer(),
        (groups, nodes, seed) => {
          const cluster = new TestCluster(seed);
          cluster.addNodes(nodes);
          const job = testJob(
            'web',
            {},
            {
              TaskGroups: groups.map((each, at) => ({
                Name: `g${at}`,
                Count: each.count,
                Tasks: [{ Name: 't', Driver: 'mock_driver', Resources: { CPU: each.cpu, MemoryMB: each.memory } }],
                Networks: [{ DynamicPorts: Array.from({ length: each.ports }, (_, port) => ({ Label: `p${port}` })) }],
              })),
            },
          );
          const { plan, evaluation } = cluster.register(job);
          expect(cluster.violations()).toEqual([]);
          for (const [at, each] of groups.entries()) {
            const placed = plan.placements.filter(({ TaskGroup }) => TaskGroup === `g${at}`).length;
            expect(placed + evaluation.QueuedAllocations![`g${at}`]!).toBe(each.count);
          }
          expect(Object.keys(evaluation.FailedTGAllocs ?? {}).length > 0).toBe(
            Object.values(evaluation.QueuedAllocations!).some((left) => left > 0),
          );
          expect(new Set(plan.placements.map(({ Name }) => Name)).size).toBe(plan.placements.length);
          expect(cluster.rows.jobs.has(jobId('default', 'web'))).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });
});
