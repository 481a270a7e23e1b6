import { describe, expect, it } from 'vitest';
import type { Allocation } from '../../model/allocation.ts';
import type { Job } from '../../model/job.ts';
import type { Input } from '../../model/schema.ts';
import type { TaskGroup } from '../../model/task-group.ts';
import { TestCluster, testJob, testNode } from '../test-cluster.ts';

const second = 1e9;
const withCommand = (command: string, group: Input<TaskGroup> = {}): Job =>
  testJob('web', { Tasks: [{ Name: 't', Driver: 'mock_driver', Config: { command } }], ...group });

function running(count: number, group: Input<TaskGroup> = {}, nodes = 3): TestCluster {
  const cluster = new TestCluster();
  cluster.addNodes(nodes);
  cluster.register(withCommand('a', { Count: count, ...group }));
  cluster.settle();
  succeed(cluster);
  return cluster;
}

function succeed(cluster: TestCluster): void {
  for (const [id, deployment] of cluster.rows.deployments) {
    cluster.rows.deployments.set(id, { ...deployment, Status: 'successful' });
  }
}

const job = (cluster: TestCluster): Job => [...cluster.rows.jobs.values()][0]!;
const names = (cluster: TestCluster): readonly string[] => cluster.live('web').map(({ Name }) => Name);
const migrate = (allocation: Allocation) => ({ DesiredTransition: { ...allocation.DesiredTransition, Migrate: true } });

