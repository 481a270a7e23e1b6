import { asking, takes, withClient } from './client-context.ts';
import { type Command, CommandError } from './command.ts';
import { followDeployment } from './deployment-change.ts';
import { followFlags } from './follow-registration.ts';
import { resolveJob } from './resolve-id.ts';

export const command: Command = {
  usage: 'job promote [options] <job id>',
  help: "Takes the canaries of a job's latest deployment for good. Without -group those of all groups.",
  flags: { group: { kind: 'strings', value: '<group>', help: 'Only this group; may be repeated.' }, ...followFlags },
  client: true,
  complete: 'jobs',
  async run(call) {
    takes(call, 'job promote', 'This command takes one argument: <job id>', 1);
    return withClient(call, async (client) => {
      const { id, namespace } = await resolveJob(client, call.args[0]!);
      const reading = client.jobs.latestDeployment(id, { query: { namespace } });
      const { value: deployment } = await asking(`Error retrieving deployment for job ${id}`, reading);
      if (deployment === null) throw new CommandError(`Deployment for job "${id}" not found`);
      const asked = client.deployments.promote(deployment.ID, call.flags.strings('group'));
      const { value } = await asking(`Error promoting deployment "${deployment.ID}" for job "${id}"`, asked);
      return followDeployment(call, client, deployment.ID, value, 'promoted');
    });
  },
};
