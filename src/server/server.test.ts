import { describe, expect, it } from 'vitest';
import type { NodeCredentials, ServerConnection } from '../client/server-connection.ts';
import { isFault } from '../lib/fault.ts';
import type { Allocation } from '../model/allocation.ts';
import { jobId } from '../model/job-id.ts';
import { settle } from './manual-clock.ts';
import { type Cluster, register, startCluster, testJob, testNode } from './test-cluster.ts';

const never = new AbortController().signal;
const who = (nodeId: string): NodeCredentials => ({ nodeId, secretId: `secret-of-${nodeId}` });

async function withNodes(...ids: string[]): Promise<Cluster & { readonly client: ServerConnection }> {
  const cluster = await startCluster();
  const client = cluster.server.connection();
  for (const id of ids) await client.register(testNode(id), never);
  await settle();
  return { ...cluster, client };
}

const allocationsOf = ({ store }: Cluster, job: string): Allocation[] => [
  ...store.snapshot().by('allocations', 'job', jobId('default', job)),
];
const jobOf = ({ store }: Cluster, id: string) => store.snapshot().get('jobs', jobId('default', id));
const summaryOf = ({ store }: Cluster, id: string) =>
  store.snapshot().get('jobSummaries', jobId('default', id))?.Summary?.['g'];

function report(allocation: Allocation, ClientStatus: string, time: number, Healthy: boolean | null = null) {
  return {
    ID: allocation.ID,
    NodeID: allocation.NodeID,
    ClientStatus,
    ClientDescription: '',
    TaskStates: { t: { Events: [{ Time: time }] } } as never,
    DeploymentStatus:
      Healthy === null ? null : { Healthy, Timestamp: '2026-01-01T00:00:00Z', Canary: false, ModifyIndex: 0 },
    NetworkStatus: null,
  };
}

