import { expect, it } from 'vitest';
import type { NodeCredentials, ServerConnection } from '../client/server-connection.ts';
import { parseInstant } from '../lib/instant.ts';
import type { Allocation } from '../model/allocation.ts';
import type { Deployment } from '../model/deployment.ts';
import { jobId } from '../model/job-id.ts';
import { createSchedule } from '../scheduler/schedule.ts';
import { settle } from './manual-clock.ts';
import { type Cluster, register, startCluster, testJob, testNode } from './test-cluster.ts';

const never = new AbortController().signal;
const who: NodeCredentials = { nodeId: 'n1', secretId: 'secret-of-n1' };
const node = testNode('n1', {
  Attributes: { 'kernel.name': 'linux', 'driver.mock_driver': '1' },
  Drivers: { mock_driver: { Detected: true, Healthy: true } },
});
const minute = 60e9;

/** Two groups, each with a canary beside its one allocation. */
function job(env: string) {
  const [group] = testJob('web').TaskGroups!;
  const Update = {
    MaxParallel: 1,
    Canary: 1,
    HealthCheck: 'task_states',
    MinHealthyTime: 1e9,
    HealthyDeadline: minute,
  };
  const [task] = group!.Tasks!;
  const groups = ['a', 'b'].map((Name) => ({
    ...group,
    Name,
    Count: 1,
    Update: { ...Update, ProgressDeadline: 10 * minute },
    Tasks: [{ ...task, Env: { VERSION: env } }],
  }));
  return testJob('web', { TaskGroups: groups });
}

const allocationsOf = ({ store }: Cluster): Allocation[] => [
  ...store.snapshot().by('allocations', 'job', jobId('default', 'web')),
];
const latest = ({ store }: Cluster): Deployment =>
  [...store.snapshot().by('deployments', 'job', jobId('default', 'web'))].sort(
    (x, y) => y.CreateIndex - x.CreateIndex,
  )[0]!;

/** The node reports what is new there as running and healthy. */
async function allHealthy(cluster: Cluster, client: ServerConnection): Promise<void> {
  const at = new Date(cluster.clock.now() / 1e6).toISOString();
  const updates = allocationsOf(cluster)
    .filter(({ ClientStatus, DesiredStatus }) => ClientStatus === 'pending' && DesiredStatus === 'run')
    .map(({ ID, NodeID, DeploymentStatus }) => ({
      ...{ ID, NodeID, ClientStatus: 'running', ClientDescription: '', NetworkStatus: null },
      TaskStates: { t: { State: 'running', Failed: false, Events: [], StartedAt: at, FinishedAt: null } } as never,
      DeploymentStatus: { Healthy: true, Timestamp: at, Canary: DeploymentStatus?.Canary ?? false, ModifyIndex: 0 },
    }));
  await client.updateAllocations(who, updates, never);
  await settle();
}

async function withCanaries(): Promise<{ cluster: Cluster; client: ServerConnection }> {
  const cluster = await startCluster({ server: { schedule: createSchedule() } });
  const client = cluster.server.connection();
  await client.register(node, never);
  await register(cluster.server, job('1'));
  await settle();
  await allHealthy(cluster, client);
  await register(cluster.server, job('2'));
  await settle();
  await allHealthy(cluster, client);
  expect(allocationsOf(cluster)).toHaveLength(4);
  return { cluster, client };
}

it('promoting one group replaces what is old of it alone, and gives it a new deadline', async () => {
  const { cluster } = await withCanaries();
  const before = latest(cluster);
  await cluster.clock.advance(3_000);
  await cluster.server.promoteDeployment({ id: before.ID, groups: ['a'] });
  await settle();
  const { TaskGroups, StatusDescription, Status } = latest(cluster);
  expect([TaskGroups!['a']!.Promoted, TaskGroups!['b']!.Promoted]).toEqual([true, false]);
  expect(parseInstant(TaskGroups!['a']!.RequireProgressBy)).toBe(cluster.clock.now() + 10 * minute);
  expect(TaskGroups!['b']!.RequireProgressBy).toBe(before.TaskGroups!['b']!.RequireProgressBy);
  expect([Status, StatusDescription]).toEqual(['running', before.StatusDescription]);
  const stopped = allocationsOf(cluster).filter(({ DesiredStatus }) => DesiredStatus === 'stop');
  expect(stopped.map(({ TaskGroup, JobVersion }) => [TaskGroup, JobVersion])).toEqual([['a', 0]]);
});

it('promoting all groups ends the deployment as successful', async () => {
  const { cluster, client } = await withCanaries();
  await cluster.server.promoteDeployment({ id: latest(cluster).ID, groups: null });
  await settle();
  await allHealthy(cluster, client);
  expect(latest(cluster).Status).toBe('successful');
});

it('a group that is not there, or has nothing to promote, is refused by name', async () => {
  const { cluster } = await withCanaries();
  const { ID: id } = latest(cluster);
  await expect(cluster.server.promoteDeployment({ id, groups: ['zz'] })).rejects.toThrow('no task group "zz"');
  await cluster.server.promoteDeployment({ id, groups: ['a'] });
  await expect(cluster.server.promoteDeployment({ id, groups: ['a'] })).rejects.toThrow('no canaries to promote');
});
