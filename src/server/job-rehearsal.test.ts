import { describe, expect, it } from 'vitest';
import { Fault } from '../lib/fault.ts';
import { DriverInfo } from '../model/driver-info.ts';
import { fill } from '../model/fill.ts';
import type { RehearsalAnswer, RehearsalAsk } from '../model/rehearsal.ts';
import type { NodeConnection } from './node-connection.ts';
import { type Cluster, startCluster, testJob, testNode } from './test-cluster.ts';

const never = new AbortController().signal;
const refuses = (...Refusals: string[]): ((ask: RehearsalAsk) => RehearsalAnswer) => {
  return ({ Allocations }) => ({
    Groups: Allocations.map(({ TaskGroup }) => ({
      Name: TaskGroup,
      Tasks: [{ Name: 't', Refusals, NotAsked: '' }],
    })),
  });
};

const driver = fill(DriverInfo, { Detected: true, Healthy: true });

async function clusterOf(
  nodes: number,
  rehearse: NodeConnection['rehearse'],
  more: (at: number) => object = () => ({}),
) {
  const cluster = await startCluster({ server: { nodes: { rehearse } } });
  const connection = cluster.server.connection();
  for (let at = 0; at < nodes; at++)
    await connection.register({ ...testNode(`n${at}`), Drivers: { mock_driver: driver }, ...more(at) }, never);
  for (let at = 0; at < nodes; at++)
    await connection.heartbeat({ nodeId: `n${at}`, secretId: `secret-of-n${at}` }, never);
  return cluster;
}

const explained = async ({ server }: Cluster, signal = never) => {
  const { Groups } = await server.explainJob(testJob('job'), signal);
  return Groups[0]!.Nodes.map(({ NodeID, Reasons, Tasks }) => ({
    node: NodeID,
    reasons: Reasons.length,
    refusals: Tasks[0]!.Refusals,
    notAsked: Tasks[0]!.NotAsked,
  }));
};

describe('what nodes would refuse', () => {
  it('is asked of each that would take the group, with the allocation that it would get, and of no other', async () => {
    const asked: [string, RehearsalAsk][] = [];
    const cluster = await clusterOf(
      3,
      async (node, ask) => {
        asked.push([node.ID, ask]);
        if (node.ID === 'n1') throw new Fault('unavailable', 'it is not reached');
        return refuses('no')(ask);
      },
      (at) => (at === 2 ? { Datacenter: 'elsewhere' } : {}),
    );
    expect(await explained(cluster)).toEqual([
      { node: 'n0', reasons: 0, refusals: ['no'], notAsked: '' },
      { node: 'n1', reasons: 0, refusals: [], notAsked: 'it is not reached' },
      { node: 'n2', reasons: 1, refusals: [], notAsked: 'no allocation of the group is placed there' },
    ]);
    expect(asked.map(([id]) => id).sort()).toEqual(['n0', 'n1']);
    const [, ask] = asked[0]!;
    expect(ask.Job.ID).toBe('job');
    expect(ask.Allocations).toMatchObject([{ NodeID: asked[0]![0], TaskGroup: 'g', Job: null }]);
    expect(ask.Allocations[0]!.AllocatedResources?.Tasks?.['t']?.Memory.MemoryMB).toBeGreaterThan(0);
  });

  it('is asked side by side, so many at once; those that had no turn in time are said to be not asked', async () => {
    let [atOnce, most] = [0, 0];
    const cluster = await clusterOf(
      100,
      async (node, ask, signal) => {
        most = Math.max(most, ++atOnce);
        if (node.Attributes?.['slow'] === '1')
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
        atOnce--;
        return refuses()(ask);
      },
      (at) => ({ Attributes: { 'kernel.name': 'linux', ...(at < 40 ? { slow: '1' } : {}) } }),
    );
    const answer = explained(cluster);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await cluster.clock.advance(15_000);
    const rows = await answer;
    expect(most).toBe(32);
    expect(new Set(rows.map(({ notAsked }) => notAsked))).toEqual(new Set(['no answer within 15 s', '']));
    // the first of each kind had its turn, also where most of the others were slow
    expect(rows.some(({ notAsked }) => notAsked === '')).toBe(true);
  });

  it('is asked of nobody any more once the caller is gone', async () => {
    const caller = new AbortController();
    const ended: string[] = [];
    const cluster = await clusterOf(40, async (node, _ask, signal) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      ended.push(node.ID);
      throw new Error('given up');
    });
    const answer = explained(cluster, caller.signal);
    await new Promise((resolve) => setTimeout(resolve, 20));
    caller.abort();
    await expect(answer).rejects.toThrow();
    expect(ended).toHaveLength(32);
  });
});
