/** Floors through their whole life: a server, a node that keeps a sandbox, and one that may and may not, as real agents. */
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { hide } from '../security/crippled-hosts.ts';
import { allocationsOf, nodeReady, shellJob } from './jobs.ts';

const token = 'the-join-token-of-this-test';
const root = process.getuid?.() === 0;
const programs = ['bwrap', 'unshare', 'runc', 'crun'];

describe.skipIf(!root)('a floor', () => {
  let server: AgentProcess;
  let whole: AgentProcess;
  let poor: AgentProcess;

  const startNode = (name: string, client: Record<string, unknown>, script?: string, directory?: string) =>
    startAgent({
      args: ['-client'],
      config: { name, client: { enabled: true, servers: [`127.0.0.1:${server.port}`], join_token: token, ...client } },
      ...(directory === undefined ? {} : { directory }),
      ...(script === undefined
        ? {}
        : {
            wrap: (command) => [
              ...['unshare', '--mount', '--propagation', 'private', 'sh', '-c', `${script}; exec "$@"`, 'sh'],
              ...command,
            ],
          }),
    });

  beforeAll(async () => {
    server = await startAgent({
      args: ['-server'],
      config: { name: 'server1', server: { enabled: true, join_token: token } },
    });
    whole = await startNode('whole', {});
    poor = await startNode('poor', {}, hide(...programs));
    for (const name of ['whole', 'poor']) await nodeReady(server, name);
  }, 240_000);
  afterAll(async () => {
    for (const agent of [whole, poor, server]) await agent?.dispose();
  }, 120_000);

  const wait = 'exec sleep 3600';
  const exec = (id: string, more: Parameters<typeof shellJob>[2] = {}) =>
    server.client.jobs.register(shellJob(id, wait, { driver: 'exec', ...more }));
  const nodesOf = async (job: string, count: number) =>
    (await allocationsOf(server, job, 'running', count, 120_000)).map(({ NodeName }) => NodeName).sort();
  const reasonsOf = (job: string) =>
    eventually(async () => {
      const { value } = await server.client.jobs.evaluations(job);
      const found = value.flatMap(({ FailedTGAllocs }) =>
        Object.values(FailedTGAllocs ?? {}).flatMap(({ ConstraintFiltered }) => Object.keys(ConstraintFiltered ?? {})),
      );
      if (found.length === 0) throw new Error('nothing was filtered');
      return found.join('\n');
    }, 60_000);
  const floor = { group: { Isolation: { Min: 'sandbox' } } };
  const inPoor = (...command: readonly string[]) =>
    execFileSync('nsenter', ['--target', String(poor.pid), '--mount', ...command]);
  const idOf = async (name: string) => {
    const { value } = await server.client.nodes.list();
    return value.find((row) => row.Name === name)!.ID;
  };

  it('keeps jobs of every kind from the node that is below it', async () => {
    await exec('web', { count: 2, ...floor });
    await exec('everywhere', { type: 'system', ...floor });
    await exec('control', { type: 'system' });
    expect(await nodesOf('control', 2)).toEqual(['poor', 'whole']);
    expect(await nodesOf('web', 2)).toEqual(['whole', 'whole']);
    expect(await nodesOf('everywhere', 1)).toEqual(['whole']);
  });

  it('holds for what a drain moves, which waits, and goes to a node as soon as that has what it lacked', async () => {
    await server.client.nodes.drain(await idOf('whole'), { deadlineNs: 0, ignoreSystemJobs: true });
    expect(await reasonsOf('web')).toMatch(/demands "sandbox", exec gives "process" here; missing: .*mount_namespace/);
    expect(await nodesOf('everywhere', 1)).toEqual(['whole']);
    for (const name of programs) {
      const path = execFileSync('sh', ['-c', `readlink -f "$(command -v ${name})" || :`], { encoding: 'utf8' }).trim();
      if (path !== '') inPoor('sh', '-c', `umount "${path}" 2>/dev/null || :`);
    }
    process.kill(poor.pid, 'SIGHUP');
    expect(await nodesOf('web', 2)).toEqual(['poor', 'poor']);
    expect(await nodesOf('everywhere', 2)).toEqual(['poor', 'whole']);
  });

  it('that a node is given anew leaves what runs, which says so, and refuses what is started next', async () => {
    const before = await allocationsOf(server, 'web', 'running', 2);
    const { directory } = poor;
    await poor.crash();
    poor = await startNode('poor', { isolation: { min: 'vm' } }, undefined, directory);
    const said = await eventually(async () => {
      const { value } = await server.client.allocations.read(before[0]!.ID);
      const found = value.TaskStates!['t']!.Events!.filter(({ Type }) => Type === 'Isolation Degraded');
      const message = found.at(-1)?.DisplayMessage ?? '';
      if (!message.includes('is demanded now')) throw new Error(`the last of ${found.length} is ${message}`);
      return message;
    }, 120_000);
    expect(said).toMatch(/^below "vm", which is demanded now; it counts from its next start; missing: /);
    const after = await allocationsOf(server, 'web', 'running', 2);
    expect(after.map(({ ID }) => ID).sort()).toEqual(before.map(({ ID }) => ID).sort());

    await server.client.allocations.restart(before[0]!.ID, { task: 't' });
    await eventually(async () => {
      const { value } = await server.client.allocations.read(before[0]!.ID);
      const messages = value.TaskStates!['t']!.Events!.map(({ DisplayMessage }) => DisplayMessage).join('\n');
      expect(value.ClientStatus).toBe('failed');
      expect(messages).toMatch(/isolation floor "vm" is not reached/);
    }, 120_000);
    await eventually(async () => {
      expect(await reasonsOf('web')).toMatch(/the node demands of task "t" "vm"/);
    }, 60_000);
    expect(await nodesOf('web', 1)).toEqual(['poor']);
  });
});
