import { describe, expect, it } from 'vitest';
import { silentLog } from '../lib/log.ts';
import { seededRandom } from '../lib/seeded-random.ts';
import { AllocatedResources } from '../model/allocated-resources.ts';
import { Allocation } from '../model/allocation.ts';
import { fill } from '../model/fill.ts';
import type { Input } from '../model/schema.ts';
import type { Decision } from '../scheduler/scheduler.ts';
import { serverContext } from './context.ts';
import { applyDecision } from './plan-applier.ts';
import { type Cluster, register, startCluster, testJob, testNode } from './test-cluster.ts';

const never = new AbortController().signal;

async function cluster(
  job = testJob('web'),
): Promise<Cluster & { apply(decision: Decision): ReturnType<typeof applyDecision> }> {
  const made = await startCluster({ server: { schedulers: 0 } });
  for (const id of ['n1', 'n2']) await made.server.connection().register(testNode(id), never);
  await register(made.server, job);
  const { store, clock, newId } = made;
  const context = serverContext({ store, clock, newId, random: seededRandom(1), log: silentLog, region: 'global' });
  return { ...made, apply: (decision) => applyDecision(context, decision) };
}

function placement(ID: string, NodeID: string, more: Input<Allocation> = {}): Allocation {
  const Networks = [{ IP: '10.0.0.1', ReservedPorts: [{ Label: 'http', Value: 8080 }] }];
  const AllocatedResources_ = fill(AllocatedResources, {
    Tasks: { t: { Cpu: { CpuShares: 400 }, Memory: { MemoryMB: 50 } } },
    Shared: { DiskMB: 10, Networks },
  });
  const base = {
    ID,
    NodeID,
    Namespace: 'default',
    JobID: 'web',
    TaskGroup: 'g',
    DesiredStatus: 'run',
    ClientStatus: 'pending',
  };
  return fill(Allocation, { ...base, AllocatedResources: AllocatedResources_, ...more });
}

function decide(made: Cluster, placements: readonly Allocation[], stops: readonly Allocation[] = []): Decision {
  const evaluation = [...made.store.snapshot().scan('evaluations')][0]!;
  return {
    plan: { evaluation, stops, placements, deployment: null, deploymentUpdates: [], annotations: null },
    evaluation: { ...evaluation, Status: 'complete' },
    followUps: [],
    failures: {},
  };
}

const ids = ({ store }: Cluster): string[] => [...store.snapshot().scan('allocations')].map((one) => one.ID);

describe('the plan applier', () => {
  it('gives a port once, though two plans made on the same state want it', async () => {
    const made = await cluster();
    const [first, second] = await Promise.all([
      made.apply(decide(made, [placement('a', 'n1')])),
      made.apply(decide(made, [placement('b', 'n1')])),
    ]);
    expect([first.rejectedNodes, second.rejectedNodes]).toEqual([[], ['n1']]);
    expect(ids(made)).toEqual(['a']);
  });

  it('keeps the part of a plan that fits, and leaves the evaluation for another pass', async () => {
    const made = await cluster();
    await made.apply(decide(made, [placement('a', 'n1')]));
    const partial = decide(made, [placement('b', 'n1'), placement('c', 'n2')]);
    const before = made.store.snapshot().get('evaluations', partial.evaluation.ID);
    expect((await made.apply(partial)).rejectedNodes).toEqual(['n1']);
    expect(ids(made)).toEqual(['a', 'c']);
    expect(made.store.snapshot().get('evaluations', partial.evaluation.ID)).toEqual(before);
  });

  it('keeps nothing of it where the job is all at once', async () => {
    const made = await cluster(testJob('web', { AllAtOnce: true }));
    await made.apply(decide(made, [placement('a', 'n1')]));
    await made.apply(decide(made, [placement('b', 'n1'), placement('c', 'n2')]));
    expect(ids(made)).toEqual(['a']);
  });

  it('gives a port again in the write that stops its holder', async () => {
    const made = await cluster();
    await made.apply(decide(made, [placement('a', 'n1')]));
    const stop = { ...made.store.snapshot().get('allocations', 'a')!, DesiredStatus: 'stop' };
    const next = decide(made, [placement('b', 'n1', { PreviousAllocation: 'a' })], [stop]);
    expect((await made.apply(next)).rejectedNodes).toEqual([]);
    expect(made.store.snapshot().get('allocations', 'a')).toMatchObject({ DesiredStatus: 'stop', NextAllocation: 'b' });
  });

  it.each([
    [
      'is not eligible any more',
      async ({ server }: Cluster) => server.setEligibility({ nodeId: 'n1', eligible: false }),
    ],
    ['is gone', async ({ server }: Cluster) => server.purgeNode({ nodeId: 'n1' })],
  ])('places nothing on a node that %s', async (_, change) => {
    const made = await cluster();
    const decision = decide(made, [placement('a', 'n1')]);
    await change(made);
    expect((await made.apply(decision)).rejectedNodes).toEqual(['n1']);
    expect(ids(made)).toEqual([]);
  });

  it('places nothing of a job that was purged since', async () => {
    const made = await cluster();
    const decision = decide(made, [placement('a', 'n1')]);
    await made.server.deregisterJob({
      namespace: 'default',
      id: 'web',
      purge: true,
      evalPriority: 0,
      noShutdownDelay: false,
    });
    await made.apply(decision);
    expect(ids(made)).toEqual([]);
  });

  it('does not take back what a client reported since the plan was made', async () => {
    const made = await cluster();
    await made.apply(decide(made, [placement('a', 'n1')]));
    const old = made.store.snapshot().get('allocations', 'a')!;
    const report = { ID: 'a', NodeID: 'n1', ClientStatus: 'complete', ClientDescription: 'done', TaskStates: {} };
    const who = { nodeId: 'n1', secretId: 'secret-of-n1' };
    await made.server
      .connection()
      .updateAllocations(who, [{ ...report, DeploymentStatus: null, NetworkStatus: null }], never);
    await made.apply(decide(made, [], [{ ...old, DesiredStatus: 'stop', ClientStatus: 'lost' }]));
    expect(made.store.snapshot().get('allocations', 'a')).toMatchObject({
      DesiredStatus: 'stop',
      ClientStatus: 'complete',
    });
  });
});
