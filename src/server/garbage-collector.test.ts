import { describe, expect, it } from 'vitest';
import { jobId } from '../model/job-id.ts';
import { settle } from './manual-clock.ts';
import { type Cluster, register, startCluster, testJob, testNode } from './test-cluster.ts';

const never = new AbortController().signal;

async function cluster(): Promise<Cluster> {
  const made = await startCluster({ server: { heartbeat: { minTtlMs: 1e9 } } });
  await made.server.connection().register(testNode('n1'), never);
  return made;
}

async function finish({ server, store }: Cluster, job: string, ClientStatus: string): Promise<void> {
  await settle();
  for (const { ID, NodeID } of store.snapshot().by('allocations', 'job', jobId('default', job))) {
    const TaskStates = { t: { Events: [{ Time: 1 }] } } as never;
    const report = {
      ID,
      NodeID,
      ClientStatus,
      ClientDescription: '',
      TaskStates,
      DeploymentStatus: null,
      NetworkStatus: null,
    };
    await server.connection().updateAllocations({ nodeId: 'n1', secretId: 'secret-of-n1' }, [report], never);
  }
  await settle();
}

const jobs = ({ store }: Cluster): string[] => [...store.snapshot().scan('jobs')].map((job) => job.ID);
const stop = ({ server }: Cluster, id: string) =>
  server.deregisterJob({ namespace: 'default', id, purge: false, evalPriority: 0, noShutdownDelay: false });

describe('garbage collection', () => {
  it('takes away dead batch jobs and stopped ones with all that was theirs, and leaves what runs', async () => {
    const made = await cluster();
    await register(made.server, testJob('live'));
    await register(made.server, testJob('done', { Type: 'batch' }));
    await register(made.server, testJob('stopped'));
    await finish(made, 'done', 'complete');
    await stop(made, 'stopped');
    await finish(made, 'stopped', 'complete');
    await made.server.collectGarbage();
    expect(jobs(made)).toEqual(['live']);
    const snapshot = made.store.snapshot();
    expect([...snapshot.scan('allocations')].map((one) => one.JobID)).toEqual(['live']);
    expect([...snapshot.scan('jobVersions')].map((job) => job.ID)).toEqual(['live']);
    expect([...snapshot.scan('jobSummaries')].map((summary) => summary.JobID)).toEqual(['live']);
  });

  it('leaves a dead service job that nobody stopped, and a stopped one whose work has not ended', async () => {
    const made = await cluster();
    await register(made.server, testJob('none', { TaskGroups: [{ ...testJob('none').TaskGroups![0], Count: 0 }] }));
    await register(made.server, testJob('ending'));
    await finish(made, 'ending', 'running');
    await stop(made, 'ending');
    await settle();
    await made.server.collectGarbage();
    expect(jobs(made)).toEqual(['ending', 'none']);
    expect(made.store.snapshot().count('allocations')).toBe(1);
  });

  it('waits for the age it is given', async () => {
    const made = await cluster();
    await register(made.server, testJob('done', { Type: 'batch' }));
    await finish(made, 'done', 'complete');
    await made.clock.advance(2 * 3_600_000);
    expect(jobs(made)).toEqual(['done']);
    await made.clock.advance(3 * 3_600_000);
    expect(jobs(made)).toEqual([]);
  });

  it('forgets a node that has been down, once nothing runs there', async () => {
    const made = await startCluster();
    await made.server.connection().register(testNode('n1'), never);
    await register(made.server, testJob('web'));
    await made.clock.advance(30_000);
    expect(made.store.snapshot().get('nodes', 'n1')?.Status).toBe('down');
    await made.server.collectGarbage();
    expect(made.store.snapshot().get('nodes', 'n1')).toBeUndefined();
  });
});
