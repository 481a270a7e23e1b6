/** Floors of isolation wherever else than at a first placement: drains, other kinds of jobs, new tries, updates. Controls: a node that keeps the floor. */
import { describe, expect, it } from 'vitest';
import type { Allocation } from '../model/allocation.ts';
import { fill } from '../model/fill.ts';
import { abilityAttributes } from '../model/isolation-ability.ts';
import { linesOf } from '../model/isolation-ladder.ts';
import type { Job } from '../model/job.ts';
import { jobId } from '../model/job-id.ts';
import { Namespace } from '../model/namespace.ts';
import type { Input } from '../model/schema.ts';
import { TestCluster, testJob, testNode } from './test-cluster.ts';

const base = testNode('x').Attributes!;
const sandbox = new Set([...linesOf.process, ...linesOf.sandbox]);
const process = new Set(linesOf.process);
const able = (lines: ReadonlySet<string>, more: Readonly<Record<string, string>> = {}) => ({
  Attributes: {
    ...base,
    ...abilityAttributes('mock_driver', { ownNetwork: lines, hostNetwork: lines, unasked: null }),
    ...more,
  },
});

/** Nodes `s…` keep a floor of `sandbox`, nodes `p…` one of `process`. */
function cluster(...names: readonly string[]): TestCluster {
  const made = new TestCluster();
  for (const name of names) made.putNode(testNode(name, able(name.startsWith('s') ? sandbox : process)));
  return made;
}

const floor = { Isolation: { Min: 'sandbox' } };
const where = (made: TestCluster, job: string): readonly string[] =>
  made
    .live(job)
    .map(({ NodeID }) => NodeID)
    .sort();
const open = (made: TestCluster, job: Job) =>
  [...made.rows.evaluations.values()].filter(({ JobID, Status }) => JobID === job.ID && Status === 'blocked');

function drain(made: TestCluster, node: string): void {
  const row = made.rows.nodes.get(node)!;
  made.putNode({ ...row, SchedulingEligibility: 'ineligible', DrainStrategy: { Deadline: 0 } as never });
  for (const { ID, NodeID } of made.rows.allocations.values())
    if (NodeID === node)
      made.report(ID, { DesiredTransition: { ...made.allocation(ID).DesiredTransition, Migrate: true } });
}

const demand = (made: TestCluster, Min: string, Mode = 'enforce') =>
  made.rows.namespaces.set('default', fill(Namespace, { Name: 'default', Isolation: { Mode, Min } }));