describe('a server', () => {
  it('begins with the default namespace, the node pools and a scheduler configuration, once', async () => {
    const cluster = await startCluster();
    const { index } = cluster.store.snapshot();
    expect([...cluster.store.snapshot().scan('nodePools')].map((pool) => pool.Name)).toEqual(['all', 'default']);
    expect(cluster.store.snapshot().get('namespaces', 'default')?.Description).toBe('Default shared namespace');
    const again = await cluster.restart();
    expect(again.store.snapshot().index).toBe(index);
  });

  it('takes a job from registration to running to its end', async () => {
    const cluster = await withNodes('n1');
    const { server, client } = cluster;
    const answer = await register(server, testJob('web'));
    expect(answer).toMatchObject({ evalCreateIndex: answer.index, jobModifyIndex: answer.index });
    expect(jobOf(cluster, 'web')).toMatchObject({ Status: 'pending', Version: 0, JobModifyIndex: answer.index });
    await settle();
    const [allocation] = allocationsOf(cluster, 'web');
    expect(allocation).toMatchObject({
      NodeID: 'n1',
      DesiredStatus: 'run',
      ClientStatus: 'pending',
      EvalID: answer.evalId,
      Job: null,
    });
    expect(jobOf(cluster, 'web')?.Status).toBe('running');
    expect(summaryOf(cluster, 'web')).toMatchObject({ Starting: 1, Running: 0, Queued: 0 });
    expect(cluster.store.snapshot().get('evaluations', answer.evalId)).toMatchObject({
      Status: 'complete',
      TriggeredBy: 'job-register',
    });

    const watch = await client.watchAllocations(who('n1'), 0, never);
    expect(watch.allocations).toEqual({ [allocation!.ID]: allocation!.AllocModifyIndex });
    const [row] = await client.readAllocations(who('n1'), Object.keys(watch.allocations), never);
    expect(row?.Job).toMatchObject({ ID: 'web', Version: 0 });

    await client.updateAllocations(who('n1'), [report(allocation!, 'running', 1)], never);
    expect(summaryOf(cluster, 'web')).toMatchObject({ Starting: 0, Running: 1 });
    await server.deregisterJob({
      namespace: 'default',
      id: 'web',
      purge: false,
      evalPriority: 0,
      noShutdownDelay: false,
    });
    await settle();
    expect(allocationsOf(cluster, 'web')[0]).toMatchObject({ DesiredStatus: 'stop', ClientStatus: 'running' });
    await client.updateAllocations(who('n1'), [report(allocation!, 'complete', 2)], never);
    expect(jobOf(cluster, 'web')).toMatchObject({ Status: 'dead', Stop: true, Version: 1 });
    expect(summaryOf(cluster, 'web')).toMatchObject({ Running: 0, Complete: 1 });
  });

  it('makes a version only where the spec changed, and always an evaluation', async () => {
    const cluster = await withNodes('n1');
    const first = await register(cluster.server, testJob('web'));
    const same = await register(cluster.server, testJob('web'));
    expect(same.evalId).not.toBe(first.evalId);
    expect(same.jobModifyIndex).toBe(first.jobModifyIndex);
    const changed = await register(cluster.server, testJob('web', { Priority: 70 }));
    expect(changed.jobModifyIndex).toBe(changed.index);
    expect(jobOf(cluster, 'web')).toMatchObject({ Version: 1, Priority: 70, CreateIndex: first.index });
    const { server } = cluster;
    await server.revertJob({ namespace: 'default', id: 'web', version: 0, enforcePriorVersion: null });
    expect(jobOf(cluster, 'web')).toMatchObject({ Version: 2, Priority: 50 });
  });

  it('keeps six versions and those that allocations run', async () => {
    const cluster = await startCluster({ server: { schedulers: 0 } });
    for (let version = 0; version < 9; version++)
      await register(cluster.server, testJob('web', { Priority: 50 + version }));
    const versions = [...cluster.store.snapshot().by('jobVersions', 'job', jobId('default', 'web'))];
    expect(versions.map((job) => job.Version)).toEqual([3, 4, 5, 6, 7, 8]);
  });

  it.each([
    [{ enforceIndex: true, jobModifyIndex: 5 }, 'absent', 'Enforcing job modify index 5: job does not exist'],
    [{ enforceIndex: true, jobModifyIndex: 0 }, 'web', 'Enforcing job modify index 0: job already exists'],
    [
      { enforceIndex: true, jobModifyIndex: 1 },
      'web',
      /^Enforcing job modify index 1: job exists with conflicting job modify index: \d+$/,
    ],
    [{ evalPriority: 500 }, 'web', 'Eval priority must be between 1 and 100 inclusively'],
  ])('refuses a registration with %o of %s', async (more, id, message) => {
    const cluster = await withNodes();
    await register(cluster.server, testJob('web'));
    const base = {
      submission: null,
      enforceIndex: false,
      jobModifyIndex: 0,
      preserveCounts: false,
      preserveResources: false,
      evalPriority: 0,
    };
    await expect(cluster.server.registerJob({ ...base, ...more, job: testJob(id) })).rejects.toThrow(message);
  });

  it('refuses a job in a node pool or namespace that is not there, in Nomad’s words', async () => {
    const { server } = await startCluster();
    await expect(register(server, testJob('wp', { NodePool: 'nope' }))).rejects.toThrow(
      '1 error occurred:\n\t* job "wp" is in nonexistent node pool "nope"\n\n',
    );
    await expect(register(server, testJob('wn', { Namespace: 'nope' }))).rejects.toThrow(
      'nonexistent namespace "nope"',
    );
    await expect(register(server, { ID: 'bad', Name: 'bad' })).rejects.toMatchObject({ status: 500 });
  });

  it('answers zeros for an unknown job, and keeps allocations readable after a purge', async () => {
    const cluster = await withNodes('n1');
    const request = { namespace: 'default', purge: true, evalPriority: 0, noShutdownDelay: false };
    expect(await cluster.server.deregisterJob({ ...request, id: 'none' })).toEqual({
      evalId: '',
      evalCreateIndex: 0,
      jobModifyIndex: 0,
      index: 0,
    });
    await register(cluster.server, testJob('web'));
    await settle();
    await cluster.server.deregisterJob({ ...request, id: 'web' });
    await settle();
    expect(jobOf(cluster, 'web')).toBeUndefined();
    expect(allocationsOf(cluster, 'web')).toMatchObject([{ DesiredStatus: 'stop', Job: { ID: 'web', Version: 0 } }]);
    await register(cluster.server, testJob('web', { Priority: 80 }));
    expect(jobOf(cluster, 'web')).toMatchObject({ Version: 0, Priority: 80 });
    expect(allocationsOf(cluster, 'web')[0]?.Job?.Priority).toBe(50);
  });

  it('places what was blocked as soon as there is room', async () => {
    const cluster = await withNodes();
    await register(cluster.server, testJob('web'));
    await settle();
    expect(allocationsOf(cluster, 'web')).toHaveLength(0);
    expect([...cluster.store.snapshot().by('evaluations', 'status', 'blocked')]).toHaveLength(1);
    expect(summaryOf(cluster, 'web')?.Queued).toBe(1);
    await cluster.client.register(testNode('n1'), never);
    await settle();
    expect(allocationsOf(cluster, 'web')).toHaveLength(1);
    expect([...cluster.store.snapshot().by('evaluations', 'status', 'blocked')]).toHaveLength(0);
    expect(summaryOf(cluster, 'web')?.Queued).toBe(0);
  });

  it('frees blocked work when another job ends', async () => {
    const cluster = await withNodes('n1');
    const big = { Name: 't', Driver: 'mock_driver', Resources: { CPU: 800, MemoryMB: 50 } };
    const group = { Name: 'g', Count: 1, Tasks: [big], EphemeralDisk: { SizeMB: 150 } };
    await register(cluster.server, testJob('one', { TaskGroups: [group] }));
    await settle();
    await register(cluster.server, testJob('two', { TaskGroups: [group] }));
    await settle();
    expect(allocationsOf(cluster, 'two')).toHaveLength(0);
    await cluster.server.deregisterJob({
      namespace: 'default',
      id: 'one',
      purge: false,
      evalPriority: 0,
      noShutdownDelay: false,
    });
    await settle();
    expect(allocationsOf(cluster, 'two')).toHaveLength(1);
  });

  it('moves work from a node whose heartbeats stay away, and takes the node back', async () => {
    const cluster = await withNodes('n1');
    await register(cluster.server, testJob('web'));
    await settle();
    await cluster.clock.advance(15_000);
    await cluster.client.heartbeat(who('n1'), never);
    await cluster.client.register(testNode('n2'), never);
    for (let beat = 0; beat < 4; beat++) {
      await cluster.clock.advance(8_000);
      await cluster.client.heartbeat(who('n2'), never);
    }
    const node = cluster.store.snapshot().get('nodes', 'n1');
    expect(node).toMatchObject({ Status: 'down' });
    expect(node?.Events?.map((event) => event.Message)).toEqual(['Node registered', 'Node heartbeat missed']);
    expect(
      allocationsOf(cluster, 'web')
        .map(({ NodeID, ClientStatus }) => [NodeID, ClientStatus])
        .sort(),
    ).toEqual([
      ['n1', 'lost'],
      ['n2', 'pending'],
    ]);
    await cluster.client.heartbeat(who('n1'), never);
    expect(cluster.store.snapshot().get('nodes', 'n1')?.Status).toBe('ready');
  });

  it('refuses a node with another secret, and one that may not join', async () => {
    const { client, server } = await withNodes('n1');
    await expect(client.register(testNode('n1', { SecretID: 'other' }), never)).rejects.toMatchObject({
      kind: 'denied',
    });
    await expect(client.heartbeat({ nodeId: 'n1', secretId: 'other' }, never)).rejects.toMatchObject({
      kind: 'denied',
    });
    await expect(client.heartbeat(who('n9'), never)).rejects.toMatchObject({ kind: 'not_found' });
    const outside = server.connection({ mayJoin: false });
    await expect(outside.register(testNode('n2'), never)).rejects.toMatchObject({ kind: 'denied' });
    await outside.register(testNode('n1'), never);
  });

  it('writes nothing for heartbeats and for registering the same again', async () => {
    const { client, store, clock } = await withNodes('n1');
    const { index } = store.snapshot();
    for (let beat = 0; beat < 5; beat++) {
      await clock.advance(5_000);
      await client.heartbeat(who('n1'), never);
      await client.register(testNode('n1'), never);
    }
    expect(store.snapshot().index).toBe(index);
  });

  it('drains a node: moves what runs, then says it is done', async () => {
    const cluster = await withNodes('n1');
    await register(cluster.server, testJob('web'));
    await settle();
    const [allocation] = allocationsOf(cluster, 'web');
    await cluster.client.updateAllocations(who('n1'), [report(allocation!, 'running', 1, true)], never);
    await cluster.client.register(testNode('n2'), never);
    const request = { nodeId: 'n1', spec: { Deadline: 3600e9 }, markEligible: false, meta: { message: 'bye' } };
    expect(await cluster.server.drainNode(request)).toMatchObject({ evalIds: [], evalCreateIndex: 0 });
    await settle();
    expect(cluster.store.snapshot().get('nodes', 'n1')).toMatchObject({
      Drain: true,
      SchedulingEligibility: 'ineligible',
    });
    expect(allocationsOf(cluster, 'web').find((one) => one.NodeID === 'n1')).toMatchObject({ DesiredStatus: 'stop' });
    await cluster.client.updateAllocations(who('n1'), [report(allocation!, 'complete', 2, true)], never);
    await settle();
    const node = cluster.store.snapshot().get('nodes', 'n1');
    expect(node).toMatchObject({
      Drain: false,
      DrainStrategy: null,
      LastDrain: { Status: 'complete', Meta: { message: 'bye' } },
    });
    expect(node?.Events?.map((event) => event.Message).slice(-2)).toEqual([
      'Node drain strategy set',
      'Node drain complete',
    ]);
  });

  it('moves at most max_parallel of a group at once when it drains, all at the deadline', async () => {
    const cluster = await withNodes('n1');
    const task = { Name: 't', Driver: 'mock_driver', Resources: { CPU: 100, MemoryMB: 50 } };
    const group = { Name: 'g', Count: 3, Tasks: [task], EphemeralDisk: { SizeMB: 150 }, Migrate: { MaxParallel: 1 } };
    await register(cluster.server, testJob('web', { TaskGroups: [group] }));
    await settle();
    const running = allocationsOf(cluster, 'web').map((one) => report(one, 'running', 1, true));
    await cluster.client.updateAllocations(who('n1'), running, never);
    await cluster.client.register(testNode('n2'), never);
    await cluster.server.drainNode({ nodeId: 'n1', spec: { Deadline: 60e9 }, markEligible: false, meta: {} });
    await settle();
    const stopped = (): number =>
      allocationsOf(cluster, 'web').filter((one) => one.NodeID === 'n1' && one.DesiredStatus === 'stop').length;
    expect(stopped()).toBe(1);
    for (let beat = 0; beat < 8; beat++) {
      await cluster.clock.advance(8_000);
      await cluster.client.heartbeat(who('n1'), never);
      await cluster.client.heartbeat(who('n2'), never);
    }
    expect(stopped()).toBe(3);
  });

  it('counts a deployment’s health, ends it well and marks the version stable', async () => {
    const cluster = await withNodes('n1');
    await register(cluster.server, testJob('web'));
    await settle();
    const deployment = () => [...cluster.store.snapshot().scan('deployments')][0];
    expect(deployment()).toMatchObject({
      Status: 'running',
      TaskGroups: { g: { DesiredTotal: 1, PlacedAllocs: 1, HealthyAllocs: 0 } },
    });
    const [allocation] = allocationsOf(cluster, 'web');
    await cluster.client.updateAllocations(who('n1'), [report(allocation!, 'running', 1, true)], never);
    await settle();
    expect(deployment()).toMatchObject({
      Status: 'successful',
      StatusDescription: 'Deployment completed successfully',
    });
    expect(jobOf(cluster, 'web')?.Stable).toBe(true);
  });

  it('fails a deployment at its progress deadline and goes back to the stable version', async () => {
    const cluster = await withNodes('n1');
    const update = { Update: { AutoRevert: true, ProgressDeadline: 30e9, HealthyDeadline: 20e9, MinHealthyTime: 1e9 } };
    await register(cluster.server, testJob('web', update));
    await settle();
    await cluster.client.updateAllocations(
      who('n1'),
      [report(allocationsOf(cluster, 'web')[0]!, 'running', 1, true)],
      never,
    );
    await settle();
    await register(cluster.server, testJob('web', { ...update, Priority: 60 }));
    await settle();
    for (let beat = 0; beat < 5; beat++) {
      await cluster.clock.advance(8_000);
      await cluster.client.heartbeat(who('n1'), never);
    }
    const failed = [...cluster.store.snapshot().scan('deployments')].find((one) => one.JobVersion === 1);
    expect(failed).toMatchObject({
      Status: 'failed',
      StatusDescription: 'Failed due to progress deadline - rolling back to job version 0',
    });
    expect(jobOf(cluster, 'web')).toMatchObject({ Version: 2, Priority: 50 });
  });

  it('wakes a waiting client when its allocations change, and after one is taken away', async () => {
    const cluster = await withNodes('n1', 'n2');
    const first = await cluster.client.watchAllocations(who('n1'), 0, never);
    let woken = false;
    const waiting = cluster.client.watchAllocations(who('n1'), first.index, never).then((watch) => {
      woken = true;
      return watch;
    });
    await cluster.client.register(testNode('n2', { Meta: { a: 'b' } }), never);
    await settle();
    expect(woken).toBe(false);
    await register(cluster.server, testJob('web', { Type: 'batch' }));
    const watch = await waiting;
    const [id] = Object.keys(watch.allocations);
    const allocation = allocationsOf(cluster, 'web')[0]!;
    await cluster.client.updateAllocations(who('n1'), [report(allocation, 'complete', 1)], never);
    const removed = cluster.client.watchAllocations(who('n1'), cluster.store.snapshot().index, never);
    await cluster.server.collectGarbage();
    expect(Object.keys((await removed).allocations)).toEqual([]);
    expect(id).toBe(allocation.ID);
    expect(jobOf(cluster, 'web')).toBeUndefined();
  });

  it('goes on after a restart with what was unfinished', async () => {
    const before = await startCluster({ server: { schedulers: 0 } });
    await before.server.connection().register(testNode('n1'), never);
    await register(before.server, testJob('web'));
    const after = await startCluster({ disk: before.disk, clock: before.clock, newId: before.newId });
    expect(allocationsOf(after, 'web')).toHaveLength(1);
    await after.clock.advance(5 * 60_000);
    expect(after.store.snapshot().get('nodes', 'n1')?.Status).toBe('ready');
    await after.clock.advance(15_000);
    expect(after.store.snapshot().get('nodes', 'n1')?.Status).toBe('down');
  });

  it('tells a plan without doing it', async () => {
    const cluster = await withNodes('n1');
    await register(cluster.server, testJob('web'));
    await settle();
    const { index } = cluster.store.snapshot();
    const plan = await cluster.server.planJob({ job: testJob('web', { Priority: 60 }), diff: true });
    expect(plan).toMatchObject({
      jobModifyIndex: jobOf(cluster, 'web')!.JobModifyIndex,
      failures: null,
      createdEvals: null,
    });
    expect(plan.diff?.Type).toBe('Edited');
    expect(cluster.store.snapshot().index).toBe(index);
  });

  it('keeps what was done to the count of a group, newest first, until the job is gone', async () => {
    const cluster = await withNodes('n1');
    const { server, store } = cluster;
    await register(server, testJob('web', { Type: 'batch' }));
    await settle();
    const at = { namespace: 'default', id: 'web', group: 'g', error: false, meta: { who: 'me' } };
    const scaled = await server.scaleGroup({ ...at, count: 3, message: 'more' });
    await server.scaleGroup({ ...at, count: null, message: 'only a note' });
    const events = () => store.snapshot().get('scalingEvents', jobId('default', 'web'))?.ScalingEvents['g'];
    expect(events()).toMatchObject([
      { Count: null, PreviousCount: 3, Message: 'only a note', EvalID: null },
      { Count: 3, PreviousCount: 1, Message: 'more', EvalID: scaled.evalId, Meta: { who: 'me' } },
    ]);
    for (let note = 0; note < 30; note++) await server.scaleGroup({ ...at, count: null, message: String(note) });
    expect(
      events()
        ?.map((event) => event.Message)
        .slice(0, 2),
    ).toEqual(['29', '28']);
    expect(events()).toHaveLength(20);
    const stop = { namespace: 'default', id: 'web', evalPriority: 0, noShutdownDelay: false };
    await server.deregisterJob({ ...stop, purge: true });
    expect(events()).toBeUndefined();
  });

  it('gives a scaling policy an id and indexes that stay while it says the same, and turns it off with its job', async () => {
    const cluster = await withNodes('n1');
    const policy = (max: number, priority: number) => {
      const job = testJob('web', { Priority: priority });
      return { ...job, TaskGroups: job.TaskGroups!.map((group) => ({ ...group, Scaling: { Max: max, Policy: {} } })) };
    };
    const scaling = () => jobOf(cluster, 'web')!.TaskGroups[0]!.Scaling!;
    const first = await register(cluster.server, policy(4, 50));
    expect(scaling()).toMatchObject({ CreateIndex: first.index, ModifyIndex: first.index, Enabled: true });
    const { ID } = scaling();
    await register(cluster.server, policy(4, 60));
    expect(scaling()).toMatchObject({ ID, ModifyIndex: first.index });
    const third = await register(cluster.server, policy(5, 60));
    expect(scaling()).toMatchObject({ ID, CreateIndex: first.index, ModifyIndex: third.index });
    const stop = { namespace: 'default', id: 'web', evalPriority: 0, noShutdownDelay: false };
    await cluster.server.deregisterJob({ ...stop, purge: false });
    expect(scaling().Enabled).toBe(false);
  });

  it('says at every submission which blocks of a job it does nothing about', async () => {
    const { server } = await startCluster();
    const base = testJob('web');
    const job = {
      ...base,
      TaskGroups: base.TaskGroups!.map((group) => ({ ...group, Services: [{ Name: 'web', Provider: 'nomad' }] })),
    };
    const registered = await register(server, job);
    const { warnings } = await server.validateJob(job);
    const planned = await server.planJob({ job, diff: false });
    await register(server, base);
    const reverted = await server.revertJob({ namespace: 'default', id: 'web', version: 0, enforcePriorVersion: null });
    for (const said of [registered.warnings, warnings, planned.warnings, reverted.warnings])
      expect(said).toContain('group "g": the block "service" is not served by this version');
    expect((await register(server, testJob('plain'))).warnings).toBe('');
  });

  it('says the text clients know for what is not there', async () => {
    const { server } = await startCluster();
    const at = { namespace: 'default', id: 'none' };
    const texts = await Promise.all(
      [
        server.evaluateJob({ ...at, forceReschedule: false }),
        server.revertJob({ ...at, version: 0, enforcePriorVersion: null }),
        server.scaleGroup({ ...at, group: 'g', count: 1, message: '', error: false, meta: null }),
        server.stopAllocation({ id: 'none', noShutdownDelay: false }),
        server.setEligibility({ nodeId: 'none', eligible: true }),
        server.purgeNode({ nodeId: 'none' }),
      ].map((call) =>
        (call as Promise<unknown>).then(
          () => '',
          (error: unknown) => (isFault(error) ? `${error.status} ${error.message}` : String(error)),
        ),
      ),
    );
    expect(texts).toEqual([
      '500 job not found',
      '500 job "none" not found',
      '404 job "none" not found',
      '404 allocation not found',
      '500 node not found',
      '500 node not found',
    ]);
  });
});