describe('a service job', () => {
  it('is left alone where nothing changed', () => {
    const cluster = running(3);
    const { plan, evaluation } = cluster.evaluate(job(cluster), { TriggeredBy: 'node-update' });
    expect([plan.stops, plan.placements, plan.deployment]).toEqual([[], [], null]);
    expect(plan.annotations!.DesiredTGUpdates!['g']).toMatchObject({ Ignore: 3, Place: 0 });
    expect(evaluation.QueuedAllocations).toEqual({ g: 0 });
  });

  it('stops with a word when it is stopped, and when it is purged', () => {
    const cluster = running(2);
    const { plan, evaluation } = cluster.register({ ...job(cluster), Stop: true });
    expect(plan.stops.map(({ DesiredStatus, DesiredDescription }) => [DesiredStatus, DesiredDescription])).toEqual([
      ['stop', 'alloc not needed due to job update'],
      ['stop', 'alloc not needed due to job update'],
    ]);
    expect(evaluation).toMatchObject({ Status: 'complete', FailedTGAllocs: null, QueuedAllocations: { g: 0 } });
    const purged = running(2);
    const gone = job(purged);
    purged.rows.jobs.clear();
    expect(purged.evaluate(gone).plan.stops).toHaveLength(2);
  });

  it('shrinks from the highest name and grows into the lowest free ones', () => {
    const cluster = running(5);
    cluster.register(withCommand('a', { Count: 2 }));
    expect(names(cluster)).toEqual(['web.g[0]', 'web.g[1]']);
    cluster.report(cluster.live('web')[0]!.ID, { ClientStatus: 'complete' });
    cluster.register(withCommand('a', { Count: 3 }));
    expect(names(cluster)).toEqual(['web.g[0]', 'web.g[1]', 'web.g[2]']);
  });

  it('shrinks by a failed one rather than by one that runs', () => {
    const cluster = running(2, { ReschedulePolicy: { Unlimited: false, Attempts: 0 } });
    const failed = cluster.fail(cluster.live('web')[1]!.ID);
    const { plan } = cluster.register(withCommand('a', { Count: 1 }));
    expect(plan.stops.map(({ ID }) => ID)).toEqual([failed.ID]);
    expect(names(cluster)).toEqual(['web.g[0]']);
  });

  it('changes what does not need a restart in place', () => {
    const cluster = running(2);
    const ids = cluster.live('web').map(({ ID }) => ID);
    const { plan } = cluster.register({ ...withCommand('a', { Count: 2 }), Priority: 70 });
    expect(plan.annotations!.DesiredTGUpdates!['g']).toMatchObject({ InPlaceUpdate: 2, DestructiveUpdate: 0 });
    expect(plan.placements.map(({ ID, JobVersion, DeploymentID }) => [ID, JobVersion, DeploymentID])).toEqual(
      ids.map((id) => [id, 1, plan.deployment!.ID]),
    );
  });

  it('replaces where a change in place would leave it on a node that will not do', () => {
    const cluster = running(1, {}, 1);
    cluster.putNode(testNode('other', { Meta: { rack: 'r1' } }));
    const moved = withCommand('a', { Constraints: [{ LTarget: '${meta.rack}', Operand: '=', RTarget: 'r1' }] });
    const { plan } = cluster.register(moved);
    expect(plan.annotations!.DesiredTGUpdates!['g']).toMatchObject({ InPlaceUpdate: 0, DestructiveUpdate: 1 });
    expect(plan.placements[0]!.NodeID).toBe('other');
  });

  it('rolls an update step by step, as health allows', () => {
    const cluster = running(4, { Update: { MaxParallel: 2 } });
    const next = withCommand('b', { Count: 4, Update: { MaxParallel: 2 } });
    const { plan } = cluster.register(next);
    expect(plan.annotations!.DesiredTGUpdates!['g']).toMatchObject({ DestructiveUpdate: 2, Ignore: 2 });
    expect(plan.stops.map(({ DesiredDescription }) => DesiredDescription)).toEqual(
      Array(2).fill('alloc is being updated due to job update'),
    );
    expect(plan.placements.map(({ PreviousAllocation }) => PreviousAllocation)).toEqual(plan.stops.map(({ ID }) => ID));
    expect(plan.deployment!.TaskGroups!['g']).toMatchObject({ DesiredTotal: 4 });
    expect(cluster.evaluate(job(cluster)).plan.placements).toEqual([]);
    const [first, second] = plan.placements;
    const health = (Healthy: boolean) => ({
      DeploymentStatus: { Healthy, Timestamp: '', Canary: false, ModifyIndex: 0 },
    });
    cluster.report(first!.ID, health(true));
    expect(cluster.evaluate(job(cluster)).plan.placements).toHaveLength(1);
    cluster.report(second!.ID, health(false));
    expect(cluster.evaluate(job(cluster)).plan.placements).toEqual([]);
    cluster.report(second!.ID, health(true));
    cluster.settle();
    expect(cluster.evaluate(job(cluster)).plan.placements).toHaveLength(1);
    expect(cluster.live('web').every(({ JobVersion }) => JobVersion === 1)).toBe(true);
    expect(cluster.rows.deployments.size).toBe(2);
  });

  it('first gets what is missing, and updates with what is left of its steps', () => {
    const cluster = running(1, { Update: { MaxParallel: 1 } });
    const { plan } = cluster.register(withCommand('b', { Count: 2, Update: { MaxParallel: 1 } }));
    expect(plan.annotations!.DesiredTGUpdates!['g']).toMatchObject({ Place: 1, DestructiveUpdate: 0, Ignore: 1 });
    expect(plan.deployment!.TaskGroups!['g']!.DesiredTotal).toBe(2);
  });

  it('cancels the deployment of the version before', () => {
    const cluster = new TestCluster();
    cluster.addNodes(1);
    const first = cluster.register(withCommand('a')).plan.deployment!;
    const { plan } = cluster.register(withCommand('b'));
    expect(plan.deploymentUpdates).toEqual([
      { ID: first.ID, Status: 'cancelled', StatusDescription: 'Cancelled due to newer version of job' },
    ]);
    const stopped = cluster.register({ ...withCommand('b'), Stop: true });
    expect(stopped.plan.deploymentUpdates).toMatchObject([{ StatusDescription: 'Cancelled because job is stopped' }]);
    expect(stopped.plan.deployment).toBeNull();
  });

  it('makes no deployment where updates are switched off', () => {
    const cluster = new TestCluster();
    cluster.addNodes(2);
    cluster.register(withCommand('a', { Count: 3, Update: { MaxParallel: 0 } }));
    const { plan } = cluster.register(withCommand('b', { Count: 3, Update: { MaxParallel: 0 } }));
    expect(plan.deployment).toBeNull();
    expect(plan.annotations!.DesiredTGUpdates!['g']).toMatchObject({ DestructiveUpdate: 3 });
  });

  it('holds new work back while its deployment is paused, but replaces what is lost', () => {
    const cluster = running(2);
    const { plan } = cluster.register(withCommand('b', { Count: 2 }));
    cluster.rows.deployments.set(plan.deployment!.ID, { ...plan.deployment!, Status: 'paused', CreateIndex: 99_999 });
    cluster.settle();
    expect(cluster.evaluate(job(cluster)).plan.placements).toEqual([]);
    const gone = cluster.live('web')[0]!;
    cluster.putNode({ ...cluster.rows.nodes.get(gone.NodeID)!, Status: 'down' });
    const lost = cluster.live('web').filter(({ NodeID }) => NodeID === gone.NodeID);
    expect(cluster.evaluate(job(cluster)).plan.placements).toHaveLength(lost.length);
  });

  it('keeps what runs where its replacement has no place', () => {
    const cluster = running(1, {}, 1);
    const heavy = withCommand('a', { Tasks: [{ Name: 't', Driver: 'mock_driver', Resources: { CPU: 99_999 } }] });
    const { plan, evaluation } = cluster.register(heavy);
    expect(plan.stops).toEqual([]);
    expect(evaluation).toMatchObject({
      QueuedAllocations: { g: 1 },
      FailedTGAllocs: { g: { DimensionExhausted: { cpu: 1 } } },
    });
    expect(names(cluster)).toEqual(['web.g[0]']);
  });

  it('replaces allocations of a purged job of the same name', () => {
    const cluster = running(1);
    cluster.rows.jobs.clear();
    const { plan } = cluster.register(withCommand('a'));
    expect(plan.annotations!.DesiredTGUpdates!['g']).toMatchObject({ DestructiveUpdate: 1 });
  });
});

