import { describe, expect, it } from 'vitest';
import { fill } from '../../model/fill.ts';
import { abilityAttributes, predictIsolation } from '../../model/isolation-ability.ts';
import { allLines, linesOf } from '../../model/isolation-ladder.ts';
import { Namespace } from '../../model/namespace.ts';
import { TestCluster, testJob, testNode } from '../test-cluster.ts';

const sandbox = new Set([...linesOf.process, ...linesOf.sandbox]);
const container = new Set([...sandbox, ...linesOf.container]);
const strict = abilityAttributes('mock_driver', { ownNetwork: container, hostNetwork: sandbox, unasked: null });
const loose = abilityAttributes('mock_driver', {
  ownNetwork: new Set([...sandbox].filter((line) => line !== 'seccomp')),
  hostNetwork: new Set([...sandbox].filter((line) => line !== 'seccomp')),
  unasked: null,
});
const base = testNode('x').Attributes!;

function cluster() {
  const made = new TestCluster();
  made.putNode(testNode('strict', { Attributes: { ...base, ...strict } }));
  made.putNode(testNode('loose', { Attributes: { ...base, ...loose } }));
  made.putNode(testNode('silent'));
  return made;
}

const filtered = (made: TestCluster, isolation: object, group: object = {}, job: object = {}) => {
  const { plan, failures } = made.register(testJob('web', { Count: 1, Isolation: isolation, ...group }, job));
  return { nodes: plan.placements.map(({ NodeID }) => NodeID), reasons: failures['g']?.ConstraintFiltered ?? {} };
};

describe('the scheduler', () => {
  it('places a task only where its floor was proved', () => {
    expect(filtered(cluster(), { Min: 'sandbox' }).nodes).toEqual(['strict']);
  });

  it('says of each other node what is missing', () => {
    const { nodes, reasons } = filtered(cluster(), { Min: 'vm' });
    expect(nodes).toEqual([]);
    expect(Object.keys(reasons)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/demands "vm", mock_driver gives "process" here; missing: seccomp/),
        expect.stringMatching(/driver "mock_driver" proves none here/),
      ]),
    );
  });

  it('knows that a task which keeps the host’s network cannot reach rung container', () => {
    expect(filtered(cluster(), { Min: 'container' }).nodes).toEqual([]);
    expect(filtered(cluster(), { Min: 'container' }, { Networks: [{ Mode: 'none' }] }).nodes).toEqual(['strict']);
  });

  it('knows that root of raw_exec is the host’s, and that of exec is not', () => {
    const ability = { ownNetwork: container, hostNetwork: sandbox, unasked: null };
    const floor = { min: 'process', require: [], onDegrade: '' } as const;
    const foretold = (driver: string, user: string) =>
      predictIsolation(
        abilityAttributes(driver, ability),
        { Networks: [] },
        { Driver: driver, User: user, Config: {} },
        floor,
      );
    for (const user of ['root', '0', 'root:daemon'])
      expect(foretold('raw_exec', user)).toMatchObject({ rung: 'none', missing: ['not_root', 'own_uid'] });
    expect(foretold('raw_exec', 'nobody')).toMatchObject({ rung: 'sandbox', missing: [] });
    expect(foretold('exec', 'root')).toMatchObject({ rung: 'sandbox', missing: [] });
  });

  it('asks for single lines whatever the rung', () => {
    expect(filtered(cluster(), { Require: ['pids'] }).nodes).toHaveLength(1);
    expect(filtered(cluster(), { Require: ['devices'] }, { Networks: [{ Mode: 'none' }] }).nodes).toEqual(['strict']);
  });

  it('holds every job of a namespace to its floor where that is enforced, and hands it to the node', () => {
    const made = cluster();
    const demand = { Mode: 'enforce', Min: 'sandbox' };
    made.rows.namespaces.set('default', fill(Namespace, { Name: 'default', Isolation: demand }));
    const { plan } = made.register(testJob('web', { Count: 2 }));
    expect(new Set(plan.placements.map(({ NodeID }) => NodeID))).toEqual(new Set(['strict']));
    expect(plan.placements[0]!.NamespaceIsolation).toMatchObject(demand);
  });

  it('holds every job to what a node demands of its tasks, on that node, and says whose demand it is', () => {
    const made = new TestCluster();
    const demands = (min: string) => ({ 'client.isolation.min': min, 'client.isolation.require': 'devices' });
    for (const [id, ability, min] of [
      ['kept', strict, 'sandbox'],
      ['not', loose, 'sandbox'],
      ['silent', {}, 'process'],
    ] as const)
      made.putNode(testNode(id, { Attributes: { ...base, ...ability, ...demands(min) } }));
    const network = { Networks: [{ Mode: 'none' }] };
    expect(filtered(made, {}, network).nodes).toEqual(['kept']);
    const { nodes, reasons } = filtered(
      made,
      {},
      { ...network, Count: 1 },
      { Constraints: [{ LTarget: '${node.unique.id}', Operand: '!=', RTarget: 'kept' }] },
    );
    expect(nodes).toEqual([]);
    expect(Object.keys(reasons)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(
          /the node demands of task "\w+" "sandbox" and devices, mock_driver gives "process" here; missing: seccomp/,
        ),
        expect.stringMatching(
          /the node demands of task "\w+" "process" and devices, driver "mock_driver" proves none here/,
        ),
      ]),
    );
    // the job's own demand is the higher one
    const higher = filtered(made, { Min: 'vm', Require: ['devices'] }, network);
    expect(Object.keys(higher.reasons)).toContainEqual(expect.stringMatching(/task "\w+" demands "vm" and devices/));
  });

  it('places anywhere where nothing is demanded, or only a warning is', () => {
    const made = cluster();
    made.rows.namespaces.set('default', fill(Namespace, { Name: 'default', Isolation: { Mode: 'warn', Min: 'vm' } }));
    expect(made.register(testJob('web', { Count: 3 })).plan.placements).toHaveLength(3);
  });
});

