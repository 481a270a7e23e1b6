import { describe, expect, it } from 'vitest';
import type { Job } from '../../model/job.ts';
import type { Node } from '../../model/node.ts';
import type { Input } from '../../model/schema.ts';
import type { TaskGroup } from '../../model/task-group.ts';
import { TestCluster, testJob, testNode } from '../test-cluster.ts';

const perNode = (cluster: TestCluster): readonly number[] => {
  const counts = new Map([...cluster.rows.nodes.keys()].map((id) => [id, 0]));
  for (const { NodeID } of cluster.live('web')) counts.set(NodeID, counts.get(NodeID)! + 1);
  return [...counts.values()];
};
const task = (resources: object) => ({ Tasks: [{ Name: 't', Driver: 'mock_driver', Resources: resources }] });

function place(group: Input<TaskGroup>, nodes: readonly Node[], job: Input<Job> = {}): TestCluster {
  const cluster = new TestCluster();
  for (const node of nodes) cluster.putNode(node);
  cluster.register(testJob('web', group, job));
  return cluster;
}

const racks = (count: number) =>
  Array.from({ length: count }, (_, at) => testNode(`n${at}`, { Meta: { rack: `r${at % 2}` } }));

describe('a place', () => {
  it('is on another node where one has an allocation of the group already', () => {
    expect(perNode(place({ Count: 4 }, racks(4)))).toEqual([1, 1, 1, 1]);
  });

  it('is where others run already, rather than on an empty node', () => {
    const cluster = place({ Count: 1, ...task({ CPU: 2000, MemoryMB: 4000 }) }, racks(2));
    const { plan } = cluster.register(testJob('other'));
    expect(plan.placements[0]!.NodeID).toBe(cluster.live('web')[0]!.NodeID);
  });

  it('is on an empty node where the operator wants to spread', () => {
    const cluster = place({ Count: 1, ...task({ CPU: 2000, MemoryMB: 4000 }) }, racks(2));
    cluster.rows.schedulerConfiguration.set('scheduler', { SchedulerAlgorithm: 'spread' });
    const { plan } = cluster.register(testJob('other'));
    expect(plan.placements[0]!.NodeID).not.toBe(cluster.live('web')[0]!.NodeID);
  });

  it('follows affinities, and shuns what it has a negative one for', () => {
    const affinity = (Weight: number) => ({
      Affinities: [{ LTarget: '${meta.rack}', Operand: '=', RTarget: 'r1', Weight }],
    });
    for (const weight of [100, -100]) {
      const cluster = place({ Count: 1, ...affinity(weight) }, racks(10));
      const node = cluster.rows.nodes.get(cluster.live('web')[0]!.NodeID)!;
      expect(node.Meta!['rack']).toBe(weight > 0 ? 'r1' : 'r0');
      const [score] = cluster.live('web')[0]!.Metrics!.ScoreMetaData!;
      expect(score!.Scores!['node-affinity']).toBe(weight > 0 ? 1 : 0);
    }
  });

  it('is spread evenly, or as wanted', () => {
    const spread = (SpreadTarget: readonly { Value: string; Percent: number }[]) => ({
      Spreads: [{ Attribute: '${meta.rack}', Weight: 100, SpreadTarget }],
    });
    const count = (cluster: TestCluster, rack: string) =>
      cluster.live('web').filter(({ NodeID }) => cluster.rows.nodes.get(NodeID)!.Meta!['rack'] === rack).length;
    const even = place({ Count: 8, ...spread([]) }, racks(4));
    expect([count(even, 'r0'), count(even, 'r1')]).toEqual([4, 4]);
    const wanted = place({ Count: 10, ...spread([{ Value: 'r0', Percent: 80 }]) }, racks(4));
    expect([count(wanted, 'r0'), count(wanted, 'r1')]).toEqual([8, 2]);
    expect(Object.keys(wanted.live('web')[0]!.Metrics!.ScoreMetaData![0]!.Scores!)).toContain('allocation-spread');
  });

  it('is where its data is, if the disk is sticky', () => {
    const group = { Count: 1, EphemeralDisk: { Sticky: true }, ...task({ CPU: 100 }) };
    const cluster = place(group, racks(10));
    const [before] = cluster.live('web');
    const { plan } = cluster.register(testJob('web', { ...group, ...task({ CPU: 200 }) }));
    expect(plan.placements).toMatchObject([{ NodeID: before!.NodeID, PreviousAllocation: before!.ID }]);
  });

  it('shows the best five scores, the best first', () => {
    const [allocation] = place(
      { Count: 1, Affinities: [{ LTarget: 'a', Operand: '=', RTarget: 'b', Weight: 1 }] },
      racks(10),
    ).live('web');
    const scores = allocation!.Metrics!.ScoreMetaData!;
    expect(scores).toHaveLength(5);
    expect(scores[0]!.NodeID).toBe(allocation!.NodeID);
  });
});

