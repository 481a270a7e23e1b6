import type { DroverClient } from '../api-client/index.ts';
import { asking, takes, withClient } from './client-context.ts';
import { type Command, CommandError } from './command.ts';
import { followFlags, followRegistration } from './follow-registration.ts';
import { jobTable } from './resolve-id.ts';

export const command: Command = {
  usage: 'job periodic force [options] <job id>',
  help: 'Launches a periodic job now, whatever its cron lines say.',
  flags: followFlags,
  client: true,
  complete: 'jobs',
  async run(call) {
    takes(call, 'job periodic force', 'This command takes one argument: <job id>', 1);
    return withClient(call, async (client) => {
      const { id, namespace } = await resolvePeriodic(client, call.args[0]!);
      const asked = client.jobs.forcePeriodic(id, { query: { namespace } });
      const { value } = await asking(`Error forcing periodic job "${id}"`, asked);
      return followRegistration(call, client, value, (evalId) => `Force periodic successful\nEvaluation ID: ${evalId}`);
    });
  },
};

async function resolvePeriodic(client: DroverClient, prefix: string): Promise<{ id: string; namespace: string }> {
  const query = { prefix, filter: 'Periodic is not empty' };
  const { value } = await asking('Error querying job', client.jobs.list({ query }));
  const exact = value.filter((job) => job.ID === prefix);
  const [found, ...more] = exact.length > 0 ? exact : value;
  if (found === undefined) throw new CommandError(`No periodic job(s) with prefix or ID "${prefix}" found`);
  if (more.length > 0) throw new CommandError(`Prefix "${prefix}" matched multiple jobs\n\n${jobTable(value, false)}`);
  return { id: found.ID, namespace: found.Namespace };
}
