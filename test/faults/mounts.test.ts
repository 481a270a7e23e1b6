/** What allocations had mounted on the host goes with them, also where the agent was killed or stopped meanwhile. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { allocationsOf, nodeReady, shellJob } from '../e2e/jobs.ts';
import { mountsBelow } from '../processes.ts';

const isRoot = process.getuid?.() === 0;

describe.skipIf(!isRoot)('the mounts of an allocation', () => {
  let agent: AgentProcess;

  beforeEach(async () => {
    agent = await startAgent();
    await nodeReady(agent);
    await agent.client.jobs.register(shellJob('lasting', 'exec sleep 1000'));
    await allocationsOf(agent, 'lasting', 'running');
    expect(mountsBelow(agent.directory).some((path) => path.endsWith('/secrets'))).toBe(true);
  });
  afterEach(() => agent.dispose());

  const purge = async (): Promise<void> => {
    await agent.client.jobs.deregister('lasting', { purge: true });
    await eventually(async () => {
      const { value } = await agent.client.allocations.list();
      expect(value.map(({ ClientStatus }) => ClientStatus)).toEqual(value.map(() => 'complete'));
    });
  };

  it('are gone once a purged job ended and the agent was stopped', async () => {
    await purge();
    await agent.interrupt();
    expect(mountsBelow(agent.directory)).toEqual([]);
  });

  it('are gone where the agent was killed, and the job purged after its next start', async () => {
    await agent.crash();
    agent = await agent.restart();
    await purge();
    await agent.interrupt();
    expect(mountsBelow(agent.directory)).toEqual([]);
  });

  it('are gone after the next stop where the agent was killed when the job was purged', async () => {
    await purge();
    await agent.crash();
    agent = await agent.restart();
    await nodeReady(agent);
    await agent.client.agent.collectGarbage();
    const alloc = join(agent.directory, 'data/alloc');
    await eventually(() =>
      expect(existsSync(alloc) ? readdirSync(alloc).filter((name) => !name.startsWith('.')) : []).toEqual([]),
    );
    await agent.interrupt();
    expect(mountsBelow(agent.directory)).toEqual([]);
  });
});
