import { describe, expect, it } from 'vitest';
import type { NodeCredentials, ServerConnection } from '../client/server-connection.ts';
import type { Allocation } from '../model/allocation.ts';
import type { Job } from '../model/job.ts';
import { jobId } from '../model/job-id.ts';
import type { Input } from '../model/schema.ts';
import { createSchedule } from '../scheduler/schedule.ts';
import { settle } from './manual-clock.ts';
import { type Cluster, register, startCluster, testJob, testNode } from './test-cluster.ts';

const never = new AbortController().signal;
const who = (nodeId: string): NodeCredentials => ({ nodeId, secretId: `secret-of-${nodeId}` });

/** A node that can run the test job. */
const ableNode = (id: string) =>
  testNode(id, {
    Attributes: { 'kernel.name': 'linux', 'driver.mock_driver': '1' },
    Drivers: { mock_driver: { Detected: true, Healthy: true } },
    NodeResources: {
      Cpu: { CpuShares: 1000 },
      Memory: { MemoryMB: 1000 },
      Disk: { DiskMB: 10_000 },
      MinDynamicPort: 20_000,
      MaxDynamicPort: 20_100,
    },
  });

interface Running extends Cluster {
  readonly client: ServerConnection;
  beat(ms: number, ...nodes: string[]): Promise<void>;
  allocations(job: string): Allocation[];
  report(allocation: Allocation, status: string, healthy?: boolean): Promise<void>;
}

async function running(...nodes: string[]): Promise<Running> {
  const cluster = await startCluster({ server: { schedule: createSchedule() } });
  const client = cluster.server.connection();
  for (const id of nodes) await client.register(ableNode(id), never);
  await settle();
  let time = cluster.clock.now();
  return {
    ...cluster,
    client,
    beat: async (ms, ...alive) => {
      for (let passed = 0; passed < ms; passed += 5000) {
        await cluster.clock.advance(Math.min(5000, ms - passed));
        for (const id of alive) await client.heartbeat(who(id), never);
      }
      await settle();
    },
    allocations: (job) => [...cluster.store.snapshot().by('allocations', 'job', jobId('default', job))],
    report: async (allocation, ClientStatus, Healthy) => {
      time += 1000;
      const finished = ClientStatus === 'failed' || ClientStatus === 'complete';
      const state = {
        State: finished ? 'dead' : 'running',
        Failed: ClientStatus === 'failed',
        Events: [{ Time: time }],
      };
      const at = new Date(cluster.clock.now() / 1e6).toISOString();
      const update = {
        ID: allocation.ID,
        NodeID: allocation.NodeID,
        ClientStatus,
        ClientDescription: '',
        TaskStates: { t: { ...state, FinishedAt: finished ? at : null, StartedAt: at } } as never,
        DeploymentStatus: Healthy === undefined ? null : { Healthy, Timestamp: at, Canary: false, ModifyIndex: 0 },
        NetworkStatus: null,
      };
      await client.updateAllocations(who(allocation.NodeID), [update], never);
      await settle();
    },
  };
}

const update = {
  MinHealthyTime: 1e9,
  HealthyDeadline: 20e9,
  ProgressDeadline: 30e9,
  HealthCheck: 'task_states',
  MaxParallel: 1,
};
const service = (id: string, count = 1, more: Input<Job> = {}): Input<Job> => {
  const [group] = testJob(id).TaskGroups!;
  return testJob(id, { TaskGroups: [{ ...group, Count: count, Update: update }], ...more });
};