describe('resources', () => {
  it('are counted to the last one, and every exhausted dimension is named', () => {
    const cluster = place({ Count: 50, ...task({ CPU: 1000, MemoryMB: 2048 }) }, [testNode('n1')]);
    expect(cluster.live('web')).toHaveLength(4);
    const { failures } = cluster.evaluate([...cluster.rows.jobs.values()][0]!);
    expect(failures['g']!.DimensionExhausted).toEqual({ cpu: 1, memory: 1 });
    expect(cluster.violations()).toEqual([]);
  });

  it('are what the operator leaves', () => {
    const reserved = { Cpu: { CpuShares: 3500 }, Memory: { MemoryMB: 0 }, Disk: { DiskMB: 0 }, Networks: {} } as never;
    expect(place({ Count: 9 }, [testNode('n1', { ReservedResources: reserved })]).live('web')).toHaveLength(5);
  });

  it('are whole cores where a task asks for cores, each given once', () => {
    const cluster = place({ Count: 3, ...task({ Cores: 2, MemoryMB: 10 }) }, [testNode('n1')]);
    const given = cluster.live('web').map(({ AllocatedResources }) => AllocatedResources!.Tasks!['t']!.Cpu);
    expect(given).toEqual([
      { CpuShares: 2000, ReservedCores: [0, 1] },
      { CpuShares: 2000, ReservedCores: [2, 3] },
    ]);
    expect(cluster.violations()).toEqual([]);
  });

  it('of tasks that never run together are shared', () => {
    const Tasks = [
      { Name: 'main', Driver: 'mock_driver', Resources: { CPU: 2000 } },
      {
        Name: 'init',
        Driver: 'mock_driver',
        Resources: { CPU: 2000 },
        Lifecycle: { Hook: 'prestart', Sidecar: false },
      },
      { Name: 'side', Driver: 'mock_driver', Resources: { CPU: 1500 }, Lifecycle: { Hook: 'prestart', Sidecar: true } },
    ];
    expect(place({ Tasks }, [testNode('n1')]).live('web')).toHaveLength(1);
  });

  it('have a memory limit above the reserve only where the operator allows it', () => {
    const group = task({ CPU: 100, MemoryMB: 128, MemoryMaxMB: 512 });
    const max = (cluster: TestCluster, id: string) =>
      cluster.live(id)[0]!.AllocatedResources!.Tasks!['t']!.Memory.MemoryMaxMB;
    const cluster = place(group, racks(1));
    expect(max(cluster, 'web')).toBe(0);
    cluster.rows.schedulerConfiguration.set('scheduler', { MemoryOversubscriptionEnabled: true });
    cluster.register(testJob('more', group));
    expect(max(cluster, 'more')).toBe(512);
  });

  it('end where the node takes no more allocations', () => {
    const cluster = place({ Count: 3 }, [testNode('n1', { NodeMaxAllocs: 2 })]);
    expect(cluster.live('web')).toHaveLength(2);
  });
});

