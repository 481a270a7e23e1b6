import { describe, expect, it } from 'vitest';
import type { Job } from '../../model/job.ts';
import type { Input } from '../../model/schema.ts';
import type { TaskGroup } from '../../model/task-group.ts';
import { TestCluster, testJob, testNode } from '../test-cluster.ts';

const system = (command = 'a', group: Input<TaskGroup> = {}, job: Input<Job> = {}) =>
  testJob(
    'web',
    { Tasks: [{ Name: 't', Driver: 'mock_driver', Config: { command } }], ...group },
    { Type: 'system', ...job },
  );
const nodes = (cluster: TestCluster) =>
  cluster
    .live('web')
    .map(({ NodeID }) => NodeID)
    .sort();
const job = (cluster: TestCluster): Job => [...cluster.rows.jobs.values()][0]!;

function running(made = system()): TestCluster {
  const cluster = new TestCluster();
  cluster.addNodes(3);
  cluster.register(made);
  cluster.settle();
  return cluster;
}

describe('a system job', () => {
  it('is on every node, under one name, and on each that comes', () => {
    const cluster = running();
    expect(nodes(cluster)).toEqual(['node-0', 'node-1', 'node-2']);
    expect(cluster.live('web').map(({ Name }) => Name)).toEqual(Array(3).fill('web.g[0]'));
    cluster.putNode(testNode('new'));
    const { plan } = cluster.evaluate(job(cluster));
    expect(plan.placements.map(({ NodeID }) => NodeID)).toEqual(['new']);
    expect(plan.annotations!.DesiredTGUpdates!['g']).toMatchObject({ Place: 1, Ignore: 3 });
    expect(plan.deployment).toBeNull();
  });

  it('is not on nodes that will not do, and that is no failure', () => {
    const cluster = new TestCluster();
    cluster.addNodes(1);
    cluster.putNode(testNode('win', { Attributes: { 'kernel.name': 'windows' } }));
    const { evaluation, plan, followUps } = cluster.register(
      system('a', { Constraints: [{ LTarget: '${attr.kernel.name}', Operand: '=', RTarget: 'linux' }] }),
    );
    expect(nodes(cluster)).toEqual(['node-0']);
    expect([evaluation.FailedTGAllocs, followUps]).toEqual([null, []]);
    expect(plan.annotations!.DesiredTGUpdates!['g']!.Place).toBe(1);
  });

  it('says why it is nowhere', () => {
    const cluster = new TestCluster();
    cluster.addNodes(2);
    const { evaluation, followUps } = cluster.register(system('a', { Tasks: [{ Name: 't', Driver: 'docker' }] }));
    expect(evaluation.FailedTGAllocs!['g']).toMatchObject({
      NodesFiltered: 2,
      ConstraintFiltered: { 'missing drivers': 2 },
    });
    expect(followUps).toEqual([]);
  });

  it('waits for room on nodes that are full', () => {
    const cluster = new TestCluster();
    cluster.addNodes(2);
    cluster.register(testJob('big', { Tasks: [{ Name: 't', Driver: 'mock_driver', Resources: { CPU: 4000 } }] }));
    const { evaluation, followUps } = cluster.register(system());
    expect(nodes(cluster)).toHaveLength(1);
    expect(evaluation).toMatchObject({
      QueuedAllocations: { g: 1 },
      FailedTGAllocs: { g: { NodesEvaluated: 2, DimensionExhausted: { cpu: 1 } } },
    });
    expect(followUps).toMatchObject([{ Status: 'blocked', Type: 'system' }]);
  });

  it('stops with a word when it is stopped', () => {
    const cluster = running();
    const { plan } = cluster.register({ ...system(), Stop: true });
    expect(plan.stops.map(({ DesiredDescription }) => DesiredDescription)).toEqual(
      Array(3).fill('alloc not needed due to job update'),
    );
    expect(plan.placements).toEqual([]);
  });

  it('is updated a few nodes at a time, the next by an evaluation that waits', () => {
    const update = { Update: { MaxParallel: 2, Stagger: 5e9 } };
    const cluster = running(system('a', {}, update));
    const { plan, evaluation, followUps } = cluster.register(system('b', {}, update));
    expect(plan.annotations!.DesiredTGUpdates!['g']).toMatchObject({ DestructiveUpdate: 2, Ignore: 1 });
    expect(followUps).toMatchObject([
      { ID: evaluation.NextEval, TriggeredBy: 'rolling-update', Wait: 5e9, PreviousEval: evaluation.ID },
    ]);
    expect(cluster.evaluate(job(cluster)).plan.placements).toEqual([]);
    const next = cluster.run(followUps[0]!);
    expect(next.plan.placements).toHaveLength(1);
    expect(next.followUps).toEqual([]);
    expect(cluster.live('web').every(({ JobVersion }) => JobVersion === 1)).toBe(true);
  });

  it('changes in place what needs no restart', () => {
    const cluster = running();
    const { plan } = cluster.register({ ...system(), Priority: 70 });
    expect([plan.stops.length, plan.placements.length]).toEqual([0, 3]);
    expect(plan.annotations!.DesiredTGUpdates!['g']).toMatchObject({ InPlaceUpdate: 3 });
  });

  it('is lost with its node, stays on one that only takes no new work, and leaves one that drains', () => {
    const cluster = running();
    cluster.putNode({ ...cluster.rows.nodes.get('node-0')!, Status: 'down' });
    cluster.putNode({ ...cluster.rows.nodes.get('node-1')!, SchedulingEligibility: 'ineligible' });
    const drained = cluster.live('web').find(({ NodeID }) => NodeID === 'node-2')!;
    cluster.report(drained.ID, { DesiredTransition: { ...drained.DesiredTransition, Migrate: true } });
    cluster.putNode({
      ...cluster.rows.nodes.get('node-2')!,
      SchedulingEligibility: 'ineligible',
      DrainStrategy: {} as never,
    });
    const { plan } = cluster.evaluate(job(cluster));
    expect(plan.stops.map(({ NodeID, ClientStatus }) => [NodeID, ClientStatus]).sort()).toEqual([
      ['node-0', 'lost'],
      ['node-2', 'running'],
    ]);
    expect(nodes(cluster)).toEqual(['node-1']);
  });

  it('leaves a node that is not in its datacenters any more', () => {
    const cluster = running();
    cluster.putNode({ ...cluster.rows.nodes.get('node-0')!, Datacenter: 'dc2' });
    cluster.register(system('a', {}, { Datacenters: ['dc1'] }));
    expect(nodes(cluster)).toEqual(['node-1', 'node-2']);
  });

  it('begins again where it ended', () => {
    const cluster = running();
    const ended = cluster.fail(cluster.live('web')[0]!.ID);
    const { plan } = cluster.evaluate(job(cluster));
    expect(plan.placements).toMatchObject([{ NodeID: ended.NodeID, PreviousAllocation: ended.ID }]);
  });
});

describe('a sysbatch job', () => {
  it('runs once on each node, well or not, and again as a new version', () => {
    const cluster = running(system('a', {}, { Type: 'sysbatch' }));
    const [first, second] = cluster.live('web');
    cluster.report(first!.ID, { ClientStatus: 'complete' });
    cluster.fail(second!.ID);
    expect(cluster.evaluate(job(cluster)).plan.placements).toEqual([]);
    cluster.putNode(testNode('new'));
    expect(cluster.evaluate(job(cluster)).plan.placements.map(({ NodeID }) => NodeID)).toEqual(['new']);
    cluster.register(system('b', {}, { Type: 'sysbatch' }));
    expect(nodes(cluster)).toHaveLength(4);
  });
});
