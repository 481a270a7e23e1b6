import { asking, takes, withClient } from './client-context.ts';
import { type Command, CommandError } from './command.ts';
import { resolveJob } from './resolve-id.ts';

export const command: Command = {
  usage: 'job tag apply [options] <job>',
  help: 'Names a version of a job, so that it is kept and can be gone back to by its name.',
  flags: {
    name: { kind: 'string', value: '<tag>', help: 'The name. Required.' },
    description: { kind: 'string', value: '<text>', help: 'Says why.' },
    version: { kind: 'string', value: '<version>', help: 'Which version; the newest where none is given.' },
  },
  client: true,
  complete: 'jobs',
  async run(call) {
    takes(call, 'job tag apply', 'This command takes one argument: <job>', 1);
    const { flags, terminal } = call;
    const name = flags.string('name') ?? '';
    if (name === '') throw new CommandError('A version tag name must be specified using the -name flag');
    const text = flags.string('version');
    if (text !== undefined && !/^\d+$/.test(text)) throw new CommandError(`Error parsing version value "${text}"`);
    return withClient(call, async (client) => {
      const { id, namespace } = await resolveJob(client, call.args[0]!);
      const query = { namespace };
      const version =
        text === undefined
          ? (await asking('Error retrieving job', client.jobs.read(id, { query }))).value.Version
          : Number(text);
      const tag = { Version: version, Description: flags.string('description') ?? '' };
      await asking('Error tagging job version', client.jobs.tag(id, name, tag, { query }));
      terminal.out(`Job version ${version} tagged with name "${name}"`);
      return 0;
    });
  },
};