describe('a node', () => {
  it('that is down loses its allocations, which begin anew elsewhere', () => {
    const cluster = running(3);
    const node = cluster.live('web')[0]!.NodeID;
    const there = cluster.live('web').filter(({ NodeID }) => NodeID === node);
    cluster.putNode({ ...cluster.rows.nodes.get(node)!, Status: 'down' });
    const { plan } = cluster.evaluate(job(cluster), { TriggeredBy: 'node-update', NodeID: node });
    for (const stop of plan.stops) {
      expect(stop).toMatchObject({
        DesiredStatus: 'stop',
        ClientStatus: 'lost',
        DesiredDescription: 'alloc is lost since its node is down',
      });
    }
    expect(plan.stops).toHaveLength(there.length);
    expect(plan.placements.map(({ PreviousAllocation }) => PreviousAllocation).sort()).toEqual(
      there.map(({ ID }) => ID).sort(),
    );
    expect(plan.placements.some(({ NodeID }) => NodeID === node)).toBe(false);
    expect(plan.deployment).toBeNull();
  });

  it('that is gone takes stopping allocations with it', () => {
    const cluster = running(1, {}, 1);
    cluster.register({ ...job(cluster), Stop: true });
    cluster.rows.nodes.clear();
    cluster.putNode(testNode('other'));
    const { plan } = cluster.evaluate(job(cluster));
    expect(plan.stops).toMatchObject([{ ClientStatus: 'lost' }]);
  });

  it('that is down keeps its allocations in their place where the group says so', () => {
    const cluster = running(1, { Disconnect: { Replace: false } }, 2);
    const node = cluster.live('web')[0]!.NodeID;
    cluster.putNode({ ...cluster.rows.nodes.get(node)!, Status: 'down' });
    const { plan } = cluster.evaluate(job(cluster));
    expect([plan.stops, plan.placements]).toEqual([[], []]);
  });

  it('that drains hands over what it is told to, one for one', () => {
    const cluster = running(2);
    const allocation = cluster.live('web')[0]!;
    const node = cluster.rows.nodes.get(allocation.NodeID)!;
    cluster.putNode({ ...node, SchedulingEligibility: 'ineligible', DrainStrategy: {} as never });
    expect(cluster.evaluate(job(cluster)).plan.stops).toEqual([]);
    cluster.report(allocation.ID, migrate(allocation));
    const { plan } = cluster.evaluate(job(cluster), { TriggeredBy: 'node-drain' });
    expect(plan.stops).toMatchObject([{ ID: allocation.ID, DesiredDescription: 'alloc is being migrated' }]);
    expect(plan.placements).toMatchObject([{ Name: allocation.Name, PreviousAllocation: allocation.ID }]);
    expect(plan.placements[0]!.NodeID).not.toBe(allocation.NodeID);
    expect(plan.annotations!.DesiredTGUpdates!['g']).toMatchObject({ Migrate: 1, Place: 0, Stop: 0 });
  });
});

