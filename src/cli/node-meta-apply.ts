import { asking, withClient } from './client-context.ts';
import { type Command, CommandError } from './command.ts';
import { resolveNode } from './resolve-id.ts';

export const command: Command = {
  usage: 'node meta apply [-node-id <node>] [-unset <keys>] key1=value1 … keyN=valueN',
  help: 'Sets metadata of a node at run time; jobs can be placed by it. It outlives restarts of the agent.',
  flags: {
    'node-id': { kind: 'string', value: '<node>', help: "The node. Default: the agent's own." },
    unset: { kind: 'string', value: '<key>,…', help: 'Keys to take away, also such as the configuration sets.' },
  },
  client: true,
  async run(call) {
    const { args, flags } = call;
    const unset = (flags.string('unset') ?? '').split(',').filter((key) => key !== '');
    if (args.length + unset.length === 0) throw new CommandError('Must specify -unset or at least one key=value pair');
    const changes: { [key: string]: string | null } = Object.fromEntries(unset.map((key) => [key, null]));
    for (const word of args) {
      const at = word.indexOf('=');
      if (at < 1) throw new CommandError(`Expected key=value pair, got: ${word}`);
      changes[word.slice(0, at)] = word.slice(at + 1);
    }
    return withClient(call, async (client) => {
      const prefix = flags.string('node-id');
      const id = prefix === undefined ? undefined : (await resolveNode(client, prefix)).ID;
      const body = { NodeID: id ?? '', Meta: changes };
      const asked = client.api.post('/v1/client/metadata', body, { query: { node_id: id } });
      await asking('Error applying dynamic node metadata', asked);
      return 0;
    });
  },
};
