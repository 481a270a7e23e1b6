import type { DroverClient } from '../api-client/index.ts';
import { asking, takes, withClient } from './client-context.ts';
import { type Call, type Command, CommandError } from './command.ts';
import { ownNode } from './node-status.ts';
import { resolveNode } from './resolve-id.ts';

export const command: Command = {
  usage: 'node eligibility [options] <node>',
  help: 'Lets new work onto a node, or keeps it away; what runs there stays.',
  flags: {
    enable: { kind: 'bool', help: 'New allocations may be placed.' },
    disable: { kind: 'bool', help: 'No new allocations.' },
    self: { kind: 'bool', help: 'The node of the agent that is asked.' },
  },
  client: true,
  complete: 'nodes',
  async run(call) {
    const { flags, terminal } = call;
    if (flags.bool('enable') === flags.bool('disable'))
      throw new CommandError(
        "Either the '-enable' or '-disable' flag must be set\nFor additional help try 'drover node eligibility -help'",
      );
    return withClient(call, async (client) => {
      const id = await nodeOf(call, client, 'node eligibility');
      await asking('Error updating scheduling eligibility', client.nodes.setEligibility(id, flags.bool('enable')));
      terminal.out(
        `Node "${id}" scheduling eligibility set: ${flags.bool('enable') ? 'eligible' : 'ineligible'} for scheduling`,
      );
      return 0;
    });
  },
};

/** The node that is named, or with -self the agent's own. */
export async function nodeOf(call: Call, client: DroverClient, name: string): Promise<string> {
  if (call.flags.bool('self')) {
    takes(call, name, 'With -self this command takes no arguments', 0);
    return ownNode(client);
  }
  takes(call, name, "Node ID must be specified if -self isn't being used", 1);
  return (await resolveNode(client, call.args[0]!)).ID;
}
