/** Ports that the operator keeps for the host: no allocation gets one, neither asked for nor given. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { nodeReady } from '../e2e/jobs.ts';
import { groupsOf, job, wait } from './groups.ts';
import { ownHost, setUpHost } from './own-host.ts';

describe.skipIf(!ownHost)('ports reserved for the host', () => {
  let agent: AgentProcess;
  const { start, stop } = groupsOf(() => agent);

  beforeAll(async () => {
    setUpHost();
    // of ten dynamic ports two are left
    const client = {
      min_dynamic_port: 28_500,
      max_dynamic_port: 28_509,
      reserved: { reserved_ports: '8505,28500-28503,28506-28509' },
    };
    agent = await startAgent({ config: { client: { enabled: true, ...client } } });
    await nodeReady(agent);
  });
  afterAll(() => agent?.dispose());

  it.each(['bridge', 'host'])('are not given away dynamically, with mode %s', async (mode) => {
    const alloc = await start('dynamic', mode, { t: { script: wait } }, [{ Label: 'a' }, { Label: 'b' }]);
    expect([alloc.port('a'), alloc.port('b')].sort()).toEqual([28_504, 28_505]);
    await agent.client.jobs.register(job('more', mode, { t: { script: wait } }, [{ Label: 'c' }]));
    await refused('more', /dynamic port selection failed|network: /);
    await stop('dynamic');
    await agent.client.jobs.deregister('more', { purge: true });
  });

  it('are refused to who asks for one by number, with the port in the reason, and no other is (control)', async () => {
    await agent.client.jobs.register(job('asks', 'bridge', { t: { script: wait } }, [{ Label: 'a', Value: 8505 }]));
    await refused('asks', /8505/);
    await agent.client.jobs.deregister('asks', { purge: true });
    const alloc = await start('asks', 'bridge', { t: { script: wait } }, [{ Label: 'a', Value: 8504 }]);
    expect(alloc.port('a')).toBe(8504);
    await stop('asks');
  });

  async function refused(id: string, why: RegExp): Promise<void> {
    await eventually(async () => {
      const { value } = await agent.client.jobs.evaluations(id);
      const failed = value.flatMap((each) => Object.values(each.FailedTGAllocs ?? {}));
      expect(Object.keys(failed[0]?.DimensionExhausted ?? {}).join('; ')).toMatch(why);
    });
  }
});
