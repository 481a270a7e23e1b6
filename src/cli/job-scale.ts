import type { DroverClient } from '../api-client/index.ts';
import { asking, takes, withClient } from './client-context.ts';
import { type Command, CommandError } from './command.ts';
import { followFlags, followRegistration } from './follow-registration.ts';
import { resolveJob } from './resolve-id.ts';

export const command: Command = {
  usage: 'job scale [options] <job> [<group>] <count>',
  help: 'Changes how many allocations of a group there shall be. The group may be left out where there is only one.',
  flags: {
    'check-index': { kind: 'int', value: '<index>', help: 'Change the job only if its modify index is this.' },
    ...followFlags,
  },
  client: true,
  complete: 'jobs',
  async run(call) {
    const { args, flags } = call;
    takes(call, 'job scale', 'This command takes two or three arguments: <job> [<group>] <count>', 2, 3);
    const text = args.at(-1)!;
    if (!/^\d+$/.test(text))
      throw new CommandError(`Failed to convert count string to int: "${text}" is no whole number`);
    return withClient(call, async (client) => {
      const { id, namespace } = await resolveJob(client, args[0]!);
      const group = args.length === 3 ? args[1]! : await onlyGroup(client, id, namespace);
      const request = {
        group,
        count: Number(text),
        message: 'submitted using the command line',
        ...(flags.given('check-index') ? { enforceIndex: flags.int('check-index')! } : {}),
      };
      const scaling = client.jobs.scale(id, request, { query: { namespace } });
      const { value } = await asking('Error submitting scaling request', scaling);
      return followRegistration(call, client, value, (evalId) => `Job scale successful\nEvaluation ID: ${evalId}`);
    });
  },
};

async function onlyGroup(client: DroverClient, id: string, namespace: string): Promise<string> {
  const { value: job } = await asking('Error querying job', client.jobs.read(id, { query: { namespace } }));
  const names = (job.TaskGroups ?? []).map((group) => group.Name);
  if (names.length === 1) return names[0]!;
  throw new CommandError(`Group name must be specified: the job has ${names.join(', ')}`);
}