describe('ports', () => {
  const ports = (...list: readonly object[]) =>
    ({
      Networks: [
        {
          DynamicPorts: list.filter((port) => !('Value' in port)),
          ReservedPorts: list.filter((port) => 'Value' in port),
        },
      ],
    }) as Input<TaskGroup>;
  const given = (cluster: TestCluster) =>
    cluster.live('web').flatMap(({ AllocatedResources }) => AllocatedResources!.Shared.Ports!);
  const range = (first: number, last: number, reserved = '') =>
    testNode('n1', {
      NodeResources: { ...testNode('x').NodeResources!, MinDynamicPort: first, MaxDynamicPort: last },
      ReservedResources: { Cpu: {}, Memory: {}, Disk: {}, Networks: { ReservedHostPorts: reserved } } as never,
    });

  it('with a number are given once per node', () => {
    const cluster = place({ Count: 3, ...ports({ Label: 'http', Value: 8080 }) }, racks(2));
    expect(
      cluster
        .live('web')
        .map(({ NodeID }) => NodeID)
        .sort(),
    ).toEqual(['n0', 'n1']);
    const { failures } = cluster.evaluate([...cluster.rows.jobs.values()][0]!);
    expect(failures['g']!.DimensionExhausted).toEqual({ 'network: reserved port collision http=8080': 2 });
  });

  it('that several may share are not in each other’s way', () => {
    const cluster = place({ Count: 2, ...ports({ Label: 'http', Value: 8080, IgnoreCollision: true }) }, racks(1));
    expect(cluster.live('web')).toHaveLength(2);
  });

  it('are chosen in the node’s range, all of them if need be, none that is kept back', () => {
    const cluster = place({ Count: 20, ...ports({ Label: 'a' }) }, [range(30_000, 30_009, '30003,30005-30006')]);
    expect(
      given(cluster)
        .map(({ Value }) => Value)
        .sort(),
    ).toEqual([30_000, 30_001, 30_002, 30_004, 30_007, 30_008, 30_009]);
    const { failures } = cluster.evaluate([...cluster.rows.jobs.values()][0]!);
    expect(failures['g']!.DimensionExhausted).toEqual({ 'network: dynamic port selection failed': 1 });
  });

  it('say where they lead inside the allocation’s network', () => {
    const cluster = place(
      ports({ Label: 'a', To: -1 }, { Label: 'b', To: 80 }, { Label: 'c', Value: 90, To: 91 }),
      racks(1),
    );
    const byLabel = Object.fromEntries(given(cluster).map((port) => [port.Label, port]));
    expect(byLabel['a']!.To).toBe(byLabel['a']!.Value);
    expect([byLabel['b']!.To, byLabel['c']!.Value, byLabel['c']!.To]).toEqual([80, 90, 91]);
  });

  it('may be on another of the node’s networks', () => {
    const address = (Alias: string, Address: string) => ({ Alias, Address, Family: 'ipv4', ReservedPorts: '' });
    const NodeNetworks = [{ Mode: 'host', Addresses: [address('default', '10.0.0.1'), address('public', '1.2.3.4')] }];
    const node = testNode('n1', { NodeResources: { ...testNode('x').NodeResources!, NodeNetworks } });
    const cluster = place(
      { Count: 1, ...ports({ Label: 'a', Value: 80, HostNetwork: 'public' }, { Label: 'b', Value: 80 }) },
      [node],
    );
    expect(given(cluster).map(({ Label, HostIP }) => [Label, HostIP])).toEqual([
      ['a', '1.2.3.4'],
      ['b', '10.0.0.1'],
    ]);
  });

  it('of a task’s own network are given too', () => {
    const network = { Networks: [{ DynamicPorts: [{ Label: 'a' }], MBits: 10 }] };
    const cluster = place({ Count: 2, ...task({ CPU: 100, ...network }) }, racks(1));
    const values = cluster
      .live('web')
      .map(({ AllocatedResources }) => AllocatedResources!.Tasks!['t']!.Networks![0]!.DynamicPorts![0]!.Value);
    expect(new Set(values).size).toBe(2);
    expect(cluster.violations()).toEqual([]);
  });
});
