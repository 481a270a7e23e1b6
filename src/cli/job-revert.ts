import type { DroverClient } from '../api-client/index.ts';
import { asking, takes, withClient } from './client-context.ts';
import { type Command, CommandError } from './command.ts';
import { followFlags, followRegistration } from './follow-registration.ts';
import { resolveJob } from './resolve-id.ts';

export const command: Command = {
  usage: 'job revert [options] <job> <version or tag>',
  help: 'Makes an earlier version of a job the current one.',
  flags: followFlags,
  client: true,
  complete: 'jobs',
  async run(call) {
    takes(call, 'job revert', 'This command takes two arguments: <job> <version|tag>', 2);
    return withClient(call, async (client) => {
      const { id, namespace } = await resolveJob(client, call.args[0]!);
      const version = await versionOf(client, id, namespace, call.args[1]!);
      const reverting = client.jobs.revert(id, version, undefined, { query: { namespace } });
      const { value } = await asking('Error retrieving job versions', reverting);
      return followRegistration(call, client, value, (evalId) => `Evaluation ID: ${evalId}`);
    });
  },
};

async function versionOf(client: DroverClient, id: string, namespace: string, word: string): Promise<number> {
  if (/^\d+$/.test(word)) return Number(word);
  const { value } = await asking('Error retrieving job versions', client.jobs.versions(id, { query: { namespace } }));
  const tagged = value.Versions?.find((job) => job.VersionTag?.Name === word);
  if (tagged === undefined) throw new CommandError(`Error retrieving job versions: tag "${word}" not found`);
  return tagged.Version;
}
