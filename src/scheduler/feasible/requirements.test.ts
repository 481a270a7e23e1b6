import { describe, expect, it } from 'vitest';
import type { Constraint } from '../../model/constraint.ts';
import type { Node } from '../../model/node.ts';
import type { Input } from '../../model/schema.ts';
import type { TaskGroup } from '../../model/task-group.ts';
import { TestCluster, testJob, testNode } from '../test-cluster.ts';
import { groupRequirements } from './requirements.ts';

function reasons(node: Node, group: Input<TaskGroup>, constraints: readonly Constraint[] = []): readonly string[] {
  const job = testJob('web', group, { Constraints: constraints });
  return groupRequirements(job, job.TaskGroups[0]!)
    .map((requirement) => requirement.unmetBy(node))
    .filter((reason) => reason !== undefined);
}

const constraint = (LTarget: string, Operand: string, RTarget: string): Constraint => ({ LTarget, Operand, RTarget });
const task = (changes: object) => ({ Tasks: [{ Name: 't', Driver: 'mock_driver', ...changes }] });

describe('a requirement', () => {
  it('asks for attributes, meta and the node’s own names', () => {
    const node = testNode('n1', { NodeClass: 'big', Meta: { rack: 'r1' } });
    const all = [
      constraint('${attr.kernel.name}', '=', 'linux'),
      constraint('${meta.rack}', '=', 'r1'),
      constraint('${node.class}', '=', 'big'),
      constraint('${node.unique.id}', '=', 'n1'),
      constraint('${node.unique.name}', '=', 'name-of-n1'),
      constraint('${node.datacenter}', '=', 'dc1'),
      constraint('${node.pool}', '=', 'default'),
      constraint('same', '=', 'same'),
    ];
    expect(reasons(node, {}, all)).toEqual([]);
    expect(
      reasons(node, {}, [constraint('${meta.none}', '=', 'x'), constraint('${meta.toString}', 'is_set', '')]),
    ).toEqual(['${meta.none} = x', '${meta.toString} is_set ']);
  });

  it('is stated by job, group and task, each counted once', () => {
    const plan9 = constraint('${attr.kernel.name}', '=', 'plan9');
    const group = { Constraints: [plan9], ...task({ Constraints: [plan9, constraint('${meta.x}', 'is_set', '')] }) };
    expect(reasons(testNode('n1'), group, [plan9])).toEqual(['${attr.kernel.name} = plan9', '${meta.x} is_set ']);
  });

  it('wants drivers that are there and healthy', () => {
    const sick = { mock_driver: { Detected: true, Healthy: false } } as unknown as Node['Drivers'];
    expect(reasons(testNode('n1', { Drivers: sick }), {})).toEqual(['missing drivers']);
    expect(reasons(testNode('n1'), { Tasks: [{ Name: 't', Driver: 'docker' }] })).toEqual(['missing drivers']);
  });

  it('wants drivers that give volumes where tasks mount some', () => {
    const bare = testNode('n1', { Attributes: { 'driver.mock_driver.volumes': '0' } });
    const mounting = task({ VolumeMounts: [{ Volume: 'v', Destination: '/v' }] });
    expect(reasons(bare, {})).toEqual([]);
    expect(reasons(testNode('n1'), mounting)).toEqual([]);
    expect(reasons(bare, mounting)).toEqual([
      'task "t" mounts volumes, and mock_driver has no volumes here: nothing makes a sandbox',
    ]);
  });

  it('wants host volumes, writable ones where it writes', () => {
    const node = testNode('n1', { HostVolumes: { data: { Path: '/d', ReadOnly: true, ID: '' } } });
    const wants = (Source: string, ReadOnly: boolean) => ({ Volumes: { v: { Type: 'host', Source, ReadOnly } } });
    expect(reasons(node, wants('data', true))).toEqual([]);
    expect(reasons(node, wants('data', false))).toEqual(['missing compatible host volumes']);
    expect(reasons(node, wants('other', true))).toEqual(['missing compatible host volumes']);
  });

  it('says what is not served', () => {
    const wants = {
      Volumes: { v: { Type: 'csi', Source: 's' } },
      ...task({ Resources: { Devices: [{ Name: 'gpu' }] } }),
    };
    expect(reasons(testNode('n1'), wants)).toEqual(['CSI volumes are not served yet', 'missing devices']);
  });

  it('wants the network’s mode and its host networks', () => {
    const bridged = { ...testNode('n1').NodeResources!, Networks: [{ Mode: 'bridge' }] };
    const cni = 'missing network';
    expect(reasons(testNode('n1'), { Networks: [{ Mode: 'cni/mine' }] })).toEqual([cni]);
    expect(reasons(testNode('n1', { NodeResources: bridged }), { Networks: [{ Mode: 'bridge' }] })).not.toContain(cni);
    expect(
      reasons(testNode('n1'), { Networks: [{ DynamicPorts: [{ Label: 'http', HostNetwork: 'public' }] }] }),
    ).toEqual(['missing host network "public" for port "http"']);
  });
});

describe('distinct rules', () => {
  it('put at most one allocation of the job on a host', () => {
    const cluster = new TestCluster();
    cluster.addNodes(3);
    const job = testJob('web', { Count: 4 }, { Constraints: [constraint('', 'distinct_hosts', 'true')] });
    const { plan, failures } = cluster.register(job);
    expect(new Set(plan.placements.map(({ NodeID }) => NodeID)).size).toBe(3);
    expect(failures['g']).toMatchObject({ ConstraintFiltered: { distinct_hosts: 3 }, NodesFiltered: 3 });
  });

  it('do nothing where the constraint says false', () => {
    const cluster = new TestCluster();
    cluster.addNodes(1);
    const job = testJob('web', { Count: 3, Constraints: [constraint('', 'distinct_hosts', 'false')] });
    expect(cluster.register(job).plan.placements).toHaveLength(3);
  });

  it('put at most so many allocations on nodes with one value of a property', () => {
    const cluster = new TestCluster();
    for (const at of [0, 1, 2, 3]) cluster.putNode(testNode(`n${at}`, { Meta: { rack: `r${at % 2}` } }));
    cluster.putNode(testNode('bare'));
    const job = testJob('web', { Count: 5, Constraints: [constraint('${meta.rack}', 'distinct_property', '2')] });
    const { plan, failures } = cluster.register(job);
    const racks = plan.placements.map(({ NodeID }) => cluster.rows.nodes.get(NodeID)!.Meta!['rack']);
    expect(racks.sort()).toEqual(['r0', 'r0', 'r1', 'r1']);
    expect(failures['g']!.ConstraintFiltered).toEqual({
      'distinct_property: ${meta.rack}=r0 used by 2 allocs': 2,
      'distinct_property: ${meta.rack}=r1 used by 2 allocs': 2,
      'missing property "${meta.rack}"': 1,
    });
  });
});
