import { asking, takes, withClient } from './client-context.ts';
import { type Command, CommandError } from './command.ts';
import { resolveJob } from './resolve-id.ts';

export const command: Command = {
  usage: 'job tag unset -name <tag> <job>',
  help: 'Takes a name from the version of a job.',
  flags: { name: { kind: 'string', value: '<tag>', help: 'The name. Required.' } },
  client: true,
  complete: 'jobs',
  async run(call) {
    takes(call, 'job tag unset', 'This command takes one argument: <job>', 1);
    const name = call.flags.string('name') ?? '';
    if (name === '') throw new CommandError('A version tag name must be specified using the -name flag');
    return withClient(call, async (client) => {
      const { id, namespace } = await resolveJob(client, call.args[0]!);
      await asking('Error removing tag from job version', client.jobs.untag(id, name, { query: { namespace } }));
      call.terminal.out(`Tag "${name}" removed from job "${id}"`);
      return 0;
    });
  },
};
