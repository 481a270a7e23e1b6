import { describe, expect, it } from 'vitest';
import type { Job } from '../model/job.ts';
import { jobId } from '../model/job-id.ts';
import type { Input } from '../model/schema.ts';
import { settle } from './manual-clock.ts';
import { type Cluster, register, startCluster, testJob } from './test-cluster.ts';

const batch = (id: string, more: Input<Job>): Input<Job> => testJob(id, { Type: 'batch', ...more });
const request = {
  namespace: 'default',
  payload: '',
  meta: {},
  idempotencyToken: '',
  idPrefixTemplate: '',
  priority: 0,
};
const children = (cluster: Cluster, parent: string) =>
  [...cluster.store.snapshot().scan('jobs')].filter((job) => job.ParentID === parent);

describe('a parameterized job', () => {
  const parameterized = batch('par', {
    Meta: { kept: 'k', may: 'default' },
    ParameterizedJob: { Payload: 'optional', MetaRequired: ['need'], MetaOptional: ['may'] },
  });

  it('runs nothing itself; each dispatch is a job of its own with the payload and the metadata given', async () => {
    const cluster = await startCluster();
    const { server, store } = cluster;
    expect((await register(server, parameterized)).evalId).toBe('');
    const done = await server.dispatchJob({ ...request, id: 'par', payload: 'cGF5', meta: { need: '1', may: '2' } });
    const child = store.snapshot().get('jobs', jobId('default', done.dispatchedJobId))!;
    expect(child.ID).toMatch(/^par\/dispatch-\d+-[0-9a-f]{8}$/);
    expect(child).toMatchObject({
      ParentID: 'par',
      Dispatched: true,
      Payload: 'cGF5',
      Meta: { kept: 'k', need: '1', may: '2' },
      Version: 0,
    });
    await settle();
    expect(store.snapshot().get('evaluations', done.evalId)?.JobID).toBe(child.ID);
    expect(store.snapshot().get('jobSummaries', jobId('default', 'par'))?.Children).toEqual({
      Pending: 1,
      Running: 0,
      Dead: 0,
    });
    await expect(server.dispatchJob({ ...request, id: child.ID })).rejects.toThrow('is not a parameterized job');
  });

  it('counts its instances as they come and end', async () => {
    const { server, store } = await startCluster();
    await register(server, parameterized);
    const first = await server.dispatchJob({ ...request, id: 'par', meta: { need: '1' } });
    await server.dispatchJob({ ...request, id: 'par', idPrefixTemplate: 'other', meta: { need: '2' } });
    await server.deregisterJob({
      namespace: 'default',
      id: first.dispatchedJobId,
      purge: true,
      evalPriority: 0,
      noShutdownDelay: false,
    });
    await settle();
    const counts = store.snapshot().get('jobSummaries', jobId('default', 'par'))?.Children;
    expect(counts).toEqual({ Pending: 1, Running: 0, Dead: 1 });
  });

  it('answers a token that was used before with the instance of then', async () => {
    const cluster = await startCluster();
    await register(cluster.server, parameterized);
    const asked = { ...request, id: 'par', meta: { need: '1' }, idempotencyToken: 'tok' };
    const first = await cluster.server.dispatchJob(asked);
    const second = await cluster.server.dispatchJob(asked);
    expect([second.dispatchedJobId, second.evalId]).toEqual([first.dispatchedJobId, '']);
    expect(children(cluster, 'par')).toHaveLength(1);
  });

  it.each([
    [{ meta: {} }, 'Dispatch did not provide required meta keys: [need]'],
    [{ meta: { need: '1', zz: '2' } }, 'Dispatch request included unpermitted metadata keys: [zz]'],
    [{ meta: { need: '1' }, payload: 'A'.repeat(30_000) }, 'Payload exceeds maximum size; 22500 > 16384'],
  ])('refuses what it does not take (%#)', async (more, text) => {
    const { server } = await startCluster();
    await register(server, parameterized);
    await expect(server.dispatchJob({ ...request, id: 'par', ...more })).rejects.toThrow(text);
  });

  it('may demand more isolation where its job lets it, not less, and nothing that there is not', async () => {
    const { server, store } = await startCluster();
    const keys = ['min', 'require', 'on_degrade'].map((name) => `drover_isolation_${name}`);
    const own = { drover_isolation_min: 'sandbox', drover_isolation_require: 'devices' };
    await register(server, batch('own', { Meta: own, ParameterizedJob: { MetaOptional: keys } }));
    const dispatch = (meta: Record<string, string>) => server.dispatchJob({ ...request, id: 'own', meta });
    for (const [said, why] of [
      [{ drover_isolation_min: 'sandbocks' }, /isolation min is one of .*; got "sandbocks"/],
      [{ drover_isolation_require: 'devices, sec' }, /isolation require knows no "sec"/],
      [{ drover_isolation_on_degrade: 'shrug' }, /on_degrade is one of/],
      [{ drover_isolation_min: '' }, /demands less isolation than the job does/],
      [{ drover_isolation_min: 'process' }, /demands less/],
      [{ drover_isolation_require: '' }, /demands less/],
      [{ drover_isolation_on_degrade: 'warn' }, /demands less/],
    ] as const)
      await expect(dispatch(said), JSON.stringify(said)).rejects.toThrow(why);
    const more = { drover_isolation_min: 'container', drover_isolation_on_degrade: 'stop' };
    for (const said of [{}, own, more]) {
      const { dispatchedJobId } = await dispatch(said);
      expect(store.snapshot().get('jobs', jobId('default', dispatchedJobId))?.Meta).toEqual({ ...own, ...said });
    }
  });

  it('takes a payload only as it says', async () => {
    const { server } = await startCluster();
    await register(server, batch('never', { ParameterizedJob: { Payload: 'forbidden' } }));
    await register(server, batch('always', { ParameterizedJob: { Payload: 'required' } }));
    await expect(server.dispatchJob({ ...request, id: 'never', payload: 'QQ==' })).rejects.toThrow('forbidden');
    await expect(server.dispatchJob({ ...request, id: 'always' })).rejects.toThrow('is not provided but required');
  });
});