describe('a failed allocation', () => {
  const policy = {
    Attempts: 1,
    Interval: 3600 * second,
    Delay: 5 * second,
    DelayFunction: 'constant',
    Unlimited: false,
  };

  it('is tried again later, by an evaluation of its own that brings it back', () => {
    const cluster = running(2, { ReschedulePolicy: policy });
    const failed = cluster.fail(cluster.live('web')[0]!.ID);
    const { plan, followUps } = cluster.evaluate(job(cluster), { TriggeredBy: 'alloc-failure' });
    expect(plan.stops).toEqual([]);
    expect(followUps).toMatchObject([
      { Status: 'pending', TriggeredBy: 'alloc-failure', StatusDescription: 'created for delayed rescheduling' },
    ]);
    expect(Date.parse(followUps[0]!.WaitUntil) * 1e6 - cluster.now).toBeCloseTo(5 * second, -7);
    expect(cluster.allocation(failed.ID).FollowupEvalID).toBe(followUps[0]!.ID);
    const again = cluster.evaluate(job(cluster));
    expect([again.followUps, again.plan.placements]).toEqual([[], []]);

    cluster.now += 5 * second;
    const retry = cluster.run(followUps[0]!);
    expect(retry.plan.stops).toMatchObject([
      { ID: failed.ID, DesiredStatus: 'stop', ClientStatus: 'failed', DesiredDescription: '' },
    ]);
    const [next] = retry.plan.placements;
    expect(next).toMatchObject({
      Name: failed.Name,
      PreviousAllocation: failed.ID,
      RescheduleTracker: {
        Events: [{ PrevAllocID: failed.ID, PrevNodeID: failed.NodeID, Delay: 5 * second, RescheduleTime: cluster.now }],
        LastReschedule: 'ok',
      },
    });
    expect(next!.NodeID).not.toBe(failed.NodeID);

    cluster.settle();
    cluster.fail(next!.ID);
    const last = cluster.evaluate(job(cluster));
    expect([last.plan.stops, last.plan.placements, last.followUps]).toEqual([[], [], []]);
  });

  it('gets a new evaluation where the one it waited for is no more', () => {
    const cluster = running(1, { ReschedulePolicy: policy });
    cluster.fail(cluster.live('web')[0]!.ID);
    const { followUps } = cluster.evaluate(job(cluster));
    cluster.rows.evaluations.delete(followUps[0]!.ID);
    expect(cluster.evaluate(job(cluster)).followUps).toHaveLength(1);
  });

  it('waits with others that come back at about the same time', () => {
    const cluster = running(3, { ReschedulePolicy: policy });
    for (const { ID } of cluster.live('web')) {
      cluster.fail(ID);
      cluster.now += second / 2;
    }
    expect(cluster.evaluate(job(cluster)).followUps).toHaveLength(1);
  });

  it('of a deployment that goes on is tried again only once it counts as unhealthy', () => {
    const cluster = new TestCluster();
    cluster.addNodes(2);
    const { plan } = cluster.register(withCommand('a', { ReschedulePolicy: policy }));
    const failed = cluster.fail(plan.placements[0]!.ID);
    expect(cluster.evaluate(job(cluster)).followUps).toEqual([]);
    cluster.report(failed.ID, { DeploymentStatus: { Healthy: false, Timestamp: '', Canary: false, ModifyIndex: 0 } });
    expect(cluster.evaluate(job(cluster)).followUps).toHaveLength(1);
  });

  it('keeps its lineage where there was no place for it at first', () => {
    const cluster = running(1, { ReschedulePolicy: policy }, 1);
    const failed = cluster.fail(cluster.live('web')[0]!.ID);
    const node = cluster.rows.nodes.get(failed.NodeID)!;
    cluster.putNode({ ...node, SchedulingEligibility: 'ineligible' });
    cluster.now += 5 * second;
    const decision = cluster.evaluate(job(cluster));
    expect(decision.followUps).toMatchObject([{ Status: 'blocked' }]);
    expect(decision.plan.stops).toEqual([]);
    cluster.putNode(node);
    const { plan } = cluster.run(cluster.rows.evaluations.get(decision.followUps[0]!.ID)!);
    expect(plan.placements).toMatchObject([{ PreviousAllocation: failed.ID, RescheduleTracker: { Events: [{}] } }]);
  });

  it('moves at once where a user forces it, also while it runs', () => {
    const cluster = running(1);
    const [allocation] = cluster.live('web');
    cluster.report(allocation!.ID, { DesiredTransition: { ...allocation!.DesiredTransition, ForceReschedule: true } });
    const { plan } = cluster.evaluate(job(cluster));
    expect(plan.placements).toMatchObject([{ PreviousAllocation: allocation!.ID }]);
    expect(names(cluster)).toEqual(['web.g[0]']);
  });
});

