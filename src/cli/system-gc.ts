import { asking, takes, withClient } from './client-context.ts';
import type { Command } from './command.ts';

export const command: Command = {
  usage: 'system gc',
  help: 'Forgets at once what is only kept for a while: ended jobs, evaluations, allocations, deployments and nodes that are down.',
  flags: {},
  client: true,
  async run(call) {
    takes(call, 'system gc', 'This command takes no arguments', 0);
    return withClient(call, async (client) => {
      await asking('Error running system garbage-collection', client.agent.collectGarbage());
      return 0;
    });
  },
};