describe('what a task would get', () => {
  const group = { Networks: [{ Mode: 'none' }] } as never;
  const floor = { min: 'none', require: [], onDegrade: 'warn' } as const;

  it('loses what its own options give up', () => {
    const task = (Config: object) => ({ Driver: 'mock_driver', Config }) as never;
    expect(predictIsolation(strict, group, task({}), floor)?.rung).toBe('container');
    expect(predictIsolation(strict, group, task({ cap_add: ['net_raw'] }), floor)?.rung).toBe('process');
    expect(predictIsolation(strict, group, task({ pid_mode: 'host' }), floor)?.rung).toBe('process');
    // its namespace was what could be killed as one
    const noGroups = { ...strict, 'isolation.cgroup.kill': 'no cgroup file system' };
    expect(predictIsolation(noGroups, group, task({ pid_mode: 'host' }), floor)?.rung).toBe('none');
  });

  it("loses its empty capabilities with a low static port of the host's network, and none in a network of its own", () => {
    const made = abilityAttributes('exec', { ownNetwork: sandbox, hostNetwork: sandbox, unasked: null });
    const rung = (Mode: string, Value: number) => {
      const of = { Networks: [{ Mode, ReservedPorts: [{ Label: 'http', Value }] }] } as never;
      return predictIsolation(made, of, { Driver: 'exec', Config: {} } as never, floor)?.rung;
    };
    expect(rung('host', 80)).toBe('process');
    expect(rung('host', 8080)).toBe('sandbox');
    expect(rung('bridge', 80)).toBe('sandbox');
  });

  it('loses with a volume that it may write what rests on an id of its own, where the node says that such a task has none', () => {
    const ability = { ownNetwork: container, hostNetwork: sandbox, unasked: null };
    const byUser = abilityAttributes('exec', { ...ability, lostByWriters: ['user_namespace', 'devices'] });
    const rung = (attributes: Readonly<Record<string, string>>, ofGroup: boolean, ofTask: boolean) => {
      const of = { Networks: [{ Mode: 'none' }], Volumes: { v: { ReadOnly: ofGroup } } } as never;
      const task = { Driver: 'exec', Config: {}, VolumeMounts: [{ Volume: 'v', ReadOnly: ofTask }] } as never;
      return predictIsolation(attributes, of, task, floor)?.rung;
    };
    expect(rung(byUser, false, false)).toBe('sandbox');
    expect([rung(byUser, true, false), rung(byUser, false, true)]).toEqual(['container', 'container']);
    expect(rung(abilityAttributes('exec', ability), false, false)).toBe('container');
  });

  it('is what the driver gives unasked where nothing is demanded', () => {
    const attributes = abilityAttributes('raw', { ownNetwork: sandbox, hostNetwork: sandbox, unasked: 'none' });
    const task = { Driver: 'raw', Config: {} } as never;
    expect(predictIsolation(attributes, group, task, floor)?.rung).toBe('none');
    expect(predictIsolation(attributes, group, task, { ...floor, min: 'process' })).toMatchObject({
      rung: 'sandbox',
      missing: [],
    });
  });

  it('is read back from a node as it was written, to the line', () => {
    const only = new Set(allLines.filter((_, at) => at % 3 !== 0));
    const attributes = abilityAttributes('raw', { ownNetwork: only, hostNetwork: sandbox, unasked: null });
    const found = predictIsolation(attributes, group, { Driver: 'raw', Config: {} } as never, floor);
    expect(found?.lines).toEqual(only);
  });
});
