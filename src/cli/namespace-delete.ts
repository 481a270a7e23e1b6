import { asking, takes, withClient } from './client-context.ts';
import type { Command } from './command.ts';

export const command: Command = {
  usage: 'namespace delete [options] <namespace>',
  help: 'Removes a namespace in which no job runs or waits.',
  flags: {},
  client: true,
  async run(call) {
    takes(call, 'namespace delete', 'This command takes one argument: <namespace>', 1);
    const [name] = call.args as [string];
    return withClient(call, async (client) => {
      await asking('Error deleting namespace', client.api.delete(`/v1/namespace/${encodeURIComponent(name)}`));
      call.terminal.out(`Successfully deleted namespace "${name}"!`);
      return 0;
    });
  },
};
