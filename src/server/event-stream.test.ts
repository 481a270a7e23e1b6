import { describe, expect, it } from 'vitest';
import type { EventBatch } from './event-stream.ts';
import { settle } from './manual-clock.ts';
import { type Cluster, register, startCluster, testJob, testNode } from './test-cluster.ts';

const told = (batches: readonly EventBatch[]) =>
  batches.flatMap(({ events }) => events.map(({ topic, type, key }) => [topic, type, key]));

function follow({ server }: Cluster, from: number) {
  const end = new AbortController();
  const batches: EventBatch[] = [];
  const reading = (async () => {
    for await (const batch of server.followEvents(from, end.signal)) batches.push(batch);
  })();
  return {
    batches,
    stop: async () => {
      end.abort();
      await reading;
    },
  };
}

const stopJob = { namespace: 'default', purge: false, evalPriority: 0, noShutdownDelay: false };

describe('the stream of events', () => {
  it('tells each write as it comes, every row of it with the kind of the write', async () => {
    const cluster = await startCluster();
    const { server } = cluster;
    const { batches, stop } = follow(cluster, 0);
    await settle();
    await server.connection().register(testNode('n1'), new AbortController().signal);
    await register(server, testJob('a'));
    await settle();
    await server.setEligibility({ nodeId: 'n1', eligible: false });
    await server.putNodePool({ Name: 'gpu' });
    await server.deregisterJob({ ...stopJob, id: 'a' });
    await settle();
    await stop();
    const all = told(batches);
    expect(all).toContainEqual(['Node', 'NodeRegistration', 'n1']);
    expect(all).toContainEqual(['Job', 'JobRegistered', 'a']);
    expect(all).toContainEqual(['Job', 'PlanResult', 'a']);
    expect(all).toContainEqual(['Node', 'NodeEligibility', 'n1']);
    expect(all).toContainEqual(['NodePool', 'NodePoolUpserted', 'gpu']);
    expect(all).toContainEqual(['Job', 'JobDeregistered', 'a']);
    expect(batches.map(({ index }) => index)).toEqual([...batches.map(({ index }) => index)].sort((x, y) => x - y));
    const placed = batches.flatMap(({ events }) => events).find(({ topic }) => topic === 'Allocation');
    expect([placed?.type, placed?.namespace, placed?.filterKeys[0]]).toEqual(['PlanResult', 'default', 'a']);
  });

  it('begins again where its reader names an index that is still kept', async () => {
    const cluster = await startCluster();
    await register(cluster.server, testJob('a'));
    await settle();
    const { index } = await register(cluster.server, testJob('b'));
    await register(cluster.server, testJob('c'));
    const { batches, stop } = follow(cluster, index);
    await settle();
    await stop();
    const jobs = told(batches).filter(([topic, type]) => topic === 'Job' && type === 'JobRegistered');
    expect(jobs.map(([, , key]) => key)).toEqual(['b', 'c']);
  });

  it('lets go of a reader that does not read', async () => {
    const cluster = await startCluster();
    const reading = cluster.server.followEvents(0, new AbortController().signal)[Symbol.asyncIterator]();
    const first = reading.next();
    for (let round = 0; round < 1100; round++) await cluster.server.putNodePool({ Name: 'gpu' });
    expect((await first).done).toBe(false);
    expect((await reading.next()).done).toBe(true);
  });
});
