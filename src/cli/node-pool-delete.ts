import { asking, takes, withClient } from './client-context.ts';
import type { Command } from './command.ts';

export const command: Command = {
  usage: 'node pool delete [options] <node-pool>',
  help: 'Removes a node pool that has neither nodes nor jobs.',
  flags: {},
  client: true,
  async run(call) {
    takes(call, 'node pool delete', 'This command takes one argument: <node-pool>', 1);
    const [name] = call.args as [string];
    return withClient(call, async (client) => {
      await asking('Error deleting node pool', client.api.delete(`/v1/node/pool/${encodeURIComponent(name)}`));
      call.terminal.out(`Successfully deleted node pool "${name}"!`);
      return 0;
    });
  },
};
