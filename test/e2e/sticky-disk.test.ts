/** What a task left on a sticky disk is there for the one that replaces it: to read and to write, however it closed it to others. */
import { describe, it } from 'vitest';
import { eventually, startAgent } from '../agent-process.ts';
import { canMapIds, withSubordinateIds } from '../subordinate-ids.ts';
import { nodeReady, output, shellJob } from './jobs.ts';

const root = process.getuid?.() === 0;
const ordinaryUser = 61_235;

/** Each version reads what those before wrote, and adds to it. */
const script = (version: number) => `umask 077
for file in "$NOMAD_ALLOC_DIR/data/db" "$NOMAD_TASK_DIR/own"; do cat "$file"; echo ${version} >>"$file" || echo refused; done
echo end; sleep 1000`;

describe.skipIf(!root)('a sticky disk', () => {
  it.for([
    { who: 'root', options: {}, possible: true },
    {
      who: 'an ordinary user who has ids for tasks',
      options: { user: ordinaryUser, wrap: withSubordinateIds(ordinaryUser) },
      possible: canMapIds,
    },
  ])('of a task of exec under an agent of $who', async ({ options, possible }, { expect, skip }) => {
    if (!possible) skip('newuidmap is not installed');
    const agent = await startAgent(options);
    try {
      await nodeReady(agent);
      const run = async (version: number) => {
        const job = shellJob('kept', script(version), {
          driver: 'exec',
          group: { EphemeralDisk: { Sticky: true, SizeMB: 10 } },
        });
        await agent.client.jobs.register(job);
        return eventually(async () => {
          const { value } = await agent.client.jobs.allocations('kept');
          const found = value.find((row) => row.JobVersion === version - 1 && row.ClientStatus === 'running');
          if (found === undefined)
            throw new Error(JSON.stringify(value.map((row) => [row.JobVersion, row.ClientStatus])));
          const said = await output(agent, found.ID);
          if (!said.includes('end')) throw new Error(said);
          return said;
        });
      };
      expect(await run(1)).toBe('end\n');
      expect(await run(2)).toBe('1\n1\nend\n');
      expect(await run(3)).toBe('1\n2\n1\n2\nend\n');
    } finally {
      await agent.dispose();
    }
  });
});