describe('a server with the real scheduler', () => {
  it('runs a service job to a successful deployment', async () => {
    const cluster = await running('n1');
    const { evalId } = await register(cluster.server, service('web'));
    await settle();
    const [allocation] = cluster.allocations('web');
    expect(allocation).toMatchObject({
      Name: 'web.g[0]',
      NodeID: 'n1',
      DesiredStatus: 'run',
      Metrics: { NodesEvaluated: 1 },
    });
    const evaluation = cluster.store.snapshot().get('evaluations', evalId);
    expect(evaluation).toMatchObject({
      Status: 'complete',
      QueuedAllocations: { g: 0 },
      DeploymentID: allocation!.DeploymentID,
    });
    await cluster.report(allocation!, 'running');
    await cluster.report(allocation!, 'running', true);
    const [deployment] = [...cluster.store.snapshot().scan('deployments')];
    expect(deployment).toMatchObject({ Status: 'successful', StatusDescription: 'Deployment completed successfully' });
    expect(deployment?.TaskGroups?.['g']).toMatchObject({
      DesiredTotal: 1,
      PlacedAllocs: 1,
      HealthyAllocs: 1,
      UnhealthyAllocs: 0,
    });
    expect(cluster.store.snapshot().get('jobs', jobId('default', 'web'))).toMatchObject({
      Status: 'running',
      Stable: true,
    });
  });

  it('updates one allocation after the other', async () => {
    const cluster = await running('n1', 'n2');
    await register(cluster.server, service('web', 3));
    await settle();
    for (const allocation of cluster.allocations('web')) await cluster.report(allocation, 'running', true);
    const [group] = service('web', 3).TaskGroups!;
    const [task] = group!.Tasks!;
    await register(
      cluster.server,
      service('web', 3, { TaskGroups: [{ ...group, Tasks: [{ ...task, Env: { A: 'b' } }] }] }),
    );
    await settle();
    const fresh = (): Allocation[] => cluster.allocations('web').filter((one) => one.JobVersion === 1);
    expect(fresh()).toHaveLength(1);
    for (let round = 1; round <= 3; round++) {
      expect(fresh()).toHaveLength(round);
      for (const old of cluster.allocations('web')) {
        if (old.DesiredStatus === 'stop' && old.ClientStatus === 'running') await cluster.report(old, 'complete');
      }
      for (const one of fresh()) if (one.ClientStatus === 'pending') await cluster.report(one, 'running', true);
      await cluster.beat(1000, 'n1', 'n2');
    }
    const deployments = [...cluster.store.snapshot().scan('deployments')].sort((a, b) => a.JobVersion - b.JobVersion);
    expect(deployments.map((one) => one.Status)).toEqual(['successful', 'successful']);
    expect(cluster.allocations('web').filter((one) => one.DesiredStatus === 'run')).toHaveLength(3);
  });

  it('blocks what fits nowhere, says why, and places it when a node comes', async () => {
    const cluster = await running('n1');
    const { evalId } = await register(cluster.server, service('big', 20));
    await settle();
    const evaluation = cluster.store.snapshot().get('evaluations', evalId);
    const blocked = cluster.store.snapshot().get('evaluations', evaluation?.BlockedEval ?? '');
    expect(evaluation).toMatchObject({
      Status: 'complete',
      QueuedAllocations: { g: 10 },
      FailedTGAllocs: { g: { NodesExhausted: 1 } },
    });
    expect(blocked).toMatchObject({
      Status: 'blocked',
      TriggeredBy: 'queued-allocs',
      StatusDescription: 'created to place remaining allocations',
      PreviousEval: evalId,
    });
    await cluster.client.register(ableNode('n2'), never);
    await settle();
    expect(cluster.allocations('big')).toHaveLength(20);
    expect(cluster.store.snapshot().get('evaluations', blocked!.ID)?.Status).toBe('complete');
  });

  it('moves what was on a node that went silent', async () => {
    const cluster = await running('n1');
    await register(cluster.server, service('web'));
    await settle();
    await cluster.report(cluster.allocations('web')[0]!, 'running', true);
    await cluster.client.register(ableNode('n2'), never);
    await cluster.beat(40_000, 'n2');
    const [lost, moved] = cluster.allocations('web').sort((a, b) => a.CreateIndex - b.CreateIndex);
    expect(lost).toMatchObject({
      NodeID: 'n1',
      ClientStatus: 'lost',
      DesiredStatus: 'stop',
      NextAllocation: moved?.ID,
    });
    expect(moved).toMatchObject({ NodeID: 'n2', PreviousAllocation: lost?.ID, ClientStatus: 'pending' });
  });

  it('places a failed allocation again, after the delay its policy asks for', async () => {
    const cluster = await running('n1', 'n2');
    const [group] = testJob('web').TaskGroups!;
    const policy = { Unlimited: true, Delay: 30e9, DelayFunction: 'constant', MaxDelay: 60e9 };
    await register(cluster.server, testJob('web', { TaskGroups: [{ ...group, ReschedulePolicy: policy }] }));
    await settle();
    const [first] = cluster.allocations('web');
    await cluster.report(first!, 'running', true);
    await cluster.report(first!, 'failed', true);
    expect(cluster.allocations('web')).toHaveLength(1);
    const waiting = [...cluster.store.snapshot().by('evaluations', 'status', 'pending')];
    expect(waiting).toHaveLength(1);
    expect(cluster.store.snapshot().get('allocations', first!.ID)?.FollowupEvalID).toBe(waiting[0]!.ID);
    await cluster.beat(35_000, 'n1', 'n2');
    const [, second] = cluster.allocations('web').sort((a, b) => a.CreateIndex - b.CreateIndex);
    expect(second).toMatchObject({ PreviousAllocation: first!.ID, ClientStatus: 'pending' });
  });

  it('evaluates nothing for a failure after which nothing is to come', async () => {
    const cluster = await running('n1');
    const [group] = testJob('once').TaskGroups!;
    const policy = { Attempts: 0, Unlimited: false };
    await register(
      cluster.server,
      testJob('once', { Type: 'batch', TaskGroups: [{ ...group, ReschedulePolicy: policy }] }),
    );
    await settle();
    await cluster.report(cluster.allocations('once')[0]!, 'failed');
    expect([...cluster.store.snapshot().scan('evaluations')].map((one) => one.TriggeredBy)).toEqual(['job-register']);
    expect(cluster.store.snapshot().get('jobs', jobId('default', 'once'))?.Status).toBe('dead');
  });

  it('runs a batch job once and a system job on every node, also on one that comes later', async () => {
    const cluster = await running('n1', 'n2');
    await register(cluster.server, testJob('once', { Type: 'batch' }));
    const [group] = testJob('sys').TaskGroups!;
    await register(cluster.server, testJob('sys', { Type: 'system', TaskGroups: [{ ...group, Count: 1 }] }));
    await settle();
    await cluster.report(cluster.allocations('once')[0]!, 'complete');
    expect(cluster.store.snapshot().get('jobs', jobId('default', 'once'))?.Status).toBe('dead');
    expect(
      cluster
        .allocations('sys')
        .map((one) => one.NodeID)
        .sort(),
    ).toEqual(['n1', 'n2']);
    await cluster.client.register(ableNode('n3'), never);
    await settle();
    expect(
      cluster
        .allocations('sys')
        .map((one) => one.NodeID)
        .sort(),
    ).toEqual(['n1', 'n2', 'n3']);
    expect(cluster.allocations('once')).toHaveLength(1);
  });

  it('drains a node by moving its allocations elsewhere', async () => {
    const cluster = await running('n1');
    await register(cluster.server, service('web', 2));
    await settle();
    for (const allocation of cluster.allocations('web')) await cluster.report(allocation, 'running', true);
    await cluster.client.register(ableNode('n2'), never);
    await cluster.server.drainNode({ nodeId: 'n1', spec: { Deadline: 3600e9 }, markEligible: false, meta: {} });
    for (let round = 0; round < 4; round++) {
      await cluster.beat(2000, 'n1', 'n2');
      for (const one of cluster.allocations('web')) {
        if (one.NodeID === 'n1' && one.DesiredStatus === 'stop' && one.ClientStatus === 'running')
          await cluster.report(one, 'complete');
        if (one.NodeID === 'n2' && one.ClientStatus === 'pending') await cluster.report(one, 'running', true);
      }
    }
    const live = cluster.allocations('web').filter((one) => one.DesiredStatus === 'run');
    expect(live.map((one) => one.NodeID)).toEqual(['n2', 'n2']);
    expect(cluster.store.snapshot().get('nodes', 'n1')).toMatchObject({
      DrainStrategy: null,
      LastDrain: { Status: 'complete' },
    });
  });

  it('places what a namespace kept from running once that demands less, a system job too, and neither before', async () => {
    const cluster = await running('n1');
    await cluster.server.putNamespace({ Name: 'default', Isolation: { Mode: 'enforce', Min: 'sandbox' } });
    await register(cluster.server, service('web'));
    const names = ['agent', 'once'];
    for (const [at, Type] of ['system', 'sysbatch'].entries())
      await register(cluster.server, testJob(names[at]!, { Type }));
    await settle();
    const placed = () => ['web', ...names].map((job) => cluster.allocations(job).length);
    expect(placed()).toEqual([0, 0, 0]);
    await cluster.server.putNamespace({ Name: 'default', Description: 'another', Isolation: { Min: 'sandbox' } });
    await settle();
    expect(placed()).toEqual([0, 0, 0]);
    await cluster.server.putNamespace({ Name: 'default', Isolation: { Mode: 'warn', Min: 'sandbox' } });
    await settle();
    expect(placed()).toEqual([1, 1, 1]);
  });

  it('replaces an allocation that is stopped by hand', async () => {
    const cluster = await running('n1');
    await register(cluster.server, service('web'));
    await settle();
    const [first] = cluster.allocations('web');
    await cluster.report(first!, 'running', true);
    const { evalId } = await cluster.server.stopAllocation({ id: first!.ID, noShutdownDelay: false });
    await settle();
    expect(cluster.store.snapshot().get('evaluations', evalId)).toMatchObject({
      TriggeredBy: 'alloc-stop',
      Status: 'complete',
    });
    expect(cluster.store.snapshot().get('allocations', first!.ID)).toMatchObject({
      DesiredStatus: 'stop',
      DesiredDescription: 'alloc is being migrated',
      DesiredTransition: { Migrate: true, Reschedule: false, NoShutdownDelay: false },
    });
    expect(cluster.allocations('web').filter((one) => one.DesiredStatus === 'run')).toHaveLength(1);
  });

  describe('while the broker is paused', () => {
    const paused = async () => {
      const cluster = await running('n1');
      await cluster.server.setSchedulerConfiguration({ configuration: { PauseEvalBroker: true }, modifyIndex: null });
      await register(cluster.server, service('web'));
      await settle();
      return cluster;
    };
    const pending = (cluster: Cluster) => [...cluster.store.snapshot().by('evaluations', 'status', 'pending')];

    it('nothing is placed, also after a restart, until it goes on', async () => {
      const cluster = await paused();
      expect(cluster.allocations('web')).toEqual([]);
      const again = await cluster.restart();
      await settle();
      expect(pending(again)).toHaveLength(1);
      await again.server.setSchedulerConfiguration({ configuration: {}, modifyIndex: null });
      await settle();
      expect([...again.store.snapshot().by('allocations', 'job', jobId('default', 'web'))]).toHaveLength(1);
    });

    it('evaluations are deleted by id, or all that a test admits, and are not worked on afterwards', async () => {
      const cluster = await paused();
      const [waiting] = pending(cluster);
      expect(await cluster.server.deleteEvaluations([waiting!.ID])).toMatchObject({ count: 1 });
      await register(cluster.server, service('other'));
      expect(await cluster.server.deleteEvaluations(({ JobID }) => JobID === 'other')).toMatchObject({ count: 1 });
      await cluster.server.setSchedulerConfiguration({ configuration: {}, modifyIndex: null });
      await settle();
      expect(cluster.allocations('web')).toEqual([]);
      expect(cluster.allocations('other')).toEqual([]);
    });

    it('an evaluation whose allocations run stays', async () => {
      const cluster = await running('n1');
      const { evalId } = await register(cluster.server, service('web'));
      await settle();
      await cluster.report(cluster.allocations('web')[0]!, 'running', true);
      const refused = cluster.server.deleteEvaluations([evalId]);
      await expect(refused).rejects.toThrow('eval broker must be paused');
      await cluster.server.setSchedulerConfiguration({ configuration: { PauseEvalBroker: true }, modifyIndex: null });
      await expect(cluster.server.deleteEvaluations([evalId])).rejects.toThrow('has allocations that run');
      expect(await cluster.server.deleteEvaluations(({ ID }) => ID === evalId)).toMatchObject({ count: 0 });
    });
  });
});