describe('a periodic job', () => {
  const often = (more: Input<NonNullable<Job['Periodic']>> = {}) =>
    batch('per', { Periodic: { Enabled: true, SpecType: 'cron', Specs: ['*/5 * * * *'], TimeZone: 'UTC', ...more } });
  const minutes5 = 300_000;

  it('is launched each time its line is due, under a name that says when', async () => {
    const cluster = await startCluster();
    expect((await register(cluster.server, often())).evalId).toBe('');
    expect(children(cluster, 'per')).toHaveLength(0);
    for (let round = 1; round <= 2; round++) {
      await cluster.clock.advance(minutes5);
      await settle();
      expect(children(cluster, 'per')).toHaveLength(round);
    }
    const [first] = children(cluster, 'per');
    expect(Number(first!.ID.split('periodic-')[1]) % 300).toBe(0);
    expect([first!.Periodic, first!.Dispatched]).toEqual([null, false]);
  });

  it('is not launched while its last one runs, where it says so', async () => {
    const cluster = await startCluster();
    await register(cluster.server, often({ ProhibitOverlap: true }));
    for (let round = 0; round < 3; round++) {
      await cluster.clock.advance(minutes5);
      await settle();
    }
    expect(children(cluster, 'per')).toHaveLength(1);
    const forced = await cluster.server.forcePeriodic({ namespace: 'default', id: 'per' });
    expect(forced.evalId).not.toBe('');
    expect(children(cluster, 'per')).toHaveLength(2);
  });

  it('is launched once for all that was due while no server ran', async () => {
    let cluster = await startCluster();
    await register(cluster.server, often());
    await cluster.clock.advance(minutes5);
    await settle();
    expect(children(cluster, 'per')).toHaveLength(1);
    await cluster.server.close();
    await cluster.clock.advance(5 * minutes5);
    cluster = await cluster.restart();
    await cluster.clock.advance(1000);
    await settle();
    expect(children(cluster, 'per')).toHaveLength(2);
    await cluster.clock.advance(minutes5);
    await settle();
    expect(children(cluster, 'per')).toHaveLength(3);
  });

  it('rests while it is stopped or disabled', async () => {
    const cluster = await startCluster();
    await register(cluster.server, often());
    await register(cluster.server, often({ Enabled: false }));
    await cluster.clock.advance(minutes5);
    await register(cluster.server, often());
    await cluster.server.deregisterJob({
      namespace: 'default',
      id: 'per',
      purge: false,
      evalPriority: 0,
      noShutdownDelay: false,
    });
    await cluster.clock.advance(2 * minutes5);
    await settle();
    expect(children(cluster, 'per')).toHaveLength(0);
  });
});

describe('a version of a job', () => {
  it('keeps its name, can be told by it, and stays while newer ones come', async () => {
    const { server, store } = await startCluster();
    for (let version = 0; version < 10; version++) {
      await register(server, testJob('a', { Meta: { version: String(version) } }));
      if (version === 0) {
        const asked = { namespace: 'default', id: 'a', name: 'golden', description: 'first', version: null };
        expect((await server.tagVersion(asked)).tag).toMatchObject({ Name: 'golden', Description: 'first' });
      }
    }
    const versions = () => [...store.snapshot().by('jobVersions', 'job', jobId('default', 'a'))];
    expect(versions().find((job) => job.Version === 0)?.VersionTag?.Name).toBe('golden');
    expect(versions().some((job) => job.Version === 1)).toBe(false);
    const other = { namespace: 'default', id: 'a', name: 'golden', description: '', version: 9 };
    await expect(server.tagVersion(other)).rejects.toThrow('already exists on a different version');
    await server.untagVersion({ namespace: 'default', id: 'a', name: 'golden' });
    expect(versions().some((job) => job.Version === 0)).toBe(false);
    await expect(server.untagVersion({ namespace: 'default', id: 'a', name: 'golden' })).rejects.toThrow('not found');
  });
});
