/** A real agent rolls a real job by canaries: promoted, paused, failed, gone back from. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AllocationStub } from '../../src/api-client/allocations.ts';
import type { Deployment } from '../../src/model/deployment.ts';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { runCli } from './cli.ts';
import { nodeReady, shellJob } from './jobs.ts';

const lasting = (word: string): string => `echo ${word}; exec sleep 3600`;

describe('a job rolled by canaries', () => {
  let agent: AgentProcess;

  beforeAll(async () => {
    agent = await startAgent();
    await nodeReady(agent);
  });
  afterAll(() => agent.dispose());

  async function submit(script: string, more: Record<string, unknown> = {}): Promise<void> {
    const Update = {
      MaxParallel: 2,
      Canary: 1,
      HealthCheck: 'task_states',
      MinHealthyTime: 50e6,
      HealthyDeadline: 60e9,
      ProgressDeadline: 120e9,
      ...more,
    };
    await agent.client.jobs.register(shellJob('web', script, { count: 3, group: { Update } }));
  }

  const deployment = (version: number, status: string, description?: string): Promise<Deployment> =>
    eventually(async () => {
      const { value } = await agent.client.jobs.latestDeployment('web');
      const seen = `version ${value?.JobVersion}: ${value?.Status}, ${value?.StatusDescription}`;
      if (value?.JobVersion !== version || value.Status !== status)
        throw new Error(`wanted ${version}, ${status}; ${seen}`);
      if (description !== undefined && !value.StatusDescription.includes(description)) throw new Error(seen);
      return value;
    });

  /** Those that are to run, once they are these versions and all run. */
  const running = (...versions: number[]): Promise<readonly AllocationStub[]> =>
    eventually(async () => {
      const { value } = await agent.client.jobs.allocations('web');
      const there = value.filter(
        ({ ClientStatus, DesiredStatus }) => ClientStatus === 'running' && DesiredStatus === 'run',
      );
      const found = there.map(({ JobVersion }) => JobVersion).sort();
      if (found.join() !== versions.join())
        throw new Error(`wanted versions ${versions.join()}, found ${found.join()}`);
      return there;
    });

  const canaryHealthy = (version: number): Promise<Deployment> =>
    eventually(async () => {
      const found = await deployment(version, 'running');
      if (found.TaskGroups!['g']!.HealthyAllocs < 1) throw new Error('the canary is not healthy yet');
      return found;
    });

  const old = (rows: readonly AllocationStub[], version: number): readonly string[] =>
    rows.flatMap(({ ID, JobVersion }) => (JobVersion === version ? [ID] : [])).sort();

  it('runs them beside the old version until they are promoted, and then replaces it', async () => {
    await submit(lasting('a'));
    await deployment(0, 'successful');
    const before = old(await running(0, 0, 0), 0);

    await submit(lasting('b'));
    const waiting = await canaryHealthy(1);
    expect(waiting.StatusDescription).toBe('Deployment is running but requires manual promotion');
    const beside = await running(0, 0, 0, 1);
    expect(old(beside, 0)).toEqual(before);
    const [canary] = beside.filter(({ JobVersion }) => JobVersion === 1);
    expect(canary!.DeploymentStatus).toMatchObject({ Canary: true, Healthy: true });
    expect(waiting.TaskGroups!['g']!.PlacedCanaries).toEqual([canary!.ID]);

    expect(await runCli(agent, ['deployment', 'pause', waiting.ID])).toMatchObject({ code: 0 });
    await deployment(1, 'paused', 'Deployment is paused');
    expect(await runCli(agent, ['deployment', 'resume', '-detach', waiting.ID])).toMatchObject({ code: 0 });
    await deployment(1, 'running', 'requires manual promotion');
    expect(old(await running(0, 0, 0, 1), 0)).toEqual(before);

    const promoted = await runCli(agent, ['job', 'promote', '-detach', 'web']);
    expect(promoted, promoted.stderr).toMatchObject({ code: 0 });
    await deployment(1, 'successful');
    const after = await running(1, 1, 1);
    expect(after.some(({ ID }) => ID === canary!.ID)).toBe(true);
    expect(after.some(({ DeploymentStatus }) => DeploymentStatus?.Canary)).toBe(false);
  });

  it('promotes them by itself where it is told to', async () => {
    await submit(lasting('c'), { AutoPromote: true });
    await deployment(2, 'successful');
    await running(2, 2, 2);
  });

  it('goes back to the last version that was good where a canary fails, and nothing that ran was touched', async () => {
    const before = old(await running(2, 2, 2), 2);
    // on a busy machine its shell may run longer than the others have to, and would have been healthy
    await submit('echo broken; exit 3', { AutoRevert: true, ProgressDeadline: 0, MinHealthyTime: 50e9 });
    await eventually(async () => {
      const { value } = await agent.client.jobs.deployments('web');
      const failed = value.find(({ JobVersion }) => JobVersion === 3);
      if (failed?.Status !== 'failed') throw new Error(`version 3 is ${failed?.Status}`);
      expect(failed.StatusDescription).toBe('Failed due to unhealthy allocations - rolling back to job version 2');
    });
    await deployment(4, 'successful');
    const rows = await running(4, 4, 4);
    expect(old(rows, 4)).toEqual(before);
  });

  it('stops them where a user fails the deployment', async () => {
    const before = old(await running(4, 4, 4), 4);
    await submit(lasting('d'));
    const { ID } = await canaryHealthy(5);
    expect(await runCli(agent, ['deployment', 'fail', '-detach', ID])).toMatchObject({ code: 0 });
    await deployment(5, 'failed', 'Deployment marked as failed');
    expect(old(await running(4, 4, 4), 4)).toEqual(before);
  });
});
