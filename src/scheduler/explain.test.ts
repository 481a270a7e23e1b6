import { describe, expect, it } from 'vitest';
import { explain } from './explain.ts';
import { TestCluster, testJob, testNode } from './test-cluster.ts';

describe('the explanation', () => {
  it('has every reason of every node, and none for a node that will do', () => {
    const cluster = new TestCluster();
    cluster.putNode(testNode('good'));
    cluster.putNode(
      testNode('away', {
        Status: 'down',
        SchedulingEligibility: 'ineligible',
        Datacenter: 'dc2',
        NodePool: 'gpu',
        Drivers: {},
      }),
    );
    cluster.putNode(testNode('leaving', { DrainStrategy: {} as never, SchedulingEligibility: 'ineligible' }));
    cluster.register(
      testJob('big', { Tasks: [{ Name: 't', Driver: 'mock_driver', Resources: { CPU: 3950, MemoryMB: 8100 } }] }),
    );
    cluster.putNode(testNode('free'));
    const sick = {
      mock_driver: {
        ...testNode('x').Drivers!['mock_driver']!,
        Healthy: false,
        HealthDescription: 'the daemon is away',
      },
    };
    cluster.putNode(testNode('sick', { Drivers: sick }));
    const network = { Networks: [{ ReservedPorts: [{ Label: 'http', Value: 80 }] }] };
    const distinct = { Constraints: [{ LTarget: '', Operand: 'distinct_hosts', RTarget: 'true' }] };
    cluster.register(testJob('web', { ...network, ...distinct }));
    const job =
      cluster.register(testJob('web', { ...network, ...distinct }, { Datacenters: ['dc1', 'eu-*'] })) &&
      [...cluster.rows.jobs.values()][1]!;
    const reasons = Object.fromEntries(
      explain(cluster.snapshot, job, job.TaskGroups[0]!).map((node) => [
        node.nodeId,
        node.reasons.map(({ text }) => text),
      ]),
    );
    expect(reasons).toEqual({
      good: ['cpu exhausted', 'memory exhausted'],
      away: [
        'node is down',
        'node is not eligible for scheduling',
        'node pool "gpu" is not the job\'s "default"',
        'datacenter "dc2" is not among the job\'s: "dc1", "eu-*"',
        'missing drivers: mock_driver (this node knows none of that name)',
      ],
      sick: ['missing drivers: mock_driver (the daemon is away)'],
      leaving: ['node is draining'],
      free: ['distinct_hosts', 'network: reserved port collision http=80'],
    });
  });
});