describe('a blocked evaluation', () => {
  it('waits on while not everything has found its place, and is complete then', () => {
    const cluster = new TestCluster();
    cluster.addNodes(1);
    const heavy = { Count: 3, Tasks: [{ Name: 't', Driver: 'mock_driver', Resources: { CPU: 3000 } }] };
    const { followUps } = cluster.register(testJob('web', heavy));
    cluster.putNode(testNode('second'));
    const still = cluster.run(followUps[0]!);
    expect(still.evaluation).toMatchObject({ ID: followUps[0]!.ID, Status: 'blocked', QueuedAllocations: { g: 1 } });
    expect(still.followUps).toEqual([]);
    cluster.putNode(testNode('third'));
    expect(cluster.run(still.evaluation).evaluation).toMatchObject({ Status: 'complete', FailedTGAllocs: null });
    expect(cluster.live('web')).toHaveLength(3);
  });
});

describe('a batch job', () => {
  const batch = (count: number, changes: Input<Job> = {}) =>
    testJob('web', { Count: count }, { Type: 'batch', ...changes });

  it('does not do again what was done, and makes no deployment', () => {
    const cluster = new TestCluster();
    cluster.addNodes(1);
    const { plan } = cluster.register(batch(2));
    expect(plan.deployment).toBeNull();
    for (const { ID } of plan.placements) cluster.report(ID, { ClientStatus: 'complete' });
    expect(cluster.evaluate(job(cluster)).plan.placements).toEqual([]);
    cluster.rows.nodes.clear();
    cluster.putNode(testNode('other'));
    expect(cluster.evaluate(job(cluster)).plan.placements).toEqual([]);
  });

  it('does a new version anew', () => {
    const cluster = new TestCluster();
    cluster.addNodes(1);
    const { plan } = cluster.register(batch(1));
    cluster.report(plan.placements[0]!.ID, { ClientStatus: 'complete' });
    expect(cluster.register(batch(1, { Priority: 60 })).plan.placements).toHaveLength(1);
  });

  it('tries a failed one once more by its default policy', () => {
    const cluster = new TestCluster();
    cluster.addNodes(2);
    const { plan } = cluster.register(batch(1));
    cluster.fail(plan.placements[0]!.ID);
    cluster.now += 6 * second;
    const retry = cluster.evaluate(job(cluster)).plan;
    expect(retry.placements).toHaveLength(1);
    cluster.fail(retry.placements[0]!.ID);
    cluster.now += 60 * second;
    expect(cluster.evaluate(job(cluster)).plan.placements).toEqual([]);
  });

  it('does what was stopped halfway again', () => {
    const cluster = new TestCluster();
    cluster.addNodes(2);
    const [placed] = cluster.register(batch(1)).plan.placements;
    cluster.report(placed!.ID, { ...migrate(placed!), ClientStatus: 'running' });
    expect(cluster.evaluate(job(cluster)).plan.placements).toMatchObject([{ PreviousAllocation: placed!.ID }]);
  });
});