describe('a floor', () => {
  it('holds for what a drain moves: it waits for a node that keeps it, and takes none that does not', () => {
    const made = cluster('s1', 'p1', 'p2');
    const job = made.putJob(testJob('web', { Count: 2, ...floor }));
    made.evaluate(job);
    made.settle();
    drain(made, 's1');
    const { failures } = made.evaluate(job, { TriggeredBy: 'node-drain' });
    expect(where(made, 'web')).toEqual([]);
    expect(Object.keys(failures['g']!.ConstraintFiltered ?? {})).toEqual([expect.stringMatching(/demands "sandbox"/)]);
    const [waiting] = open(made, job);
    made.putNode(testNode('s2', able(sandbox)));
    made.run(waiting!);
    expect(where(made, 'web')).toEqual(['s2', 's2']);
  });

  it.each(['system', 'sysbatch'])(
    'of a %s job leaves out the nodes below it, and takes them once they keep it',
    (Type) => {
      const made = cluster('s1', 'p1');
      const job = made.putJob(testJob('everywhere', floor, { Type }));
      made.evaluate(job);
      expect(where(made, 'everywhere')).toEqual(['s1']);
      made.putNode(testNode('p1', able(sandbox)));
      made.evaluate(job, { TriggeredBy: 'node-update', NodeID: 'p1' });
      expect(where(made, 'everywhere')).toEqual(['p1', 's1']);
      // what runs stays where a mechanism was lost: it keeps what it has
      made.putNode(testNode('s1', able(process)));
      made.evaluate(job, { TriggeredBy: 'node-update', NodeID: 's1' });
      expect(where(made, 'everywhere')).toEqual(['p1', 's1']);
      // but a new try of it is none there
      const [lost] = made.live('everywhere').filter(({ NodeID }) => NodeID === 's1');
      made.fail(lost!.ID);
      made.evaluate(job, { TriggeredBy: 'alloc-failure' });
      expect(where(made, 'everywhere')).toEqual(['p1']);
    },
  );

  it('holds for each new try of a batch job, wherever it failed before', () => {
    const made = cluster('s1', 'p1');
    const ReschedulePolicy = { Attempts: 3, Interval: 3600e9, Delay: 5e9, DelayFunction: 'constant', Unlimited: false };
    const job = made.putJob(testJob('work', { ReschedulePolicy, ...floor }, { Type: 'batch' }));
    made.evaluate(job);
    made.fail(made.live('work')[0]!.ID);
    const { followUps } = made.evaluate(job, { TriggeredBy: 'alloc-failure' });
    made.now += 6e9;
    made.run(followUps[0]!);
    // a node that it failed on is the only one that may have it
    expect(where(made, 'work')).toEqual(['s1']);
  });

  it('that was raised leaves what runs alone where no node keeps it, in an update and with canaries', () => {
    for (const Canary of [0, 1]) {
      const made = cluster('p1', 'p2');
      const Update = { MaxParallel: 1, Canary, HealthCheck: 'task_states' };
      const before = made.putJob(testJob('web', { Count: 2, Update }));
      made.evaluate(before);
      made.settle();
      const running = made.live('web').map(({ ID }) => ID);
      const raised = made.putJob(testJob('web', { Count: 2, Update, ...floor }));
      made.evaluate(raised);
      expect(made.live('web').map(({ ID }) => ID)).toEqual(running);
      made.putNode(testNode('s1', able(sandbox)));
      made.run(open(made, raised)[0]!);
      const added = made.live('web').filter(({ ID }) => !running.includes(ID));
      expect(added.map(({ NodeID, DeploymentStatus }) => [NodeID, DeploymentStatus?.Canary ?? false])).toEqual([
        ['s1', Canary === 1],
      ]);
    }
  });

  it('is the highest of job, group, task and their metadata, and of the namespace and the node', () => {
    const levels: readonly ((value: Input<Job>) => [Input<Job['TaskGroups'][number]>, Input<Job>])[] = [
      (wanted) => [{}, wanted],
      (wanted) => [wanted as never, {}],
      (wanted) => [{ Tasks: [{ Name: 't', Driver: 'mock_driver', ...(wanted as object) }] }, {}],
    ];
    const ways: readonly Input<Job>[] = [
      { Isolation: { Min: 'sandbox' } },
      { Meta: { drover_isolation_min: 'sandbox' } },
    ];
    for (const level of levels)
      for (const way of ways) {
        const made = cluster('s1', 'p1');
        demand(made, 'process');
        const [group, job] = level(way);
        // what another level says that is lower takes nothing away
        const lower = { Meta: { drover_isolation_min: 'none', ...job.Meta } };
        made.register(testJob('web', { Count: 3, ...group }, { ...job, ...lower }));
        expect(new Set(where(made, 'web'))).toEqual(new Set(['s1']));
      }
  });

  it('of a namespace holds for what is started by others: children of periodic and of parameterised jobs', () => {
    const made = cluster('s1', 'p1');
    demand(made, 'sandbox');
    for (const ID of ['tick/periodic-1700000000', 'call/dispatch-1700000000-01234567'])
      made.register(testJob(ID, { Count: 2 }, { Type: 'batch', ParentID: ID.split('/')[0]! }));
    const found: readonly Allocation[] = [...made.rows.allocations.values()];
    expect(found.map(({ NodeID }) => NodeID)).toEqual(['s1', 's1', 's1', 's1']);
    expect(found.every(({ NamespaceIsolation }) => NamespaceIsolation?.Min === 'sandbox')).toBe(true);
  });

  it('of a namespace that was raised moves what an update would else leave in place, or leaves it where nothing keeps it', () => {
    const made = cluster('p1');
    made.evaluate(made.putJob(testJob('web', { Count: 1 })));
    made.settle();
    const [running] = made.live('web');
    demand(made, 'sandbox');
    const more = made.putJob(testJob('web', { Count: 2 }));
    made.evaluate(more);
    expect(made.live('web').map(({ ID }) => ID)).toEqual([running!.ID]);
    made.putNode(testNode('s1', able(sandbox)));
    made.run(open(made, more)[0]!);
    // one after the other, as its update has it
    expect(where(made, 'web')).toEqual(['p1', 's1']);
    made.settle();
    made.evaluate(more);
    expect(where(made, 'web')).toEqual(['s1', 's1']);
    expect(made.rows.jobs.get(jobId('default', 'web'))!.Version).toBe(1);
  });

  it('of a node that was raised counts for what comes, also in place of what runs there', () => {
    const made = cluster('p1');
    made.evaluate(made.putJob(testJob('web', { Count: 1 })));
    made.settle();
    const [running] = made.live('web');
    made.putNode(testNode('p1', able(process, { 'client.isolation.min': 'sandbox' })));
    const job = made.rows.jobs.get(jobId('default', 'web'))!;
    made.evaluate(job, { TriggeredBy: 'node-update' });
    expect(made.live('web').map(({ ID }) => ID)).toEqual([running!.ID]);
    made.fail(running!.ID);
    const { failures } = made.evaluate(job, { TriggeredBy: 'alloc-failure' });
    made.now += 3600e9;
    const again = made.evaluate(job, { TriggeredBy: 'alloc-failure' });
    const reasons = { ...failures['g']?.ConstraintFiltered, ...again.failures['g']?.ConstraintFiltered };
    expect(Object.keys(reasons)).toEqual([expect.stringMatching(/the node demands of task "t" "sandbox"/)]);
  });
});
