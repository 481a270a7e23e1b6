/** What holds tasks of an agent without root and without control groups, where only what it does itself can. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { nodeReady } from '../e2e/jobs.ts';

const root = process.getuid?.() === 0;
const ordinaryUser = 61_236;

describe.skipIf(!root)('under an agent of an ordinary user, a task of exec', () => {
  let agent: AgentProcess;
  beforeAll(async () => {
    agent = await startAgent({ user: ordinaryUser });
    await nodeReady(agent);
  });
  afterAll(() => agent?.dispose());

  let count = 0;
  async function said(driver: string, script: string): Promise<string> {
    const id = `said-${count++}`;
    await agent.client.jobs.register({
      ID: id,
      Name: id,
      Type: 'batch',
      Datacenters: ['*'],
      TaskGroups: [
        {
          Name: 'g',
          RestartPolicy: { Attempts: 0, Mode: 'fail' },
          Tasks: [
            {
              Name: 't',
              Driver: driver,
              Config: { command: '/bin/sh', args: ['-c', script] },
              Resources: { CPU: 50, MemoryMB: 32 },
            },
          ],
        },
      ],
    } as unknown as Parameters<AgentProcess['client']['jobs']['register']>[0]);
    const [row] = await eventually(async () => {
      const { value } = await agent.client.jobs.allocations(id);
      if (!['complete', 'failed'].includes(value[0]?.ClientStatus ?? '')) throw new Error(value[0]?.ClientStatus);
      return value;
    });
    let text = '';
    for await (const frame of agent.client.files.logs(row!.ID, { task: 't', type: 'stdout' }))
      text += Buffer.from(frame.data).toString();
    return text;
  }

  it('cannot fill the memory of the host by way of files (control: at rung none it can)', async () => {
    const fill = (directory: string): string =>
      `head -c 90000000 /dev/zero >${directory}/drover-filled 2>/dev/null && echo ${directory} filled; rm -f ${directory}/drover-filled;`;
    const directories = ['/dev/shm', '/run', '/private', '/dev'];
    expect(await said('exec', `${directories.map(fill).join(' ')} echo done`)).toBe('done\n');
    expect(await said('exec', 'head -c 20000000 /dev/zero >/dev/shm/some && wc -c </dev/shm/some')).toBe('20000000\n');
    expect(await said('raw_exec', fill('/dev/shm'))).toBe('/dev/shm filled\n');
  });
});
