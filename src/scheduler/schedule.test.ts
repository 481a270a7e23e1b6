import { describe, expect, it } from 'vitest';
import { TestCluster, testJob, testNode } from './test-cluster.ts';

describe('a service job', () => {
  it('gets its allocations, named and in the shape Nomad gives them', () => {
    const cluster = new TestCluster();
    cluster.addNodes(1);
    const { plan, evaluation, followUps } = cluster.register(
      testJob('svc', {
        Networks: [{ Mode: 'host', DynamicPorts: [{ Label: 'http' }] }],
        EphemeralDisk: { SizeMB: 150 },
      }),
    );
    expect(plan.placements).toHaveLength(1);
    const [allocation] = plan.placements;
    const port = allocation!.AllocatedResources!.Shared.Ports![0]!.Value;
    const network = {
      Mode: 'host',
      IP: '127.0.0.1',
      DynamicPorts: [{ Label: 'http', HostNetwork: 'default', Value: port }],
    };
    expect(allocation).toMatchObject({
      Name: 'svc.g[0]',
      NodeID: 'node-0',
      NodeName: 'name-of-node-0',
      Job: null,
      JobVersion: 0,
      DesiredStatus: 'run',
      ClientStatus: 'pending',
      DeploymentID: plan.deployment!.ID,
      AllocatedResources: {
        Tasks: {
          t: {
            Cpu: { CpuShares: 100, ReservedCores: null },
            Memory: { MemoryMB: 128, MemoryMaxMB: 0 },
            Networks: null,
            Devices: null,
          },
        },
        Shared: {
          DiskMB: 150,
          Networks: [network],
          Ports: [{ Label: 'http', Value: port, To: 0, HostIP: '127.0.0.1' }],
        },
        TaskLifecycles: { t: null },
      },
      Resources: { CPU: 100, MemoryMB: 128, MemoryMaxMB: 128, DiskMB: 150, Networks: [network] },
      TaskResources: { t: { CPU: 100, MemoryMB: 128, MemoryMaxMB: 0, DiskMB: 0, Networks: null } },
      SharedResources: { CPU: 0, MemoryMB: 0, DiskMB: 150, Networks: [network] },
      Metrics: { NodesEvaluated: 1, NodesFiltered: 0, NodesInPool: 1, NodePool: 'default', NodesAvailable: { dc1: 1 } },
    });
    const [score] = allocation!.Metrics!.ScoreMetaData!;
    expect(Object.keys(score!.Scores!)).toEqual([
      'binpack',
      'job-anti-affinity',
      'node-reschedule-penalty',
      'node-affinity',
    ]);
    expect(evaluation).toMatchObject({
      Status: 'complete',
      QueuedAllocations: { g: 0 },
      DeploymentID: plan.deployment!.ID,
    });
    expect(plan.annotations!.DesiredTGUpdates!['g']).toMatchObject({ Place: 1, Stop: 0, Ignore: 0 });
    expect(followUps).toEqual([]);
  });

  it('waits as a blocked evaluation where nodes are full, with what is missing', () => {
    const cluster = new TestCluster();
    const node = cluster.putNode(testNode('n1'));
    const decision = cluster.register(
      testJob('big', {
        Count: 2,
        Tasks: [{ Name: 't', Driver: 'mock_driver', Resources: { CPU: 9_000_000, MemoryMB: 10 } }],
      }),
    );
    const failure = {
      NodesEvaluated: 1,
      NodesExhausted: 1,
      NodesFiltered: 0,
      DimensionExhausted: { cpu: 1 },
      CoalescedFailures: 1,
      ResourcesExhausted: { t: { CPU: 18_000_000, MemoryMB: 0 } },
      ConstraintFiltered: null,
      ScoreMetaData: null,
    };
    expect(decision.evaluation).toMatchObject({
      Status: 'complete',
      QueuedAllocations: { g: 2 },
      FailedTGAllocs: { g: failure },
    });
    expect(decision.followUps).toMatchObject([
      {
        ID: decision.evaluation.BlockedEval,
        Status: 'blocked',
        StatusDescription: 'created to place remaining allocations',
        TriggeredBy: 'queued-allocs',
        PreviousEval: decision.evaluation.ID,
        ClassEligibility: { [node.ComputedClass]: true },
        QueuedAllocations: null,
        FailedTGAllocs: { g: failure },
      },
    ]);
    expect(decision.plan.deployment).toMatchObject({
      Status: 'running',
      TaskGroups: { g: { DesiredTotal: 2, PlacedAllocs: 0 } },
    });
  });

  it('still waits for no roll-out in particular after it was looked at again in vain', () => {
    const cluster = new TestCluster();
    cluster.addNodes(1);
    const tasks = [{ Name: 't', Driver: 'mock_driver', Resources: { CPU: 9_000_000, MemoryMB: 10 } }];
    const [blocked] = cluster.register(testJob('big', { Tasks: tasks })).followUps;
    const again = cluster.run(blocked!).evaluation;
    expect(again).toMatchObject({ Status: 'blocked', DeploymentID: '', QueuedAllocations: { g: 1 } });
  });

  it('names every reason of every node it cannot use', () => {
    const cluster = new TestCluster();
    cluster.addNodes(3);
    cluster.putNode(testNode('win', { Attributes: { 'kernel.name': 'windows' }, Drivers: {}, NodeClass: 'old' }));
    const { failures, followUps } = cluster.register(
      testJob('web', {}, { Constraints: [{ LTarget: '${attr.kernel.name}', Operand: '=', RTarget: 'plan9' }] }),
    );
    expect(failures['g']).toMatchObject({
      NodesEvaluated: 4,
      NodesFiltered: 4,
      ConstraintFiltered: { '${attr.kernel.name} = plan9': 4, 'missing drivers': 1 },
      ClassFiltered: { old: 1 },
      DimensionExhausted: null,
    });
    expect(Object.values(followUps[0]!.ClassEligibility!)).toEqual([false, false]);
  });

  it('says that no node is in its datacenters', () => {
    const cluster = new TestCluster();
    cluster.addNodes(1);
    const { failures, followUps } = cluster.register(testJob('web', {}, { Datacenters: ['nope'] }));
    expect(failures['g']).toMatchObject({
      NodesAvailable: {},
      NodesEvaluated: 0,
      NodesInPool: 0,
      ConstraintFiltered: null,
    });
    expect(followUps[0]!.ClassEligibility).toBeNull();
  });
});
